"""A small bank that moves money between accounts in several tables, in ScalarDB's record format, on one database or on several.

Its total never changes, so a restored copy that is not consistent shows as wrong money. `layouts` says which table is where,
makes and fills the tables, and counts what is in them; `workers` moves money inside a pod; `damage` loses data on purpose.
"""
