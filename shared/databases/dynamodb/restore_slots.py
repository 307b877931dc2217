"""How many restores the account has room for: those that we know to be under way are counted, others show as a refusal."""

from __future__ import annotations

from collections.abc import Iterable

from shared.databases.dynamodb.calls import Calls
from shared.databases.dynamodb.inventory import list_tables
from shared.databases.dynamodb.live_table import read_live
from shared.databases.dynamodb.names import is_copy
from shared.model.restore import ItemRestore


def free_slots(most: int, creating: Iterable[ItemRestore], calls: Calls) -> int:
    """`most` less the live tables that this restore is `creating` and whatever is being restored beside live ones."""
    copies = sorted(name for name in list_tables(calls) if is_copy(name))
    tables = calls.in_parallel(lambda name: read_live(name, calls), copies)
    aside = sum(table.is_restoring for table in tables if table)
    return max(0, most - len(list(creating)) - aside)
