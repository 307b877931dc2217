"""A small bank that moves money between accounts in several DynamoDB tables, in ScalarDB's record format.

Its total never changes, so a restored copy that is not consistent shows as wrong money. `schema` makes and fills the
tables, `workers` moves money inside a pod, `audit` counts it in the live tables or in any copy.
"""
