"""Restore points in the partition of their plan, with the phase beside the record so that `latest` is found by a query."""

from __future__ import annotations

from shared.catalog import refusals
from shared.catalog.azure_table.bodies import get_record, put_record, records
from shared.catalog.azure_table.keys import Key, backwards, fit
from shared.catalog.azure_table.table import Table
from shared.model.records import from_record, to_record
from shared.model.restore_point import RestorePoint

PREFIX = "point:"
IS_RESTORABLE = " or ".join(f"phase eq '{phase.value}'" for phase in refusals.RESTORABLE)
NAMED_IN_ERROR = 20


def put(table: Table, point: RestorePoint) -> None:
    """The last writer wins."""
    key, values = _key(point.plan, point.id), {"id": point.id, "phase": point.phase.value}

    def replace() -> None:
        put_record(table, key, to_record(point), values, table.get(key))

    table.decide("Update Entity", f"restore point {point.id}", replace)


def get(table: Table, plan: str, point_id: str) -> RestorePoint:
    found = _latest(table, plan) if point_id == refusals.LATEST else _by_id(table, plan, point_id)
    if found is None:
        raise refusals.unknown_point(plan, point_id, newest(table, plan, NAMED_IN_ERROR))
    return found


def _latest(table: Table, plan: str) -> RestorePoint | None:
    found = table.query(_partition(plan), PREFIX, IS_RESTORABLE, limit=1)
    return next((from_record(record, RestorePoint) for record in records(table, found)), None)


def _by_id(table: Table, plan: str, point_id: str) -> RestorePoint | None:
    found = get_record(table, _key(plan, point_id))
    return from_record(found[1], RestorePoint) if found else None


def newest(table: Table, plan: str, limit: int) -> tuple[RestorePoint, ...]:
    found = table.query(_partition(plan), PREFIX, limit=limit)
    return tuple(from_record(record, RestorePoint) for record in records(table, found))


def _partition(plan: str) -> str:
    return f"plan:{fit(plan)}"


def _key(plan: str, point_id: str) -> Key:
    return Key(_partition(plan), f"{PREFIX}{backwards(point_id)}")
