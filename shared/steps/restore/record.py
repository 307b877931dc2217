"""What is kept about a restore beside its run, and under which names.

Beside the run: the `RestoreRecord`, the plan as this restore uses it, and one `DatabaseProgress` per database, because the
databases advance at the same time. Beside the plan: every restore plan that somebody asked for, and the list of its restores.
"""

from __future__ import annotations

from collections.abc import Mapping

from shared.model.plan import Plan
from shared.model.protection import DatabaseProtection
from shared.model.records import Value
from shared.model.restore import DatabaseRestore, RestorePlan, RestoreRecord
from shared.model.run import Cause
from shared.model.storage import ReleaseStorage
from shared.model.times import Instant
from shared.steps import evidence
from shared.steps.ports import Catalog

RECORD = "restore"
SCOPE = "restore-scope"
RESTORES = "restores"
"""Beside the plan: the ids of its restores, the newest first, down to the oldest whose copies are not discarded. An undo has to
know what came after the restore that it takes back."""


class RestoreScope(Value):
    """A restore plan with what carrying it out needs: the plan's sections (only the databases that are restored), what the
    restore point keeps for each database, and what the releases' properties say."""

    restore: RestorePlan
    plan: Plan
    plan_revision: int
    protections: Mapping[str, DatabaseProtection] = {}
    storages: tuple[ReleaseStorage, ...] = ()


class DatabaseProgress(Value):
    """How far one database is. `half` is `prepare`, `cut-over` or `discard`, and `half_began_at` when that began; `problem` is
    why its last call failed, None as soon as one succeeds. `looked_at` is when its cut-over last asked for a look at the pods.
    """

    database: str
    half: str
    half_began_at: Instant
    looked_at: Instant | None = None
    restored: DatabaseRestore | None = None
    problem: Cause | None = None


def plan_document(plan_id: str) -> str:
    """The document of a restore plan, beside the plan."""
    return f"restore-plan/{plan_id}"


def progress_document(database: str) -> str:
    """The document of a database's `DatabaseProgress`, beside the run."""
    return f"restore/{database}"


def load_plan(catalog: Catalog, plan: str, plan_id: str) -> RestoreScope | None:
    """The plan that was made under this id; None when nobody asked for it."""
    return evidence.load(catalog, plan, plan_document(plan_id), RestoreScope)


def load_record(catalog: Catalog, run: str) -> RestoreRecord | None:
    """None when the run is no restore, or never began."""
    return evidence.load(catalog, run, RECORD, RestoreRecord)


def load_scope(catalog: Catalog, run: str) -> RestoreScope | None:
    return evidence.load(catalog, run, SCOPE, RestoreScope)


def load_progress(catalog: Catalog, run: str, database: str) -> DatabaseProgress | None:
    return evidence.load(catalog, run, progress_document(database), DatabaseProgress)


def all_progress(catalog: Catalog, run: str, scope: RestoreScope) -> dict[str, DatabaseProgress | None]:
    """By database key, in the plan's order."""
    return {database.key: load_progress(catalog, run, database.key) for database in scope.plan.databases}


def restores_of(catalog: Catalog, plan: str) -> tuple[str, ...]:
    """The runs that are restores of the plan, newest first."""
    return evidence.load(catalog, plan, RESTORES, tuple[str, ...]) or ()
