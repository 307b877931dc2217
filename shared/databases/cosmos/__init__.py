"""Azure Cosmos DB for NoSQL, restored by continuous backup into a new account.

The public class is `CosmosAccess`; `calls` and `errors` are the way to the service, `actions` lists the rights.
"""

from shared.databases.cosmos.access import CosmosAccess

__all__ = ["CosmosAccess"]
