"""Leases: one item per plan that is never removed, so that its token only ever grows."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime

from shared.catalog import refusals
from shared.catalog.dynamodb.attributes import Item
from shared.catalog.dynamodb.errors import collided
from shared.catalog.dynamodb.table import Key, Refused, Table
from shared.model.lease import Lease
from shared.model.times import iso, parse_instant

HELD = "#run = :run AND #token = :token"
FREE = "attribute_not_exists(#run) OR (#run <> :run AND #expires_at <= :now)"
TAKE = "SET #run = :run, #expires_at = :until ADD #token :one"
EXTEND = "SET #expires_at = :until"
GIVE_BACK = "REMOVE #run, #expires_at"


def lease_key(plan: str) -> Key:
    return Key(f"plan#{plan}", "lease")


def acquire(table: Table, plan: str, run: str, until: datetime, now: datetime) -> Lease:
    """Takes a free or expired lease in one conditional write; what is already ours is extended."""
    try:
        item = table.update(lease_key(plan), TAKE, FREE, run=run, until=_sortable(until), now=_sortable(now), one=1)
    except Refused as refusal:
        stored = refusal.item or {}
        if stored.get("run") != run:
            raise refusals.lease_held(_lease(plan, stored)) from refusal
        return _extend_own(table, plan, run, until, stored["token"])
    return _lease(plan, item)


def _extend_own(table: Table, plan: str, run: str, until: datetime, token: int) -> Lease:
    try:
        return _lease(plan, table.update(lease_key(plan), EXTEND, HELD, run=run, token=token, until=_sortable(until)))
    except Refused as refusal:  # it had expired, and somebody took it between the two writes
        raise collided(table.call("UpdateItem")) from refusal


def renew(table: Table, plan: str, run: str, token: int, until: datetime) -> Lease:
    try:
        return _lease(plan, table.update(lease_key(plan), EXTEND, HELD, run=run, token=token, until=_sortable(until)))
    except Refused as refusal:
        raise refusals.lease_lost(plan, run, token, (refusal.item or {}).get("run", "")) from refusal


def release(table: Table, plan: str, run: str, token: int) -> None:
    with suppress(Refused):
        table.update(lease_key(plan), GIVE_BACK, HELD, run=run, token=token)


def _lease(plan: str, item: Item) -> Lease:
    return Lease(plan=plan, run=item["run"], token=item["token"], expires_at=parse_instant(item["expires_at"]))


def _sortable(moment: datetime) -> str:
    """Text that compares like the times it stands for: always in UTC, always with six decimals."""
    text = iso(moment)
    return text if "." in text else text.replace("Z", ".000000Z")
