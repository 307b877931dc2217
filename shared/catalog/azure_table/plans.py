"""Plans: all in one partition, each with the number of its revision."""

from __future__ import annotations

from datetime import datetime

from shared.catalog import refusals
from shared.catalog.azure_table.bodies import get_record, put_record, records
from shared.catalog.azure_table.keys import Key, fit
from shared.catalog.azure_table.table import Refused, Stored, Table
from shared.model.plan import Plan, StoredPlan
from shared.model.records import from_record, to_record

PARTITION = "plans"


def put(table: Table, plan: Plan, at: datetime) -> StoredPlan:
    """Raises RevisionConflict when another revision was stored since this call looked."""
    old, current = _find(table, plan.name)
    if current and current.plan == plan:
        return current
    stored = StoredPlan(plan=plan, revision=current.revision + 1 if current else 1, applied_at=at)
    try:
        put_record(table, _key(plan.name), to_record(stored), {"revision": stored.revision}, old)
    except Refused as refusal:
        return _only_if_same(table, plan, refusal)
    return stored


def _only_if_same(table: Table, plan: Plan, refusal: Refused) -> StoredPlan:
    """Our own write, repeated after its answer was lost, or somebody else's with the same content, is as good as ours."""
    _, now = _find(table, plan.name)
    if now is None or now.plan != plan:
        raise refusals.plan_changed(plan.name) from refusal
    return now


def get(table: Table, name: str) -> StoredPlan:
    _, found = _find(table, name)
    if found is None:
        raise refusals.unknown_plan(name, (stored.plan.name for stored in every(table)))
    return found


def every(table: Table) -> tuple[StoredPlan, ...]:
    found = (from_record(record, StoredPlan) for record in records(table, table.query(PARTITION)))
    return tuple(sorted(found, key=lambda stored: stored.plan.name))


def _find(table: Table, name: str) -> tuple[Stored | None, StoredPlan | None]:
    found = get_record(table, _key(name))
    return (found[0], from_record(found[1], StoredPlan)) if found else (None, None)


def _key(name: str) -> Key:
    return Key(PARTITION, fit(name))
