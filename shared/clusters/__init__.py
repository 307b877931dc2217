"""The Kubernetes API of managed clusters: signing in, and reading what a backup looks at. What the objects mean for a Scalar
product is in `shared.scalar`."""
