"""What all calls of one restore of a DB instance know: the order, the moment, the way to the service; how progress is told."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared.databases.rds import tags
from shared.databases.rds.calls import Calls
from shared.databases.rds.inventory import STUCK, Instance
from shared.databases.rds.names import old_name, side_name
from shared.databases.rds.waiting import wait_seconds
from shared.model.errors import NotReady
from shared.model.instance_settings import InstanceSettings
from shared.model.plan import CutOver, RdsInstance
from shared.model.records import from_record, to_record
from shared.model.restore import DatabaseRestore, EndpointMove, ItemRestore, RestoreOrder, RestoreStage, Target
from shared.model.times import iso

UNTOUCHED = "Nothing live was touched."


@dataclass(frozen=True)
class Work:
    """`now` is taken once, so that all parts of a call agree about it."""

    order: RestoreOrder
    database: RdsInstance
    now: datetime
    calls: Calls

    @property
    def name(self) -> str:
        """The live identifier."""
        return self.database.instance.lower()

    @property
    def side(self) -> str:
        return side_name(self.name, self.order.stamp)

    @property
    def old(self) -> str:
        return old_name(self.name, self.order.stamp)

    @property
    def renames(self) -> bool:
        return self.database.cut_over is CutOver.IDENTIFIER and self.order.target is Target.IN_PLACE

    @property
    def marks(self) -> dict[str, str]:
        """The tags by which what this restore made is known again."""
        return {tags.RUN: self.order.run, **({tags.POINT: iso(self.order.at)} if self.order.at else {})}

    def is_ours(self, instance: Instance) -> bool:
        """Made by this restore, for this database: the same run marks the copies of the plan's other instances, too."""
        names = (self.side, self.name, self.old)
        return instance.identifier in names and instance.tags.get(tags.RUN) == self.order.run

    def item(self, previous: DatabaseRestore | None) -> ItemRestore:
        """What is remembered of this restore; of another one nothing."""
        if previous is None or previous.stamp != self.order.stamp or not previous.items:
            return ItemRestore(name=self.name, phase="waiting", since=self.now)
        return previous.items[0]

    def progress(
        self,
        stage: RestoreStage,
        item: ItemRestore,
        previous: DatabaseRestore | None,
        message: str,
        **more: Any,
    ) -> DatabaseRestore:
        """`more`: `done`, `changed_live`, `endpoints`."""
        same = previous if previous is not None and previous.stamp == self.order.stamp else None
        done = bool(more.get("done"))
        return DatabaseRestore(
            database=self.database.key,
            stage=stage,
            stamp=self.order.stamp,
            at=self.order.at,
            items=(item,),
            endpoints=more.get("endpoints", same.endpoints if same else ()),
            done=done,
            wait_seconds=0.0 if done else wait_seconds(item.since, self.now),
            message=message,
            began_at=same.began_at if same else self.now,
            changed_live=more.get("changed_live", same.changed_live if same else False),
        )


def settings_of(record: Any) -> InstanceSettings | None:
    return from_record(record, InstanceSettings) if record else None


def record_of(settings: InstanceSettings | None) -> Any:
    return to_record(settings) if settings else {}


def refuse_stuck(instance: Instance, consequence: str) -> None:
    """Raises NotReady when it is in a state that does not end by itself."""
    if instance.status in STUCK:
        raise NotReady(
            f"DB instance {instance.identifier} is {instance.status}. {consequence}",
            hint="Look at its events in the RDS console and bring it to available; then go on.",
        )


def move_from(old: InstanceSettings, new: Instance) -> EndpointMove:
    return EndpointMove(old=old.endpoint, new=new.host, old_port=old.port, new_port=new.port)
