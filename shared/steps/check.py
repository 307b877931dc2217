"""Is everything fit for a backup, and does it need a pause? Named checks with hints; nothing is changed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

from shared.model.checks import CheckResult, CheckStatus, failed, passed
from shared.model.coverage import check_coverage
from shared.model.endpoint_change import check_drift
from shared.model.errors import BackupError
from shared.model.pause_decision import PauseDecision, decide_pause
from shared.model.pause_order import check_group, check_overlap, longest_seconds, stage_count
from shared.model.plan import Database, Plan, Release
from shared.model.pods import ReleaseSnapshot, unfit
from shared.model.records import replace, to_record
from shared.model.run import Run, run_id
from shared.model.storage import ReleaseStorage
from shared.steps import evidence
from shared.steps.pause import RESUME_RESERVE_SECONDS
from shared.steps.pausing_runs import name_pausing_runs
from shared.steps.ports import Rooms
from shared.steps.request import Answer, Execution, Request, execution, mapping, text

CHECKS_IN_RECORD = 50
"""How many results the run's own record holds, failures first; all of them are in its document `checks`."""


async def check(request: Request, rooms: Rooms) -> Answer:
    """Checks a plan.

    Request: `plan` and `reason`, or in an engine `input`, which holds them, and `execution`: then the run's record is created
    first, so that an attempt stopped by a check leaves a trace. Answer: `ok`, `pause` (the decision), and without an execution
    all `checks`.
    """
    asked = mapping(request.get("input", request), "The input")
    stored = rooms.catalog.plan(text(asked, "plan"))
    within = execution(request)
    run = _create_run(stored.plan, stored.revision, text(asked, "reason", "on-demand"), within, rooms) if within else None
    found = await asyncio.gather(*(_check_release(release, rooms) for release in stored.plan.releases))
    products = [item.snapshot.product for item in found if item.snapshot]
    storages = tuple(storage for item in found for storage in item.storages)
    decision = decide_pause(stored.plan, products, storages)
    results = await _all_checks(stored.plan, decision, found, rooms)
    ok = not any(result.status is CheckStatus.FAILED for result in results)
    answer: Answer = {"plan": stored.plan.name, "revision": stored.revision, "ok": ok, "pause": to_record(decision)}
    if run is None:
        return answer | {"checks": to_record(results)}
    plan = await _with_tables(stored.plan, storages, rooms) if ok else stored.plan
    evidence.save(rooms.catalog, run.id, evidence.PLAN, plan)
    evidence.save(rooms.catalog, run.id, evidence.STORAGE, storages)
    evidence.save(rooms.catalog, run.id, evidence.CHECKS, results)
    worst_first = sorted(results, key=lambda result: list(CheckStatus)[::-1].index(result.status))
    rooms.catalog.save_run(replace(run, pause=decision, checks=tuple(worst_first[:CHECKS_IN_RECORD])))
    return answer | {"run": run.id}


async def _with_tables(plan: Plan, storages: tuple[ReleaseStorage, ...], rooms: Rooms) -> Plan:
    """The plan as this run uses it: every table by its name, so that one which disappears during the run is missed."""
    named = await asyncio.gather(
        *(asyncio.to_thread(rooms.database(item).with_tables, item, storages) for item in plan.databases)
    )
    return replace(plan, databases=tuple(named))


def _create_run(plan: Plan, revision: int, reason: str, within: Execution, rooms: Rooms) -> Run:
    return rooms.catalog.create_run(
        Run(
            id=run_id(plan.name, within.id, within.started_at),
            plan=plan.name,
            plan_revision=revision,
            reason=reason,
            execution=within.id,
            started_at=within.started_at,
            step="check",
        )
    )


class _Found(NamedTuple):
    """What was seen of one release. Without a snapshot the results say why."""

    results: tuple[CheckResult, ...]
    snapshot: ReleaseSnapshot | None = None
    storages: tuple[ReleaseStorage, ...] = ()


async def _all_checks(plan: Plan, decision: PauseDecision, found: Sequence[_Found], rooms: Rooms) -> tuple[CheckResult, ...]:
    """The plan as a whole; then the pods of all releases and all databases at once."""
    storages = tuple(storage for item in found for storage in item.storages)
    snapshots = [item.snapshot for item in found if item.snapshot]
    results = [result for item in found for result in item.results]
    results += check_coverage(plan, storages)
    results += check_drift(evidence.endpoint_changes(rooms.catalog, plan.name), storages)
    databases = asyncio.gather(*(_check_database(database, storages, rooms) for database in plan.databases))
    if len(snapshots) == len(plan.releases):
        results += _check_together(plan, decision, snapshots, storages)
    if decision.needed:
        results += name_pausing_runs(await _check_admin_ports(plan, snapshots, rooms), rooms.catalog)
    for checked in await databases:
        results += checked
    return tuple(results)


def _check_together(
    plan: Plan, decision: PauseDecision, snapshots: Sequence[ReleaseSnapshot], storages: Sequence[ReleaseStorage]
) -> tuple[CheckResult, ...]:
    """What only all releases together show: whether one is missing, and whether pausing them in turn can take too long."""
    products = [snapshot.product for snapshot in snapshots]
    results = (*check_group(products, storages), *check_overlap(snapshots))
    count = stage_count(products)
    needed = longest_seconds(plan.pause, count) + RESUME_RESERVE_SECONDS
    if decision.needed and needed > plan.pause.max_pause_seconds:
        detail = f"the releases are paused in {count} stages, each with its own drain: up to {needed:.0f} s with the hold."
        hint = f"Raise pause.max_pause above {needed:.0f} s, or lower pause.drain."
        results += (failed("pause-fits", "pause.max_pause", detail, hint),)
    return results


async def _check_admin_ports(plan: Plan, snapshots: Sequence[ReleaseSnapshot], rooms: Rooms) -> list[CheckResult]:
    """The way to the pods of each release, and whether they answer by it."""
    chosen = await asyncio.gather(
        *(
            rooms.admin.choose_transport(snapshot.release.key, snapshot.targets, plan.pause.transport)
            for snapshot in snapshots
            if snapshot.targets
        )
    )
    reachable = await rooms.admin.check_reachable([target for targets, _ in chosen for target in targets])
    return [*(result for _, result in chosen), *reachable]


async def _check_release(release: Release, rooms: Rooms) -> _Found:
    """What the properties say is asked also when the pods could not be seen: the databases can then be checked all the same."""
    snapshot: ReleaseSnapshot | None = None
    try:
        (snapshot,) = await asyncio.to_thread(rooms.releases.observe, [release])
        results = (passed("release-found", release.key, _described(snapshot)), *_check_pods(snapshot))
    except BackupError as error:
        results = (failed("release-found", release.key, error.message, error.hint),)
    if release.is_participant:
        return _Found(results, snapshot)  # it has no properties file that this product knows
    try:
        return _Found(results, snapshot, await asyncio.to_thread(rooms.releases.storage, [release]))
    except BackupError as error:
        unread = failed("properties-read", release.key, error.message, error.hint)
        return _Found((*results, unread) if snapshot else results, snapshot)


def _described(snapshot: ReleaseSnapshot) -> str:
    if snapshot.deployment:
        return f"{snapshot.product}, Deployment {snapshot.deployment.name}"
    return f"{snapshot.product}, pods with {snapshot.release.selector}"


def _check_pods(snapshot: ReleaseSnapshot) -> list[CheckResult]:
    key = snapshot.release.key
    if problems := unfit(snapshot):
        hint = "Wait until the Deployment is complete and every pod is Running and Ready, then try again."
        return [failed("pods-ready", key, problem.detail + ".", hint) for problem in problems]
    return [passed("pods-ready", key, f"{len(snapshot.pods)} pods Running and Ready")]


async def _check_database(database: Database, storages: tuple[ReleaseStorage, ...], rooms: Rooms) -> tuple[CheckResult, ...]:
    try:
        return await asyncio.to_thread(rooms.database(database).check, database, storages)
    except BackupError as error:
        return (failed("database-reachable", database.key, error.message, error.hint),)
