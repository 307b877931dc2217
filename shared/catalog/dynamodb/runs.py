"""Runs in the partition of their plan, and the documents beside each run in a partition of its own."""

from __future__ import annotations

from typing import Any

from shared.catalog import refusals
from shared.catalog.dynamodb.bodies import get_record, put_record, records
from shared.catalog.dynamodb.table import Key, Refused, Table
from shared.model.records import from_record, to_record
from shared.model.run import Run, plan_of_run

PREFIX = "run#"
IS_NEW = "attribute_not_exists(#pk)"
IS_NOT_STALE = "attribute_not_exists(#pk) OR #token <= :token"
NAMED_IN_ERROR = 10


def create(table: Table, run: Run) -> Run:
    try:
        put_record(table, _key(run.plan, run.id), to_record(run), {"token": run.token}, IS_NEW)
    except Refused:
        return get(table, run.id)
    return run


def save(table: Table, run: Run) -> Run:
    try:
        put_record(table, _key(run.plan, run.id), to_record(run), {"token": run.token}, IS_NOT_STALE, token=run.token)
    except Refused as refusal:
        raise refusals.stale_run(run, refusal.item["token"] if refusal.item else run.token) from refusal
    return run


def get(table: Table, run_id: str) -> Run:
    plan = plan_of_run(run_id)
    found = get_record(table, _key(plan, run_id))
    if found is None:
        raise refusals.unknown_run(run_id, [run.id for run in newest(table, plan, NAMED_IN_ERROR)])
    return from_record(found[1], Run)


def newest(table: Table, plan: str, limit: int) -> tuple[Run, ...]:
    items = table.newest(f"plan#{plan}", PREFIX, limit)
    return tuple(from_record(record, Run) for _, record in records(table, items))


def put_document(table: Table, run: str, name: str, document: Any) -> None:
    put_record(table, _document_key(run, name), document, {})


def document(table: Table, run: str, name: str) -> Any | None:
    found = get_record(table, _document_key(run, name))
    return found[1] if found else None


def _key(plan: str, run_id: str) -> Key:
    return Key(f"plan#{plan}", f"{PREFIX}{run_id}")


def _document_key(run: str, name: str) -> Key:
    return Key(f"run#{run}", f"document#{name}")
