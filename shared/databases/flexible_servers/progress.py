"""What all calls of one restore of a server know: the order, the moment, the way to the service; how progress is told."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from shared.databases.flexible_servers import names
from shared.databases.flexible_servers.servers import POINT, RUN, STUCK, Server, Servers
from shared.model.errors import NotReady
from shared.model.plan import FlexibleServer
from shared.model.records import from_record, to_record
from shared.model.restore import DatabaseRestore, EndpointMove, ItemRestore, RestoreOrder, RestoreStage
from shared.model.server_settings import ServerSettings
from shared.model.times import iso

UNTOUCHED = "Nothing live was touched."
SOONEST_SECONDS, LATEST_SECONDS, PATIENCE = 1.0, 60.0, 5
"""A thing that has taken n seconds is looked at again after n / 5; hours of restoring stay a short history."""


@dataclass(frozen=True)
class Work:
    """`now` is taken once, so that all parts of a call agree about it. `log_delay` is how far the logs may be behind."""

    order: RestoreOrder
    database: FlexibleServer
    now: datetime
    servers: Servers
    log_delay: timedelta

    @property
    def name(self) -> str:
        return self.database.server

    @property
    def side(self) -> str:
        return names.side_name(self.name, self.order.stamp)

    @property
    def marks(self) -> dict[str, str]:
        """The tags by which what this restore made is known again."""
        return {RUN: self.order.run, **({POINT: iso(self.order.at)} if self.order.at else {})}

    def item(self, previous: DatabaseRestore | None) -> ItemRestore:
        """What is remembered of this restore; of another one nothing."""
        if previous is None or previous.stamp != self.order.stamp or not previous.items:
            return ItemRestore(name=self.name, phase="waiting", since=self.now)
        return previous.items[0]

    def progress(
        self, stage: RestoreStage, item: ItemRestore, previous: DatabaseRestore | None, message: str, **more: Any
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


def wait_seconds(since: datetime | None, now: datetime) -> float:
    lasted = (now - since).total_seconds() if since else 0.0
    return min(LATEST_SECONDS, max(SOONEST_SECONDS, lasted / PATIENCE))


def settings_of(record: Any) -> ServerSettings | None:
    return from_record(record, ServerSettings) if record else None


def record_of(settings: ServerSettings | None) -> Any:
    return to_record(settings) if settings else {}


def is_same(server: Server | None, settings: ServerSettings) -> bool:
    """Is it the server that the settings are of, not another one that was made under its name since."""
    return server is not None and server.settings.created_at == settings.created_at


def refuse_stuck(server: Server, consequence: str) -> None:
    """Raises NotReady when it is in a state that does not end by itself."""
    if server.state in STUCK:
        raise NotReady(
            f"Flexible server {server.name} is {server.state}. {consequence}",
            hint="Look at its activity log in the portal and bring it to Ready (a stopped one: start it); then go on. A "
            "restored server that has failed: delete it, then go on.",
        )


def move_to(old: ServerSettings, new: ServerSettings) -> EndpointMove:
    """Users and passwords are part of the data: only the address changes."""
    return EndpointMove(old=old.endpoint, new=new.endpoint, old_port=old.port, new_port=new.port)
