"""Plans: all in one partition, each with the number of its revision."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from shared.catalog import refusals
from shared.catalog.dynamodb.bodies import get_record, put_record, records
from shared.catalog.dynamodb.table import Key, Refused, Table
from shared.model.plan import Plan, StoredPlan
from shared.model.records import from_record, to_record

PARTITION = "plans"
IS_NEW = "attribute_not_exists(#pk)"
IS_UNCHANGED = "#revision = :seen"


def put(table: Table, plan: Plan, at: datetime) -> StoredPlan:
    """Raises RevisionConflict when another revision was stored since this call looked."""
    current = _find(table, plan.name)
    if current and current.plan == plan:
        return current
    stored = StoredPlan(plan=plan, revision=current.revision + 1 if current else 1, applied_at=at)
    condition: tuple[str, dict[str, Any]] = (IS_UNCHANGED, {"seen": current.revision}) if current else (IS_NEW, {})
    try:
        put_record(table, _key(plan.name), to_record(stored), {"revision": stored.revision}, condition[0], **condition[1])
    except Refused as refusal:
        return _only_if_same(table, plan, refusal)
    return stored


def _only_if_same(table: Table, plan: Plan, refusal: Refused) -> StoredPlan:
    """Our own write, repeated after its answer was lost, or somebody else's with the same content, is as good as ours."""
    now = _find(table, plan.name)
    if now is None or now.plan != plan:
        raise refusals.plan_changed(plan.name) from refusal
    return now


def get(table: Table, name: str) -> StoredPlan:
    found = _find(table, name)
    if found is None:
        raise refusals.unknown_plan(name, (stored.plan.name for stored in every(table)))
    return found


def every(table: Table) -> tuple[StoredPlan, ...]:
    return tuple(from_record(record, StoredPlan) for _, record in records(table, table.query(PARTITION)))


def _find(table: Table, name: str) -> StoredPlan | None:
    found = get_record(table, _key(name))
    return from_record(found[1], StoredPlan) if found else None


def _key(name: str) -> Key:
    return Key(PARTITION, name)
