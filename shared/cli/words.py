"""What the parts of a database are called, by the database's key."""

from __future__ import annotations

_ITEMS = {"dynamodb": "table", "rds": "instance", "rds-cluster": "cluster", "aurora": "cluster", "cosmos": "container"}


def item_noun(database: str) -> str:
    """`table`, `instance`, `cluster` …"""
    return _ITEMS.get(database.partition(":")[0], "server")


def counted(database: str, count: int) -> str:
    """`1 instance`, `4 tables`."""
    return f"{count} {item_noun(database)}{'' if count == 1 else 's'}"
