"""Builders of plans, runs, points and journals for the catalog's contract."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from shared.model.journal import JournalRelease, PauseJournal
from shared.model.plan import DynamoDb, EksCluster, Plan, Release
from shared.model.pods import AdminTarget
from shared.model.restore_point import PointPhase, RestorePoint
from shared.model.run import Run, run_id

NOW = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
PLAN = "orders-prod"


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def a_plan(name: str = PLAN, region: str = "ap-northeast-1", tables: tuple[str, ...] = ()) -> Plan:
    cluster = EksCluster(name="prod", region=region)
    release = Release(cluster=cluster, namespace="scalar", helm_release="orders")
    return Plan(name=name, releases=(release,), databases=(DynamoDb(region=region, tables=tables),))


def an_id(number: int, plan: str = PLAN) -> str:
    return run_id(plan, f"execution-{number}", later(60 * number))


def a_run(number: int = 1, plan: str = PLAN, token: int = 0, reason: str = "schedule") -> Run:
    started_at, execution = later(60 * number), f"execution-{number}"
    return Run(
        id=an_id(number, plan),
        plan=plan,
        plan_revision=1,
        reason=reason,
        execution=execution,
        started_at=started_at,
        token=token,
    )


def a_point(
    number: int = 1, phase: PointPhase = PointPhase.AVAILABLE, plan: str = PLAN, reason: str = "schedule"
) -> RestorePoint:
    at = None if phase is PointPhase.INVALID else later(60 * number + 10)
    return RestorePoint(
        id=an_id(number, plan), plan=plan, plan_revision=1, at=at, phase=phase, reason=reason, created_at=later(60 * number)
    )


def a_journal(
    run: str,
    token: int = 1,
    *,
    plan: str = PLAN,
    attempt: int = 1,
    releases: tuple[str, ...] = ("orders",),
    region: str = "ap-northeast-1",
    pods: int = 3,
) -> PauseJournal:
    cluster = EksCluster(name="prod", region=region)
    return PauseJournal(
        plan=plan,
        run=run,
        attempt=attempt,
        token=token,
        opened_at=NOW,
        resume_by=later(180),
        releases=tuple(
            JournalRelease(
                key=f"{region}/prod/scalar/{name}",
                cluster=cluster,
                namespace="scalar",
                helm_release=name,
                product="scalardb-cluster",
                targets=tuple(a_target(f"{name}-{number}") for number in range(pods)),
            )
            for name in releases
        ),
    )


def a_target(pod: str) -> AdminTarget:
    return AdminTarget(pod=pod, uid=f"uid-of-{pod}", host="10.0.0.1", port=60053, port_source="container port")
