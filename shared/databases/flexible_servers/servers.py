"""The way to flexible servers as this room needs it: a small port in plain values, with one implementation for MySQL and one
for PostgreSQL. Which package of Azure's does what is their affair.

Everything that takes Azure longer is begun here and never waited for: what has come of it is seen by the next look.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from shared.databases.flexible_servers.engines import Engine
from shared.model.server_settings import EntraAdministrator, ServerSettings

READY = "Ready"
STUCK = frozenset({"Disabled", "Dropping", "Inaccessible", "Stopped"})
"""States that do not end by themselves, or not well."""


@dataclass(frozen=True)
class Server:
    """A server as Azure describes it. `tags` are all of them; `settings` lacks what is read by calls of their own.

    `earliest_restore` is None while there is no first backup. `source_id` names the server that it was restored from.
    """

    name: str
    state: str
    settings: ServerSettings
    tags: Mapping[str, str] = field(default_factory=dict)
    source_id: str = ""
    earliest_restore: datetime | None = None
    ha_state: str = ""
    replica_of: str = ""

    @property
    def is_ready(self) -> bool:
        return self.state == READY

    def was_made_by(self, run: str) -> bool:
        return self.tags.get(RUN) == run


RUN = "scalar-backup:run"
"""The tag with the run that made a server."""
POINT = "scalar-backup:restore-point"
"""The tag with the second that it was restored to."""
TAG_PREFIX = "scalar-backup:"


@dataclass(frozen=True)
class Parameter:
    """A server parameter. `is_override`: somebody has set it; `is_pending`: its value is in force only after a restart."""

    name: str
    value: str
    default: str = ""
    is_override: bool = False
    is_read_only: bool = False
    is_pending: bool = False


@dataclass(frozen=True)
class Backup:
    """`completed_at` is None until it is complete."""

    name: str
    resource_id: str
    is_on_demand: bool
    completed_at: datetime | None


@dataclass(frozen=True)
class RestoreCall:
    """A new server `name` from `source_id` as of `at`, with as much of `settings` as a restore takes, and `tags`."""

    name: str
    source_id: str
    at: datetime
    settings: ServerSettings
    tags: Mapping[str, str]


class Servers(Protocol):
    """The servers of one engine in one resource group. Safe to use from several threads.

    Every method raises Throttled, Unreachable, Forbidden, NotReady, Conflict or Misconfigured; Conflict means that something is
    being done to the server already.
    """

    engine: Engine

    def server(self, name: str) -> Server | None:
        """None when it does not exist."""

    def servers(self) -> tuple[Server, ...]: ...

    def begin_restore(self, call: RestoreCall) -> None: ...

    def begin_update(self, name: str, changed: frozenset[str], wanted: ServerSettings, tags: Mapping[str, str]) -> None:
        """Sets the fields `changed` of the server itself as in `wanted`; `tags` are all that it shall have."""

    def begin_restart(self, name: str) -> None: ...

    def begin_delete(self, name: str) -> None: ...

    def parameters(self, name: str) -> tuple[Parameter, ...]: ...

    def begin_set_parameters(self, name: str, changes: Sequence[Parameter]) -> int:
        """Gives them their `value` as somebody's own, or as the default where it is no override. As many as the server takes at
        once; answers with how many that were."""

    def firewall_rules(self, name: str) -> dict[str, tuple[str, str]]:
        """First and last address by name of the rule."""

    def begin_put_firewall_rule(self, name: str, rule: str, first: str, last: str) -> None: ...

    def begin_delete_firewall_rule(self, name: str, rule: str) -> None: ...

    def administrators(self, name: str) -> tuple[EntraAdministrator, ...]: ...

    def begin_put_administrator(self, name: str, administrator: EntraAdministrator) -> None: ...

    def begin_delete_administrator(self, name: str, administrator: EntraAdministrator) -> None: ...

    def replicas(self, name: str) -> tuple[str, ...]:
        """Names of the read replicas."""

    def backups(self, name: str) -> tuple[Backup, ...]: ...

    def begin_backup(self, name: str, backup: str) -> None: ...

    def begin_delete_backup(self, name: str, backup: str) -> None:
        """Only where the engine `deletes_backups`."""
