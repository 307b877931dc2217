"""The Scalar products: what their Helm charts create, their Admin interface, and what their properties files say.

Start at `releases.ReleasesInClusters` (finding pods and properties) and `admin.AdminClient` (pausing and resuming pods)."""
