"""RDS and Aurora made strict: states, renames, backups, restores that lose what AWS loses, data behind every endpoint.

`overlay` is installed by the server; `client` is for pods, which cannot afford to load what the overlay needs.
"""
