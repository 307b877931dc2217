"""Where the evidence of an attempt is kept, and how it is read back as a whole."""

from __future__ import annotations

from typing import TypeVar

from shared.model.endpoint_change import EndpointChange
from shared.model.plan import Plan
from shared.model.pods import ReleaseSnapshot
from shared.model.protection import DatabaseProtection
from shared.model.records import from_record, to_record
from shared.model.run import CaptureEvidence, Evidence, PauseEvidence, ResumeEvidence
from shared.model.storage import ReleaseStorage
from shared.steps.ports import Catalog

T = TypeVar("T")

PLAN = "plan"
"""The plan as it was when the run began, so that a `plan apply` in between changes nothing under way."""
STORAGE = "storage"
ENDPOINT_CHANGES = "endpoint-changes"
"""Beside the plan, not beside a run: every endpoint that a restore has changed. The step that changes one is repeated until
this is written."""
CHECKS = "checks"


def part(attempt: int, name: str) -> str:
    """The document of one part of an attempt: `before`, `pause`, `capture`, `resume` or `after`."""
    return f"attempt/{attempt}/{name}"


def snapshots(attempt: int) -> str:
    """The document with the `WindowSnapshot` of each database that has one."""
    return part(attempt, "snapshots")


def protection(database: str) -> str:
    """The document with a database's protection."""
    return f"protection/{database}"


def save(catalog: Catalog, run: str, name: str, value: object) -> None:
    catalog.put_document(run, name, to_record(value))


def load(catalog: Catalog, run: str, name: str, kind: type[T]) -> T | None:
    document = catalog.document(run, name)
    return None if document is None else from_record(document, kind)


def plan_of(catalog: Catalog, run: str) -> Plan:
    """The plan with which the run began."""
    return load(catalog, run, PLAN, Plan) or catalog.plan(catalog.run(run).plan).plan


def storage_of(catalog: Catalog, run: str) -> tuple[ReleaseStorage, ...]:
    return load(catalog, run, STORAGE, tuple[ReleaseStorage, ...]) or ()


def endpoint_changes(catalog: Catalog, plan: str) -> tuple[EndpointChange, ...]:
    """Of every restore of the plan so far."""
    return load(catalog, plan, ENDPOINT_CHANGES, tuple[EndpointChange, ...]) or ()


def load_evidence(catalog: Catalog, run: str, attempt: int) -> Evidence:
    """Everything kept about one attempt; parts that never happened are empty."""
    return Evidence(
        attempt=attempt,
        before=load(catalog, run, part(attempt, "before"), tuple[ReleaseSnapshot, ...]) or (),
        pause=load(catalog, run, part(attempt, "pause"), PauseEvidence),
        capture=load(catalog, run, part(attempt, "capture"), CaptureEvidence),
        resume=load(catalog, run, part(attempt, "resume"), ResumeEvidence),
        after=load(catalog, run, part(attempt, "after"), tuple[ReleaseSnapshot, ...]) or (),
    )


def load_protection(catalog: Catalog, run: str, database: str) -> DatabaseProtection | None:
    return load(catalog, run, protection(database), DatabaseProtection)
