"""Azure on one machine, as far as signing in to AKS needs it: Microsoft Entra with managed identities, and Resource Manager.

Strict where Azure is strict: audiences, api-versions, methods, paths and role assignments.
"""
