"""What one call of a restore of a cluster works with, and how its answer is put together."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from shared.databases.rds.calls import Calls
from shared.databases.rds.cluster_kind import Kind
from shared.databases.rds.cluster_scene import Scene, look
from shared.databases.rds.cluster_source import cluster_of, name_of
from shared.databases.rds.names import is_side_of, old_name, side_name
from shared.databases.rds.waiting import wait_seconds
from shared.model.errors import Conflict, NotReady
from shared.model.naming import listed
from shared.model.plan import CutOver
from shared.model.records import replace
from shared.model.restore import DatabaseRestore, EndpointMove, ItemRestore, RestoreOrder, RestoreStage

SETTLE_SECONDS = 3600.0
"""Longest time for changed settings to show; what still differs then cannot be put right from here."""
STUCK = frozenset(
    {
        "cloning-failed",
        "failed",
        "inaccessible-encryption-credentials",
        "inaccessible-encryption-credentials-recoverable",
        "incompatible-network",
        "incompatible-option-group",
        "incompatible-parameters",
        "incompatible-restore",
        "insufficient-capacity",
        "migration-failed",
        "restore-error",
        "stopped",
        "stopping",
        "storage-full",
    }
)
"""States of clusters and instances that do not end by themselves (Aurora user guide, Viewing DB cluster status)."""


@dataclass(frozen=True)
class Work:
    """One call: the world is looked at once, at its beginning."""

    order: RestoreOrder
    kind: Kind
    now: datetime
    scene: Scene
    calls: Calls

    @property
    def name(self) -> str:
        return name_of(self.order)

    @property
    def subject(self) -> str:
        return f"{self.kind.word} {self.name}"

    def side(self, identifier: str) -> str:
        return side_name(identifier, self.order.stamp)

    def aside(self, identifier: str) -> str:
        return old_name(identifier, self.order.stamp)

    @property
    def leads_to_endpoint(self) -> bool:
        """Whether the cut-over renames nothing."""
        return cluster_of(self.order).cut_over is CutOver.ENDPOINT


def begin_work(order: RestoreOrder, kind: Kind, now: datetime, calls: Calls) -> Work:
    return Work(order, kind, now, look(calls), calls)


def remembered(order: RestoreOrder, previous: DatabaseRestore | None) -> ItemRestore | None:
    """The cluster's item from the last call of the same restore."""
    if previous is None or previous.stamp != order.stamp or previous.database != order.database.key or not previous.items:
        return None
    return previous.items[0]


def under_way(
    work: Work,
    previous: DatabaseRestore | None,
    item: ItemRestore,
    stage: RestoreStage,
    message: str,
) -> DatabaseRestore:
    """Come back later; the pause grows with the time the phase has taken, so that hours do not fill the engine's history."""
    known = _known(work, previous)
    return replace(
        known,
        stage=stage,
        items=(item,),
        done=False,
        wait_seconds=wait_seconds(item.since, work.now),
        message=message,
    )


def finished(
    work: Work,
    previous: DatabaseRestore | None,
    item: ItemRestore,
    stage: RestoreStage,
    message: str,
    endpoints: tuple[EndpointMove, ...] = (),
) -> DatabaseRestore:
    known = _known(work, previous)
    return replace(
        known,
        stage=stage,
        items=(replace(item, done=True, differences=()),),
        endpoints=endpoints,
        done=True,
        wait_seconds=0.0,
        message=message,
    )


def _known(work: Work, previous: DatabaseRestore | None) -> DatabaseRestore:
    if previous is not None and previous.stamp == work.order.stamp and previous.database == work.order.database.key:
        return previous
    return DatabaseRestore(
        database=work.order.database.key,
        stage=RestoreStage.PREPARING,
        stamp=work.order.stamp,
        at=work.order.at,
        began_at=work.now,
    )


def require_alive(what: str, status: str, advice: str) -> None:
    """Raises NotReady for a state that does not end by itself."""
    if status in STUCK:
        raise NotReady(f"{what} is in state {status}, which does not end by itself.", hint=advice)
    if status == "deleting":
        raise Conflict(
            f"{what} is being deleted by somebody.", hint="Find out who does it; this restore cannot go on without it."
        )


def require_settling(item: ItemRestore, now: datetime, found: tuple[str, ...], advice: str) -> None:
    """Raises NotReady when settings differ for longer than any change takes."""
    if item.since is not None and (now - item.since).total_seconds() > SETTLE_SECONDS:
        raise NotReady(f"{item.side or item.name} does not get its settings: {listed(found, '; ')}.", hint=advice)


def rivals_of(work: Work) -> list[str]:
    """Copies of the same cluster that another run is making. The lease keeps apart only the runs of one plan."""
    return [
        f"{name} is {cluster['Status']}"
        for name, cluster in work.scene.clusters()
        if is_side_of(name, work.name)
        and name != work.side(work.name)
        and cluster["Status"] in ("creating", "modifying", "renaming")
    ]
