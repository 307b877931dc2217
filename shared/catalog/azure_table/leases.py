"""Leases: one entity per plan that is never removed, so that its token only ever grows."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime

from shared.catalog import refusals
from shared.catalog.azure_table.keys import Key, fit
from shared.catalog.azure_table.table import Stored, Table
from shared.model.errors import FencedOff
from shared.model.lease import Lease
from shared.model.times import iso, parse_instant

PARTITION = "pauses"
"""Of the leases and of the pause journal: opening an entry depends on the lease, in one transaction."""


def lease_key(plan: str) -> Key:
    return Key(PARTITION, f"lease:{fit(plan)}")


def acquire(table: Table, plan: str, run: str, until: datetime, now: datetime) -> Lease:
    """Takes a free or expired lease, extends what is ours; decided anew whenever the lease changed in between."""

    def take() -> Lease:
        stored = table.get(lease_key(plan))
        held = holder(stored, plan)
        if held and held.run != run and held.expires_at > now:
            raise refusals.lease_held(held)
        token = held.token if held and held.run == run else _next_token(stored)
        return _keep(table, Lease(plan=plan, run=run, token=token, expires_at=until), stored)

    return table.decide("Update Entity", f"the lease of {plan}", take)


def renew(table: Table, plan: str, run: str, token: int, until: datetime) -> Lease:
    def extend() -> Lease:
        stored = require(table.get(lease_key(plan)), plan, run, token)
        return _keep(table, Lease(plan=plan, run=run, token=token, expires_at=until), stored)

    return table.decide("Update Entity", f"the lease of {plan}", extend)


def release(table: Table, plan: str, run: str, token: int) -> None:
    def give_back() -> None:
        stored = require(table.get(lease_key(plan)), plan, run, token)
        table.put(stored.key, {"token": token}, stored)

    with suppress(FencedOff):
        table.decide("Update Entity", f"the lease of {plan}", give_back)


def holder(stored: Stored | None, plan: str) -> Lease | None:
    """The lease as it is held, also when it has expired; None when it was never taken or was given back."""
    if stored is None or "run" not in stored.values:
        return None
    values = stored.values
    return Lease(plan=plan, run=values["run"], token=values["token"], expires_at=parse_instant(values["expires_at"]))


def require(stored: Stored | None, plan: str, run: str, token: int) -> Stored:
    """Raises FencedOff unless `run` holds the lease with `token`."""
    held = holder(stored, plan)
    if stored is None or held is None or (held.run, held.token) != (run, token):
        raise refusals.lease_lost(plan, run, token, held.run if held else "")
    return stored


def _next_token(stored: Stored | None) -> int:
    return int(stored.values["token"]) + 1 if stored else 1


def _keep(table: Table, lease: Lease, old: Stored | None) -> Lease:
    """Raises Refused when somebody changed the lease since `old` was read."""
    values = {"token": lease.token, "run": lease.run, "expires_at": iso(lease.expires_at)}
    table.put(lease_key(lease.plan), values, old)
    return lease
