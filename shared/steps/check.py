"""Is everything fit for a backup, and does it need a pause? Named checks with hints; nothing is changed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from shared.model.checks import CheckResult, CheckStatus, failed, passed
from shared.model.coverage import check_coverage
from shared.model.endpoint_change import check_drift
from shared.model.errors import BackupError
from shared.model.pause_decision import PauseDecision, decide_pause
from shared.model.plan import Database, Plan, Release
from shared.model.pods import AdminTarget, unfit
from shared.model.records import replace, to_record
from shared.model.run import Run, run_id
from shared.model.storage import ReleaseStorage
from shared.steps import evidence
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
    decision = decide_pause(stored.plan)
    results, storages = await _all_checks(stored.plan, decision, rooms)
    ok = not any(result.status is CheckStatus.FAILED for result in results)
    answer: Answer = {"plan": stored.plan.name, "revision": stored.revision, "ok": ok, "pause": to_record(decision)}
    if run is None:
        return answer | {"checks": to_record(results)}
    evidence.save(rooms.catalog, run.id, evidence.PLAN, stored.plan)
    evidence.save(rooms.catalog, run.id, evidence.STORAGE, storages)
    evidence.save(rooms.catalog, run.id, evidence.CHECKS, results)
    worst_first = sorted(results, key=lambda result: list(CheckStatus)[::-1].index(result.status))
    rooms.catalog.save_run(replace(run, pause=decision, checks=tuple(worst_first[:CHECKS_IN_RECORD])))
    return answer | {"run": run.id}


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


async def _all_checks(
    plan: Plan, decision: PauseDecision, rooms: Rooms
) -> tuple[tuple[CheckResult, ...], tuple[ReleaseStorage, ...]]:
    """Releases at once; then their pods and all databases at once."""
    observed = await asyncio.gather(*(_check_release(release, rooms) for release in plan.releases))
    results = [result for found, _, _ in observed for result in found]
    storages = tuple(storage for _, _, found in observed for storage in found)
    results += check_coverage(plan, storages)
    results += check_drift(evidence.endpoint_changes(rooms.catalog, plan.name), storages)
    databases = asyncio.gather(*(_check_database(database, storages, rooms) for database in plan.databases))
    if decision.needed:
        results += await _check_admin_ports(plan, [targets for _, targets, _ in observed], rooms)
    for found in await databases:
        results += found
    return tuple(results), storages


async def _check_admin_ports(
    plan: Plan, targets_by_release: Sequence[Sequence[AdminTarget]], rooms: Rooms
) -> list[CheckResult]:
    """The way to the pods of each release, and whether they answer by it."""
    chosen = await asyncio.gather(
        *(
            rooms.admin.choose_transport(release.key, targets, plan.pause.transport)
            for release, targets in zip(plan.releases, targets_by_release, strict=True)
            if targets
        )
    )
    reachable = await rooms.admin.check_reachable([target for targets, _ in chosen for target in targets])
    return [*(result for _, result in chosen), *reachable]


async def _check_release(
    release: Release, rooms: Rooms
) -> tuple[list[CheckResult], tuple[AdminTarget, ...], tuple[ReleaseStorage, ...]]:
    try:
        (snapshot,) = await asyncio.to_thread(rooms.releases.observe, [release])
    except BackupError as error:
        return [failed("release-found", release.key, error.message, error.hint)], (), ()
    workload = f"Deployment {snapshot.deployment.name}" if snapshot.deployment else f"pods with {release.selector}"
    results = [passed("release-found", release.key, f"{snapshot.product}, {workload}")]
    problems = unfit(snapshot)
    if problems:
        hint = "Wait until the Deployment is complete and every pod is Running and Ready, then try again."
        results += [failed("pods-ready", release.key, problem.detail + ".", hint) for problem in problems]
    else:
        results.append(passed("pods-ready", release.key, f"{len(snapshot.pods)} pods Running and Ready"))
    try:
        storages = await asyncio.to_thread(rooms.releases.storage, [release])
    except BackupError as error:
        return [*results, failed("properties-read", release.key, error.message, error.hint)], snapshot.targets, ()
    return results, snapshot.targets, storages


async def _check_database(database: Database, storages: tuple[ReleaseStorage, ...], rooms: Rooms) -> tuple[CheckResult, ...]:
    try:
        return await asyncio.to_thread(rooms.database(database).check, database, storages)
    except BackupError as error:
        return (failed("database-reachable", database.key, error.message, error.hint),)
