"""One node: binds pods, gives them addresses and runs their containers as processes, as a client of the API."""
