"""Loses the bank's data on purpose, as people and scripts do, so that a restore has something to bring back."""

from __future__ import annotations

from infra.sandbox.bank.layouts import BankLayout
from infra.sandbox.bank.tables import COORDINATOR_TABLE


def drop_table(layout: BankLayout, table: str) -> None:
    """The table is gone with its rows. KeyError for one that is not the bank's, NoSuchTable for one that is not there."""
    layout.storage_of(table).drop(table)


def overwrite_rows(layout: BankLayout, table: str, balance: int = 0) -> int:
    """Gives every account of the table this balance, past ScalarDB and without a trace in the transaction metadata, like an
    UPDATE that forgot its WHERE; how many rows it was. Transfers that are under way meanwhile may win."""
    if table == COORDINATOR_TABLE:
        raise ValueError(f"{COORDINATOR_TABLE} has no balances: name an account table, {', '.join(layout.account_tables)}.")
    storage = layout.storage_of(table)
    rows = storage.part(layout.tables_on(layout.places[table])).rows(table)
    storage.write(table, ({**row, "balance": balance} for row in rows))
    return len(rows)
