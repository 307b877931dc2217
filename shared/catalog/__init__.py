"""Plans, runs, evidence, restore points, leases and the pause journal, behind the port `Catalog`:
as a DynamoDB table and in memory.

Both pass one contract suite, tests/contract/catalog.
"""
