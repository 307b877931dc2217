"""A whole world on one machine: the cloud's control planes, a cluster and its pods, for the demo and the tests.

Nothing of the product imports it.
"""
