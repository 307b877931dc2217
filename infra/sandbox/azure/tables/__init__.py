"""A stand-in for the Table service of one storage account: strict where the service is strict, kept in SQLite.

Source: "Table service REST API" and the pages named in each module. Not here: shared keys and SAS (the account has
`allowSharedKeyAccess: false`), table ACLs, service properties, CORS, the secondary location.
"""

from infra.sandbox.azure.tables.faults import Faults
from infra.sandbox.azure.tables.service import CONTRIBUTOR, READER, TableService
from infra.sandbox.azure.tables.store import Store

__all__ = ["CONTRIBUTOR", "READER", "Faults", "Store", "TableService"]
