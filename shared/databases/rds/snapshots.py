"""The snapshots that the plan's `snapshot: true` asks for inside the pause window: begun, proven, kept, and removed when the
run that asked for them has failed. The same for DB instances and for DB clusters."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from shared.databases.rds import tags
from shared.databases.rds.calls import Calls
from shared.databases.rds.errors import BUSY, GONE, TAKEN, aws_code, none_if_gone
from shared.databases.rds.names import is_our_snapshot, snapshot_name
from shared.model.errors import BackupError
from shared.model.protection import WindowSnapshot
from shared.model.times import iso

LEFT_OVER_AFTER = timedelta(hours=24)
"""Younger ones may belong to a run that is still at work, also one of another deployment in this account."""
NEAR = timedelta(hours=1)
"""A run's snapshots and its point are minutes apart."""
CLOCK_SLACK = timedelta(seconds=1)
"""Between the function's clock, which notes when a snapshot was asked for, and the service's."""


@dataclass(frozen=True)
class SnapshotKind:
    """How the API calls the snapshots of instances, or of clusters: boto3's methods, and the fields of their answers."""

    create: str
    describe: str
    delete: str
    answer: str
    answers: str
    identifier: str
    arn: str
    source: str
    source_resource_id: str


OF_INSTANCE = SnapshotKind(
    create="create_db_snapshot",
    describe="describe_db_snapshots",
    delete="delete_db_snapshot",
    answer="DBSnapshot",
    answers="DBSnapshots",
    identifier="DBSnapshotIdentifier",
    arn="DBSnapshotArn",
    source="DBInstanceIdentifier",
    source_resource_id="DbiResourceId",
)
OF_CLUSTER = SnapshotKind(
    create="create_db_cluster_snapshot",
    describe="describe_db_cluster_snapshots",
    delete="delete_db_cluster_snapshot",
    answer="DBClusterSnapshot",
    answers="DBClusterSnapshots",
    identifier="DBClusterSnapshotIdentifier",
    arn="DBClusterSnapshotArn",
    source="DBClusterIdentifier",
    source_resource_id="DbClusterResourceId",
)


@dataclass(frozen=True)
class Snapshot:
    """One manual snapshot. `taken_at` is SnapshotCreateTime, None until the service states it; `asked_at` is our own note."""

    identifier: str
    arn: str
    status: str
    source: str
    source_resource_id: str
    taken_at: datetime | None
    asked_at: datetime | None
    kept_for: str
    percent: float | None
    allocated_gib: int | None

    @property
    def is_available(self) -> bool:
        return self.status == "available"

    def is_proven_for(self, point: datetime) -> bool:
        """Was it certainly taken inside the pause window that the point is the middle of?

        It was asked for inside the window, at t. The point is the second nearest the middle of the window, so that the window
        lasted at least until as long after the point as t lies before it, less the second by which a point is rounded.
        """
        if self.taken_at is None or self.asked_at is None:
            return False
        lasted_until = point + (point - self.asked_at) - CLOCK_SLACK
        return self.asked_at - CLOCK_SLACK <= self.taken_at <= max(lasted_until, point + CLOCK_SLACK)


def begin(
    kind: SnapshotKind, source: str, database: str, run: str, attempt: int, now: datetime, calls: Calls
) -> WindowSnapshot:
    """Asks for the snapshot of `source`, an identifier. Never raises: pods are paused meanwhile, and the point can rest on the
    automated backups alone; `problem` says what went wrong."""
    name = snapshot_name(run, attempt, source)
    own = {tags.RUN: run, tags.ASKED_AT: iso(now)}
    try:
        answer = calls.rds(kind.create, name, **{kind.identifier: name, kind.source: source, "Tags": tags.as_list(own)})
        begun = _snapshot(kind, answer[kind.answer])
    except BackupError as error:
        return _begun_before(kind, name, database, error, calls)
    return WindowSnapshot(database=database, arn=begun.arn, asked_at=now)


def _begun_before(kind: SnapshotKind, name: str, database: str, refusal: BackupError, calls: Calls) -> WindowSnapshot:
    """An earlier call for the same attempt may have asked for it: then the name is taken, or the source is busy with it."""
    if aws_code(refusal) not in TAKEN | BUSY:
        return WindowSnapshot(database=database, problem=refusal.message)
    try:
        found = find(kind, name, calls)
    except BackupError as error:
        return WindowSnapshot(database=database, problem=error.message)
    if found is None:
        return WindowSnapshot(database=database, problem=refusal.message)
    return WindowSnapshot(database=database, arn=found.arn, asked_at=found.asked_at)


def find(kind: SnapshotKind, name_or_arn: str, calls: Calls) -> Snapshot | None:
    """None when it does not exist (any more). Raises Unreachable, Throttled, Forbidden."""
    name = name_or_arn.rpartition(":")[2]
    found = none_if_gone(lambda: calls.rds_list(kind.describe, kind.answers, name, **{kind.identifier: name}))
    return _snapshot(kind, found[0]) if found else None


def keep(snapshot: Snapshot, point: datetime, calls: Calls) -> None:
    """Marks it as the kept copy of a point, so that no clean-up ever takes it. Raises as `Calls.rds`."""
    if snapshot.kept_for != iso(point):
        marks = tags.as_list({tags.POINT: iso(point)})
        calls.rds("add_tags_to_resource", snapshot.identifier, ResourceName=snapshot.arn, Tags=marks)


def left_over(
    kind: SnapshotKind, source: str, now: datetime, in_use: frozenset[datetime], calls: Calls
) -> tuple[Snapshot, ...]:
    """Those of `source` that no point is kept by, older than a day, and of no run that is still protecting a point."""
    listed = calls.rds_list(kind.describe, kind.answers, source, **{kind.source: source, "SnapshotType": "manual"})
    ours = (_snapshot(kind, one) for one in listed if is_our_snapshot(one[kind.identifier]))
    return tuple(one for one in ours if not one.kept_for and _is_old(one, now) and not _is_near(one, in_use))


def remove_left_over(
    kind: SnapshotKind, source: str, now: datetime, in_use: frozenset[datetime], calls: Calls
) -> tuple[str, ...]:
    """Deletes them and answers with their names. One that cannot be deleted now is left to a later call.

    Raises:
        Unreachable, Throttled, Forbidden: they cannot be listed, or may not be deleted.
    """
    removed = []
    for snapshot in left_over(kind, source, now, in_use, calls):
        try:
            calls.rds(kind.delete, snapshot.identifier, **{kind.identifier: snapshot.identifier})
        except BackupError as error:
            if aws_code(error) not in GONE | BUSY:
                raise
            continue
        removed.append(snapshot.identifier)
    return tuple(removed)


def _is_old(snapshot: Snapshot, now: datetime) -> bool:
    """One that says neither when it was asked for nor when it was taken was not made by us, or is being made."""
    begun = snapshot.asked_at or snapshot.taken_at
    return begun is not None and now - begun > LEFT_OVER_AFTER


def _is_near(snapshot: Snapshot, points: frozenset[datetime]) -> bool:
    begun = snapshot.asked_at or snapshot.taken_at
    return begun is not None and any(abs(point - begun) < NEAR for point in points)


def _snapshot(kind: SnapshotKind, found: dict[str, Any]) -> Snapshot:
    marks = tags.as_mapping(found.get("TagList", []))
    return Snapshot(
        identifier=found[kind.identifier],
        arn=found[kind.arn],
        status=found.get("Status", ""),
        source=found.get(kind.source, ""),
        source_resource_id=found.get(kind.source_resource_id, ""),
        taken_at=found.get("SnapshotCreateTime"),
        asked_at=_instant(marks.get(tags.ASKED_AT, "")),
        kept_for=marks.get(tags.POINT, ""),
        percent=found.get("PercentProgress"),
        allocated_gib=found.get("AllocatedStorage"),
    )


def _instant(text: str) -> datetime | None:
    """A tag that somebody has changed is as good as none."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else None
