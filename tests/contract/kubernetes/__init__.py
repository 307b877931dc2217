"""The cluster of the sandbox: what its API promises, the same as a real kube-apiserver, and what its node does."""
