"""Azure Cosmos DB for NoSQL: accounts behind Resource Manager, their data behind keys, continuous backup and restore.

Sources: the pages below https://learn.microsoft.com/azure/cosmos-db/ and the REST API of the resource provider.
"""
