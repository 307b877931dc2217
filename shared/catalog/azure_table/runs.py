"""Runs in the partition of their plan, and the documents beside each run in a partition of its own."""

from __future__ import annotations

from typing import Any

from shared.catalog import refusals
from shared.catalog.azure_table.bodies import get_record, put_record, records
from shared.catalog.azure_table.keys import Key, backwards, fit
from shared.catalog.azure_table.table import Refused, Table
from shared.model.records import from_record, to_record
from shared.model.run import Run, plan_of_run

PREFIX = "run:"
NAMED_IN_ERROR = 10


def create(table: Table, run: Run) -> Run:
    try:
        put_record(table, _key(run.plan, run.id), to_record(run), _beside(run), old=None)
    except Refused:
        return get(table, run.id)
    return run


def save(table: Table, run: Run) -> Run:
    key = _key(run.plan, run.id)

    def replace() -> Run:
        old = table.get(key)
        if old and old.values["token"] > run.token:
            raise refusals.stale_run(run, old.values["token"])
        put_record(table, key, to_record(run), _beside(run), old)
        return run

    return table.decide("Update Entity", f"run {run.id}", replace)


def get(table: Table, run_id: str) -> Run:
    plan = plan_of_run(run_id)
    found = get_record(table, _key(plan, run_id))
    if found is None:
        raise refusals.unknown_run(run_id, [run.id for run in newest(table, plan, NAMED_IN_ERROR)])
    return from_record(found[1], Run)


def newest(table: Table, plan: str, limit: int) -> tuple[Run, ...]:
    found = table.query(_partition(plan), PREFIX, limit=limit)
    return tuple(from_record(record, Run) for record in records(table, found))


def put_document(table: Table, run: str, name: str, document: Any) -> None:
    """The last writer wins."""
    key = _document_key(run, name)

    def replace() -> None:
        put_record(table, key, document, {}, table.get(key))

    table.decide("Update Entity", f"document {name} of run {run}", replace)


def document(table: Table, run: str, name: str) -> Any | None:
    found = get_record(table, _document_key(run, name))
    return found[1] if found else None


def _beside(run: Run) -> dict[str, Any]:
    return {"id": run.id, "token": run.token}


def _partition(plan: str) -> str:
    return f"plan:{fit(plan)}"


def _key(plan: str, run_id: str) -> Key:
    return Key(_partition(plan), f"{PREFIX}{backwards(run_id)}")


def _document_key(run: str, name: str) -> Key:
    return Key(f"run:{fit(run)}", f"document:{fit(name)}")
