"""Azure on one machine: Microsoft Entra with managed identities, and Resource Manager with AKS, Cosmos DB and flexible servers.

Strict where Azure is strict: audiences, api-versions, methods, paths, bodies and role assignments.
"""
