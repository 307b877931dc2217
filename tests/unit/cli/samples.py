"""Values for the command line's tests: one plan, its run with two windows, its restore point, and the evidence behind it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from shared.catalog.memory import MemoryCatalog
from shared.model.clock import ClockBounds
from shared.model.journal import JournalRelease, PauseJournal
from shared.model.pause_decision import decide_pause
from shared.model.plan import Plan
from shared.model.plan_document import EXAMPLE, parse_plan
from shared.model.pods import AdminTarget, DeploymentState, PodState, ReleaseSnapshot, WatchReport
from shared.model.protection import DatabaseProtection, ItemPhase, ItemProtection
from shared.model.records import to_record
from shared.model.restore_point import PauseWindow, PointPhase, RestorePoint
from shared.model.run import (
    Acknowledgement,
    Attempt,
    AttemptStatus,
    CaptureEvidence,
    Cause,
    PausedSample,
    PauseEvidence,
    Resumed,
    ResumeEvidence,
    Run,
    RunStatus,
    run_id,
)
from shared.model.times import iso
from shared.model.window import NotedTime, safe_window

PLAN: Plan = parse_plan(EXAMPLE)
EXECUTION = "arn:aws:states:ap-northeast-1:123456789012:execution:scalar-backup:orders-prod-by-hand-1"
BEGAN = datetime(2026, 11, 24, 3, 0, 0, tzinfo=UTC)
RUN_ID = run_id("orders-prod", EXECUTION, BEGAN)
DATABASE = "dynamodb:ap-northeast-1"
PODS = tuple(f"orders-scalardb-cluster-node-6d5f9c7b8-{suffix}" for suffix in ("2x8kq", "7hn4w", "zt6vd"))
RELEASE = PLAN.releases[0]


def after(seconds: float) -> datetime:
    """That long after the run began."""
    return BEGAN + timedelta(seconds=seconds)


def targets(pods: tuple[str, ...] = PODS) -> tuple[AdminTarget, ...]:
    return tuple(
        AdminTarget(pod=pod, uid=f"uid-{number}", host=f"10.0.0.{number}", port=60053, port_source="default")
        for number, pod in enumerate(pods, start=1)
    )


def snapshot(at: datetime, pods: tuple[str, ...] = PODS) -> ReleaseSnapshot:
    found = tuple(
        PodState(name=item.pod, uid=item.uid, ip=item.host, node="node-1", phase="Running", ready=True)
        for item in targets(pods)
    )
    deployment = DeploymentState(
        name="orders-scalardb-cluster-node", uid="d", generation=1, observed_generation=1, replicas=len(pods),
        updated_replicas=len(pods), ready_replicas=len(pods), spec_digest="abc",
    )  # fmt: skip
    return ReleaseSnapshot(
        release=RELEASE, product="ScalarDB Cluster", deployment=deployment, pods=found, targets=targets(pods),
        resource_version="100", taken_at=at,
    )  # fmt: skip


def journal(run: str = RUN_ID, *, attempt: int = 1, not_ours: tuple[str, ...] = ()) -> PauseJournal:
    release = JournalRelease(
        key=RELEASE.key, cluster=RELEASE.cluster, namespace=RELEASE.namespace, helm_release=RELEASE.helm_release,
        product="ScalarDB Cluster", targets=targets(),
    )  # fmt: skip
    return PauseJournal(
        plan="orders-prod", run=run, attempt=attempt, token=1, opened_at=after(20), resume_by=after(200), releases=(release,),
        not_ours=not_ours,
    )  # fmt: skip


def clocks(at: datetime) -> dict[str, ClockBounds]:
    return {DATABASE: ClockBounds(lower_seconds=-0.012, upper_seconds=0.031, measured_at=at, samples=21)}


CONFIRMED = NotedTime(at=after(21.4), process="p1", clocks=clocks(after(19)))
BEGUN = NotedTime(at=after(31.9), process="p1", clocks=clocks(after(19)))
SAMPLES = tuple(PausedSample(asked_at=after(21.6 + number), paused=len(PODS)) for number in range(10))
SAFE = safe_window(CONFIRMED, BEGUN, [DATABASE], timedelta(seconds=PLAN.pause.margin_seconds))


if SAFE.point is None:
    raise AssertionError("the sample window is too short")
AT = iso(SAFE.point)


def pause_evidence(pods: tuple[str, ...] = PODS) -> PauseEvidence:
    return PauseEvidence(
        process="p1", first_sent_at=after(20), confirmed=CONFIRMED,
        acknowledgements=tuple(
            Acknowledgement(pod=pod, outcome="paused", answered_ms=180.0 + 1150 * number / len(pods))
            for number, pod in enumerate(pods)
        ),
    )  # fmt: skip


def capture_evidence() -> CaptureEvidence:
    return CaptureEvidence(
        process="p1",
        samples=SAMPLES,
        watch=WatchReport(events=(), positions={}),
        clocks=clocks(after(19)),
        ended_at=after(31.6),
    )


def resume_evidence(pods: tuple[str, ...] = PODS) -> ResumeEvidence:
    return ResumeEvidence(
        process="p1", begun=BEGUN, sample=PausedSample(asked_at=after(31.91), paused=len(pods)),
        pods=tuple(Resumed(pod=pod, tries=1, answered_ms=40.0 + number) for number, pod in enumerate(pods)),
        finished_at=after(32.1), watch=WatchReport(events=(), positions={}),
    )  # fmt: skip


def protection(*phases: ItemPhase, done: bool = True) -> DatabaseProtection:
    items = tuple(
        ItemProtection(name=f"bank.t{number}", phase=phase, backup_arn=f"arn:backup/{number}", size_bytes=1000)
        for number, phase in enumerate(phases, start=1)
    )
    return DatabaseProtection(database=DATABASE, point=after(27), items=items, done=done)


INVALID_CAUSE = Cause(
    code="container-restarted", message="container scalardb of pod a restarted", hint="The window is tried again."
)


def run(status: RunStatus = RunStatus.SUCCEEDED) -> Run:
    """The second window was proven; in a failed run it was not."""
    failed = status is RunStatus.FAILED
    first = Attempt(number=1, status=AttemptStatus.INVALID, started_at=after(2), cause=INVALID_CAUSE)
    second = Attempt(
        number=2, status=AttemptStatus.INVALID if failed else AttemptStatus.VALID, started_at=after(18), resume_by=after(200),
        paused_at=CONFIRMED.at, hold_until=after(31.4), resumed_at=after(32.1), pods=3,
        point=None if failed else SAFE.point, cause=INVALID_CAUSE if failed else None,
    )  # fmt: skip
    return Run(
        id=RUN_ID, plan="orders-prod", plan_revision=1, reason="pre-upgrade", execution=EXECUTION, started_at=BEGAN,
        status=status, step="publish", token=1, pause=decide_pause(PLAN), attempts=(first, second),
        point=None if failed else RUN_ID, ended_at=after(95), cause=INVALID_CAUSE if failed else None,
    )  # fmt: skip


def point(phase: PointPhase = PointPhase.AVAILABLE) -> RestorePoint:
    if phase is PointPhase.INVALID:
        return RestorePoint(
            id=RUN_ID, plan="orders-prod", plan_revision=1, at=None, phase=phase, reason="pre-upgrade", created_at=after(40),
            pause=decide_pause(PLAN), cause=INVALID_CAUSE,
        )  # fmt: skip
    interval = SAFE.by_database[DATABASE]
    if interval is None or SAFE.common is None:
        raise AssertionError("the sample window is not safe")
    window = PauseWindow(
        attempt=2, confirmed_at=CONFIRMED.at, resume_began_at=BEGUN.at, pods=3, stagger_seconds=1.4,
        safe_by_database={DATABASE: interval}, safe=SAFE.common,
    )  # fmt: skip
    return RestorePoint(
        id=RUN_ID, plan="orders-prod", plan_revision=1, at=SAFE.point, phase=phase, reason="pre-upgrade", created_at=after(33),
        pause=decide_pause(PLAN), window=window, databases={DATABASE: protection(ItemPhase.KEPT, ItemPhase.KEPT)},
        available_at=after(95),
    )  # fmt: skip


def catalog(phase: PointPhase = PointPhase.AVAILABLE) -> MemoryCatalog:
    """The plan, the run, its point and its evidence."""
    filled = MemoryCatalog()
    filled.put_plan(PLAN, BEGAN)
    filled.create_run(run(RunStatus.FAILED if phase is PointPhase.INVALID else RunStatus.SUCCEEDED))
    filled.put_point(point(phase))
    parts = {"before": (snapshot(after(19)),), "pause": pause_evidence(), "capture": capture_evidence()}
    parts |= {"resume": resume_evidence(), "after": (snapshot(after(33)),)}
    for name, value in parts.items():
        filled.put_document(RUN_ID, f"attempt/2/{name}", to_record(value))
    return filled
