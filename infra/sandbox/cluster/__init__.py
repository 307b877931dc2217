"""A small, faithful Kubernetes cluster in one process: API server over TLS, controllers and two nodes.

`process` starts it from Python, `client` operates it, `charts` makes the objects of a Helm release. `api` is the
server; `controllers` and `node` are clients of the API and know nothing of the server behind it.
"""
