"""Deployment, ReplicaSet, Job and garbage-collection controllers, as clients of the API."""
