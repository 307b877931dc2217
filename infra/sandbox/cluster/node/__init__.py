"""Nodes: give the pods that are bound to them addresses and run their containers as processes, as clients of the API."""
