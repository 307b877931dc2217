"""Flexible servers in virtual time, behind the room's own port: what is asked for takes a while, a restore loses what it can
lose, and a caller can be killed before or after any call."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from shared.databases.flexible_servers.documents import CHANGEABLE
from shared.databases.flexible_servers.engines import POSTGRESQL, Engine
from shared.databases.flexible_servers.servers import Backup, Parameter, RestoreCall, Server
from shared.model.errors import BackupError, Conflict, NotReady
from shared.model.records import replace
from shared.model.server_settings import EntraAdministrator, ServerSettings
from shared.model.times import iso
from tests.unit.databases.fake_clock import FakeClock

CHANGE_SECONDS, RESTORE_SECONDS, RESTART_SECONDS = 40, 1_800, 60
LOG_LAG = timedelta(minutes=5)
LOST: dict[str, Any] = {
    "auto_grow": False,
    "auto_io_scaling": False,
    "backup_interval_hours": None,
    "entra_auth": False,
    "ha_mode": "",
    "identity_kind": "",
    "iops": None,
    "log_on_disk": False,
    "maintenance": None,
    "password_auth": True,
    "private_endpoints": (),
    "public_access": False,
    "retention_days": 7,
    "sku": "Standard_B1ms",
    "standby_zone": "",
    "storage_tier": "P4",
    "tags": {},
    "tenant": "",
    "throughput_mib": None,
    "tier": "Burstable",
    "user_identities": (),
}
"""All that an update can put right, but storage, which never shrinks."""


class Killed(Exception):
    """The process ended in this call."""


@dataclass
class FakeServer:
    settings: ServerSettings
    data: str
    state: str = "Ready"
    tags: dict[str, str] = field(default_factory=dict)
    source_id: str = ""
    earliest: datetime | None = None
    ha_state: str = ""
    parameters: dict[str, Parameter] = field(default_factory=dict)
    static: frozenset[str] = frozenset()
    firewall: dict[str, tuple[str, str]] = field(default_factory=dict)
    people: dict[str, EntraAdministrator] = field(default_factory=dict)
    replicas: tuple[str, ...] = ()
    backups: dict[str, datetime | None] = field(default_factory=dict)
    ends: list[tuple[datetime, Callable[[], None]]] = field(default_factory=list)
    written: list[tuple[datetime, str]] = field(default_factory=list)


class FakeServers:
    """The port `Servers`. `calls` are the names of all methods called; `kill_at` is the number of the call that kills its
    caller, before or, with `kill_after_effect`, after it did its work."""

    def __init__(self, clock: FakeClock, engine: Engine = POSTGRESQL) -> None:
        self.clock, self.engine = clock, engine
        self.there: dict[str, FakeServer] = {}
        self.calls: list[str] = []
        self.kill_at: int | None = None
        self.kill_after_effect = False
        self.faults: dict[str, list[BackupError]] = {}
        self.keeps_tags, self.appears_late, self.restore_fails = True, False, False
        self.restores = 0
        self.backup_seconds = 600.0
        self.shows_restart_after = 0.0
        self.ignored: set[str] = set()
        """Fields that an update takes and does not change."""

    # -- for tests

    def write(self, name: str, data: str) -> None:
        server = self.there[name]
        server.data = data
        server.written.append((self.clock.now(), data))

    def data_at(self, server: FakeServer, at: datetime) -> str:
        return [data for when, data in server.written if when <= at][-1]

    # -- the port

    def server(self, name: str) -> Server | None:
        self._called("server")
        found = self.there.get(name)
        if found is None or (self.appears_late and found.state == "Provisioning"):
            return None
        return self._shown(found)

    def servers(self) -> tuple[Server, ...]:
        self._called("servers")
        return tuple(self._shown(found) for found in self.there.values())

    def begin_restore(self, call: RestoreCall) -> None:
        def effect() -> None:
            if call.name in self.there:
                raise Conflict(f"{call.name} exists.")
            source = next((one for one in self.there.values() if one.settings.resource_id == call.source_id), None)
            if source is None:
                raise NotReady(f"{call.source_id} does not exist.")
            now = self.clock.now()
            assert source.earliest is not None
            assert source.earliest <= call.at
            assert call.at <= now - LOG_LAG or call.at in source.backups.values()
            self.restores += 1
            self._make(call, source, now)

        self._changing("begin_restore", effect)

    def _make(self, call: RestoreCall, source: FakeServer, now: datetime) -> None:
        resource_id = call.source_id.rpartition("/")[0] + f"/{call.name}"
        settings = replace(
            source.settings,
            **LOST,
            server=call.name,
            resource_id=resource_id,
            created_at=iso(now),
            endpoint=f"{call.name}.{source.settings.endpoint.partition('.')[2]}",
        )
        made = FakeServer(settings, self.data_at(source, call.at), "Provisioning", source_id=call.source_id)
        made.tags = dict(call.tags) if self.keeps_tags else {}
        made.static = source.static
        made.parameters = {
            name: Parameter(name, one.default, one.default, False, one.is_read_only) for name, one in source.parameters.items()
        }
        made.written = [(now, made.data)]
        self.there[call.name] = made
        if self.restore_fails:
            made.ends.append((now + timedelta(seconds=RESTORE_SECONDS), lambda: self.there.pop(call.name, None) and None))
            return

        def ready() -> None:
            made.state, made.earliest = "Ready", now

        made.ends.append((now + timedelta(seconds=RESTORE_SECONDS), ready))

    def begin_update(self, name: str, changed: frozenset[str], wanted: ServerSettings, tags: Mapping[str, str]) -> None:
        assert changed <= CHANGEABLE
        first = min(changed - {"ha_mode", "standby_zone"} or changed)
        names = {"ha_mode", "standby_zone"} & changed or {first} if changed <= {"ha_mode", "standby_zone"} else {first}

        def apply(server: FakeServer) -> None:
            if "tags" in names:
                server.tags = dict(tags)
            for field_name in names - {"tags"} - self.ignored:
                server.settings = replace(server.settings, **{field_name: getattr(wanted, field_name)})
            if "ha_mode" in names:
                server.ha_state = "CreatingStandby"
                later = self.clock.now() + timedelta(seconds=RESTORE_SECONDS)
                server.ends.append((later, lambda: setattr(server, "ha_state", "Healthy")))

        self._change("begin_update", name, apply)

    def begin_restart(self, name: str) -> None:
        def in_force(server: FakeServer) -> None:
            server.parameters = {
                one.name: Parameter(one.name, one.value, one.default, one.is_override, one.is_read_only)
                for one in server.parameters.values()
            }

        def apply(server: FakeServer) -> None:
            shows = self.clock.now() + timedelta(seconds=self.shows_restart_after)
            server.ends.append((shows, lambda: in_force(server)))
            self._settle()

        self._change("begin_restart", name, apply)

    def begin_delete(self, name: str) -> None:
        def effect() -> None:
            server = self._idle(name)
            server.state = "Dropping"
            server.ends.append((self._soon(), lambda: self.there.pop(name, None) and None))

        self._changing("begin_delete", effect)

    def parameters(self, name: str) -> tuple[Parameter, ...]:
        self._called("parameters")
        return tuple(self.there[name].parameters.values())

    def begin_set_parameters(self, name: str, changes: Sequence[Parameter]) -> int:
        """One at a time, as PostgreSQL."""
        change = changes[0]

        def apply(server: FakeServer) -> None:
            default, pending = server.parameters[change.name].default, change.name in server.static
            new = Parameter(change.name, change.value, default, change.is_override, is_pending=pending)
            server.parameters[change.name] = new

        self._change("begin_set_parameters", name, apply)
        return 1

    def firewall_rules(self, name: str) -> dict[str, tuple[str, str]]:
        self._called("firewall_rules")
        return dict(self.there[name].firewall)

    def begin_put_firewall_rule(self, name: str, rule: str, first: str, last: str) -> None:
        self._change("begin_put_firewall_rule", name, lambda server: server.firewall.update({rule: (first, last)}))

    def begin_delete_firewall_rule(self, name: str, rule: str) -> None:
        self._change("begin_delete_firewall_rule", name, lambda server: server.firewall.pop(rule, None) and None)

    def administrators(self, name: str) -> tuple[EntraAdministrator, ...]:
        self._called("administrators")
        return tuple(self.there[name].people.values())

    def begin_put_administrator(self, name: str, administrator: EntraAdministrator) -> None:
        assert self.there[name].settings.entra_auth
        one = {administrator.object_id: administrator}
        self._change("begin_put_administrator", name, lambda server: server.people.update(one))

    def begin_delete_administrator(self, name: str, administrator: EntraAdministrator) -> None:
        gone = administrator.object_id
        self._change("begin_delete_administrator", name, lambda server: server.people.pop(gone, None) and None)

    def replicas(self, name: str) -> tuple[str, ...]:
        self._called("replicas")
        return self.there[name].replicas

    def backups(self, name: str) -> tuple[Backup, ...]:
        self._called("backups")
        server = self.there[name]
        prefix = f"{server.settings.resource_id}/backups/"
        return tuple(Backup(one, prefix + one, True, completed) for one, completed in server.backups.items())

    def begin_backup(self, name: str, backup: str) -> None:
        def effect() -> None:
            server = self._idle(name)
            server.backups[backup] = None
            at = self.clock.now() + timedelta(seconds=self.backup_seconds)
            server.ends.append((at, lambda: server.backups.update({backup: at})))

        self._changing("begin_backup", effect)

    def begin_delete_backup(self, name: str, backup: str) -> None:
        self._change("begin_delete_backup", name, lambda server: server.backups.pop(backup, None) and None)

    # --

    def _change(self, method: str, name: str, apply: Callable[[FakeServer], None]) -> None:
        def effect() -> None:
            server = self._idle(name)
            server.state = "Updating"

            def end() -> None:
                server.state = "Ready"
                apply(server)

            server.ends.append((self._soon(), end))

        self._changing(method, effect)

    def _idle(self, name: str) -> FakeServer:
        server = self.there[name]
        if server.state != "Ready":
            raise Conflict(f"{name} is {server.state}.")
        return server

    def _soon(self) -> datetime:
        return self.clock.now() + timedelta(seconds=CHANGE_SECONDS)

    def _changing(self, method: str, effect: Callable[[], None]) -> None:
        self._called(method)
        killed = len(self.calls) == self.kill_at and self.kill_after_effect
        try:
            effect()
        except Conflict:
            if killed:
                raise Killed from None
            raise
        if killed:
            raise Killed

    def _called(self, method: str) -> None:
        self.calls.append(method)
        self._settle()
        if len(self.calls) == self.kill_at and not (self.kill_after_effect and method.startswith("begin_")):
            raise Killed
        if self.faults.get(method):
            raise self.faults[method].pop(0)

    def _settle(self) -> None:
        now = self.clock.now()
        for server in list(self.there.values()):
            due = sorted((end for end in server.ends if end[0] <= now), key=lambda end: end[0])
            server.ends = [end for end in server.ends if end[0] > now]
            for _, end in due:
                end()

    def _shown(self, found: FakeServer) -> Server:
        tags = {name: value for name, value in found.tags.items() if not name.startswith("scalar-backup:")}
        return Server(
            name=found.settings.server,
            state=found.state,
            settings=replace(found.settings, tags=tags),
            tags=dict(found.tags),
            source_id=found.source_id,
            earliest_restore=found.earliest,
            ha_state=found.ha_state,
        )
