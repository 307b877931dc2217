"""Makes the plan of a restore: what every database and release says about it, and an id over all that was seen."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any

from shared.model.checks import CheckResult, failed, warned
from shared.model.errors import BackupError
from shared.model.plan import Database, Plan, Release
from shared.model.protection import DatabaseProtection
from shared.model.records import replace, to_record
from shared.model.restore import DatabaseForecast, RestoreOrder, RestorePlan, RestoreRequest, Target
from shared.model.restore_point import PointPhase, RestorePoint
from shared.model.stop_start import StopProgress
from shared.model.storage import ReleaseStorage
from shared.model.times import iso
from shared.steps import evidence
from shared.steps.ports import Catalog, Rooms
from shared.steps.restore.endpoint_checks import check_endpoints
from shared.steps.restore.points import Source
from shared.steps.restore.record import RestoreScope, load_progress, load_scope

STOP_AND_START_SECONDS = 180.0
"""Beside the databases: pods end within their grace period, and come up and serve again."""
_DIGITS = 16
_MARK_DIGITS = 8


def restore_run_id(plan: RestorePlan) -> str:
    """The id of the run that carries this plan out: the same confirmation again names the same run. Form as every run's id."""
    return f"{plan.request.plan}-{plan.made_at:%Y%m%dT%H%M%SZ}-{_mark(plan)}"


def stamp_of(plan: RestorePlan) -> str:
    """Marks the names of everything that this restore makes: the end of its run's id, in lower case, because RDS identifiers
    know no other. No other run has it, also none of another plan that shares a database and was asked for in this second."""
    return f"{plan.made_at:%Y%m%dt%H%M%Sz}-{_mark(plan)}"


def _mark(plan: RestorePlan) -> str:
    """Of what is known before anything is looked at: names are part of what databases foretell, so the plan's id is no help."""
    asked = [to_record(plan.request), plan.point, iso(plan.at) if plan.at else "", plan.undo_of, iso(plan.made_at)]
    return sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:_MARK_DIGITS]


def order_for(
    database: Database, scope: RestoreScope, run: str, catalog: Catalog, stopped_at: datetime | None = None
) -> RestoreOrder:
    """What `database` is told in every call of this restore."""
    undone = load_progress(catalog, scope.restore.undo_of, database.key) if scope.restore.undo_of else None
    return RestoreOrder(
        database=database,
        run=run,
        stamp=stamp_of(scope.restore),
        target=scope.restore.request.target,
        at=scope.restore.at,
        protection=scope.protections.get(database.key),
        undo=undone.restored if undone else None,
        storages=scope.storages,
        stopped_at=stopped_at,
    )


async def make_plan(
    asked: RestoreRequest,
    source: Source,
    made_at: datetime,
    rooms: Rooms,
    stopped: Mapping[str, StopProgress] | None = None,
) -> RestoreScope:
    """The plan as the world is now. `stopped` are releases, by key, that a restore has stopped: they count with the replicas
    that they will have again.

    Raises:
        UnknownPlan, UnknownPoint: the catalog has none.
        Unreachable, Throttled: the catalog. What a database or cluster answers is a check of the plan instead.
    """
    stored = rooms.catalog.plan(asked.plan)
    plan = replace(stored.plan, databases=_databases(asked, source, stored.plan, rooms.catalog))
    storages, checks = await _storages(plan.releases, rooms)
    draft = RestoreScope(
        restore=RestorePlan(
            id="",
            request=asked,
            point=source.point.id if source.point else "",
            at=source.at,
            made_at=made_at,
            databases=(),
            undo_of=source.undo_of,
        ),
        plan=plan,
        plan_revision=stored.revision,
        protections=_protections(source.point, rooms.catalog),
        storages=storages,
    )
    run = restore_run_id(draft.restore)
    forecasts = await asyncio.gather(*(_forecast(item, draft, run, rooms) for item in plan.databases))
    checks += _check_point(source.point, forecasts)
    checks += _check_same_databases(plan, stored.plan, asked) if not source.undo_of else []
    replicas: Mapping[str, int] = {}
    if asked.target is Target.IN_PLACE:
        replicas, found = await _look_at_releases(draft, stopped or {}, rooms)
        checks += found
    return replace(draft, restore=_identified(draft.restore, forecasts, checks, replicas))


def _identified(
    restore: RestorePlan,
    forecasts: Sequence[DatabaseForecast],
    checks: Sequence[CheckResult],
    replicas: Mapping[str, int],
) -> RestorePlan:
    in_place = restore.request.target is Target.IN_PLACE
    longest = max((item.estimate_seconds for item in forecasts), default=0.0)
    full = replace(
        restore,
        databases=tuple(forecasts),
        checks=tuple(checks),
        releases=dict(replicas),
        outage_seconds=longest + STOP_AND_START_SECONDS if in_place else 0.0,
    )
    text = json.dumps(observed(full), sort_keys=True, separators=(",", ":"))
    return replace(full, id=sha256(text.encode()).hexdigest()[:_DIGITS])


def observed(plan: RestorePlan) -> dict[str, Any]:
    """Everything that the plan's id is a hash over. Neither the time of asking nor an estimate belongs to it."""
    return {
        "request": to_record(plan.request),
        "restore point": plan.point,
        "time": iso(plan.at) if plan.at else "",
        "undo of": plan.undo_of,
        "databases": {item.database: to_record(dict(item.observed)) for item in plan.databases},
        "replicas": dict(plan.releases),
    }


def differences(before: RestorePlan, now: RestorePlan) -> list[str]:
    """What was seen otherwise, each as a sentence without its end."""
    return list(_differences("", observed(before), observed(now)))


def _differences(path: str, before: Any, now: Any) -> list[str]:
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        keys = [*before, *(key for key in now if key not in before)]
        parts = (_differences(f"{path} {key}".strip(), before.get(key), now.get(key)) for key in keys)
        return [difference for part in parts for difference in part]
    return [] if before == now else [f"{path.removeprefix('databases ')} was {_shown(before)} and is {_shown(now)}"]


def _shown(value: Any) -> str:
    text = "absent" if value is None else value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    return text if len(text) <= 80 else f"{text[:77]}…"


def _databases(asked: RestoreRequest, source: Source, current: Plan, catalog: Catalog) -> tuple[Database, ...]:
    """The databases to restore: those that the point was made of. How a relational one is cut over is said by the plan as it
    is now; which tables a DynamoDB one had, by the plan of that time."""
    if source.undo_of:
        return _touched_by(source.undo_of, catalog)
    made_of = evidence.plan_of(catalog, source.point.id).databases if source.point else current.databases
    now = {item.key: item for item in current.databases}
    sections = (now.get(item.key, item) if item.is_relational else item for item in made_of)
    return tuple(item for item in sections if not asked.databases or item.key in asked.databases)


def _touched_by(run: str, catalog: Catalog) -> tuple[Database, ...]:
    """Of what a halted restore has not touched there is nothing to take back."""
    scope = load_scope(catalog, run)
    databases = scope.plan.databases if scope else ()
    reached = {item.key: load_progress(catalog, run, item.key) for item in databases}
    return tuple(item for item in databases if (it := reached[item.key]) and it.restored and it.restored.changed_live)


def _protections(point: RestorePoint | None, catalog: Catalog) -> dict[str, DatabaseProtection]:
    """Of a point that is still being protected, as far as that has come."""
    if point is None:
        return {}
    if point.databases:
        return dict(point.databases)
    keys = [item.key for item in evidence.plan_of(catalog, point.id).databases]
    reached = {key: evidence.load_protection(catalog, point.id, key) for key in keys}
    return {key: item for key, item in reached.items() if item is not None}


async def _forecast(database: Database, scope: RestoreScope, run: str, rooms: Rooms) -> DatabaseForecast:
    try:
        order = order_for(database, scope, run, rooms.catalog)
        return await asyncio.to_thread(rooms.database(database).forecast, order)
    except BackupError as error:
        unseen = failed("database-reachable", database.key, error.message, error.hint)
        return DatabaseForecast(database=database.key, point=scope.restore.at, checks=(unseen,))


def _check_point(point: RestorePoint | None, forecasts: Sequence[DatabaseForecast]) -> list[CheckResult]:
    if point is None or point.phase is not PointPhase.CAPTURED:
        return []
    ready = [item.ready_at for item in forecasts if item.ready_at is not None]
    when = f"It becomes restorable at about {iso(max(ready))}." if ready else "It is still being protected."
    why = f" Its protection failed: {point.cause.message}" if point.cause else ""
    return [
        failed(
            "point-restorable",
            point.id,
            f"is captured, but not yet available: not every database can be restored to it. {when}{why}",
            "Ask again then, or name an older restore point.",
        )
    ]


def _check_same_databases(plan: Plan, current: Plan, asked: RestoreRequest) -> list[CheckResult]:
    """The plan may have changed since the point was made."""
    here, restored = {item.key for item in current.databases}, {item.key for item in plan.databases}
    gone = "was in the plan when the restore point was made and is not any more; it is restored all the same."
    new = "is in the plan now, but the restore point has nothing of it: it stays as it is."
    results = [warned("plan-changed", key, gone) for key in sorted(restored - here)]
    results += [warned("plan-changed", key, new) for key in sorted(here - restored) if not asked.databases]
    missing = [key for key in asked.databases if key not in restored]
    hint = "Name another restore point, or leave this database out."
    return results + [failed("database-in-point", key, "the restore point has nothing of it.", hint) for key in missing]


async def _storages(releases: Sequence[Release], rooms: Rooms) -> tuple[tuple[ReleaseStorage, ...], list[CheckResult]]:
    """What the properties say, release by release. A participant has none that this product knows."""
    storages: list[ReleaseStorage] = []
    checks: list[CheckResult] = []
    for release in releases:
        if release.is_participant:
            continue
        try:
            storages += await asyncio.to_thread(rooms.releases.storage, [release])
        except BackupError as error:
            checks.append(failed("properties-read", release.key, error.message, error.hint))
    return tuple(storages), checks


async def _look_at_releases(
    scope: RestoreScope, stopped: Mapping[str, StopProgress], rooms: Rooms
) -> tuple[Mapping[str, int], list[CheckResult]]:
    plan = scope.plan
    try:
        rivals = await asyncio.to_thread(rooms.applications.rivals, plan.releases)
        running = await asyncio.to_thread(rooms.applications.replicas, plan.releases)
        endpoints = await asyncio.to_thread(check_endpoints, scope, rooms)
    except BackupError as error:
        return {}, [failed("releases-reachable", plan.name, error.message, error.hint)]
    known = {key: number or (stopped[key].replicas_before if key in stopped else 0) for key, number in running.items()}
    return known, [*rivals, *endpoints]
