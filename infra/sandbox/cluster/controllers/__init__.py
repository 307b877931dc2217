"""Deployment, ReplicaSet and garbage-collection controllers, as clients of the API."""
