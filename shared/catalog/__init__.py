"""Plans, runs, evidence, restore points, leases and the pause journal, behind the port `Catalog`:
as a DynamoDB table, as a table of Azure Table storage, and in memory.

All pass one contract suite, tests/contract/catalog.
"""
