"""Restore points in the partition of their plan, with the phase beside the record so that `latest` is found by a Query."""

from __future__ import annotations

from shared.catalog import refusals
from shared.catalog.dynamodb.bodies import get_record, put_record, records
from shared.catalog.dynamodb.table import Key, Table
from shared.model.records import from_record, to_record
from shared.model.restore_point import RestorePoint

PREFIX = "point#"
IS_RESTORABLE = "#phase IN (:available, :verified)"
RESTORABLE = {phase.value: phase.value for phase in refusals.RESTORABLE}
NAMED_IN_ERROR = 20


def put(table: Table, point: RestorePoint) -> None:
    put_record(table, _key(point.plan, point.id), to_record(point), {"phase": point.phase.value})


def get(table: Table, plan: str, point_id: str) -> RestorePoint:
    found = _latest(table, plan) if point_id == refusals.LATEST else _by_id(table, plan, point_id)
    if found is None:
        raise refusals.unknown_point(plan, point_id, newest(table, plan, NAMED_IN_ERROR))
    return found


def _latest(table: Table, plan: str) -> RestorePoint | None:
    items = table.newest_that(f"plan#{plan}", PREFIX, IS_RESTORABLE, **RESTORABLE)
    return next((from_record(record, RestorePoint) for _, record in records(table, items)), None)


def _by_id(table: Table, plan: str, point_id: str) -> RestorePoint | None:
    found = get_record(table, _key(plan, point_id))
    return from_record(found[1], RestorePoint) if found else None


def newest(table: Table, plan: str, limit: int) -> tuple[RestorePoint, ...]:
    items = table.newest(f"plan#{plan}", PREFIX, limit)
    return tuple(from_record(record, RestorePoint) for _, record in records(table, items))


def _key(plan: str, point_id: str) -> Key:
    return Key(f"plan#{plan}", f"{PREFIX}{point_id}")
