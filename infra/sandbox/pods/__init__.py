"""The containers of the sandbox's pods: each is one process that behaves like a Scalar product towards Scalar Admin.

`server.start` opens pods inside the calling process instead, for tests and benchmarks.
"""
