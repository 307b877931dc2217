"""What the ways to MySQL and to PostgreSQL flexible servers share: azure-mgmt-rdbms for everything it can express, with
time-outs, retries at this one level, and errors in our words.

Documents go in and out as the API's own JSON, so it does not matter that Azure's packages have different models for it. The
successors of azure-mgmt-rdbms describe, make and change servers: the older API neither shows nor sets public network access,
storage and authentication settings, or a standby in the same zone.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import Any

from shared.databases.azure_errors import in_our_words, none_if_gone
from shared.databases.flexible_servers.documents import Document, api_time, restore_document, server_of, update_document
from shared.databases.flexible_servers.engines import Engine
from shared.databases.flexible_servers.names import BACKUP_PREFIX
from shared.databases.flexible_servers.servers import Backup, Parameter, RestoreCall, Server
from shared.model.server_settings import EntraAdministrator, ServerSettings

CONNECT_SECONDS, READ_SECONDS = 3.0, 20.0
TRIES = 3
"""How often a connection is attempted. An answer is never asked for again here: the engine waits, which costs nothing."""
OWN, DEFAULT = "user-override", "system-default"

OpenClient = Callable[[type], Any]


def client_options() -> dict[str, Any]:
    """For every client of Azure's packages."""
    return {
        "connection_timeout": CONNECT_SECONDS,
        "read_timeout": READ_SECONDS,
        "retry_total": TRIES - 1,
        "retry_connect": TRIES - 1,
        "retry_read": 0,
        "retry_status": 0,
        "retry_backoff_factor": 0.2,
    }


class ArmServers(ABC):
    """The port `Servers` over Azure Resource Manager. `open_client` makes a client of the class it is given.

    `older` and `newer` are the clients, each made when it is first used: an import costs a tenth of a second.
    """

    engine: Engine
    _no_failover: Any

    def __init__(self, open_client: OpenClient, resource_group: str) -> None:
        self._open, self.group = open_client, resource_group

    @cached_property
    def older(self) -> Any:
        return self._open(self._older_class())

    @cached_property
    def newer(self) -> Any:
        return self._open(self._newer_class())

    # -- what the two engines' packages call differently

    @abstractmethod
    def _older_class(self) -> type:
        """Of azure-mgmt-rdbms."""

    @abstractmethod
    def _newer_class(self) -> type:
        """Of its successor."""

    @abstractmethod
    def _put_server(self, name: str, body: bytes) -> None:
        """Begins to make a server, as the document says."""

    # -- servers

    def server(self, name: str) -> Server | None:
        def ask() -> Server:
            with in_our_words(self._action("read"), name):
                return server_of(document(self.newer.servers.get(self.group, name)), self.engine)

        return none_if_gone(ask)

    def servers(self) -> tuple[Server, ...]:
        with in_our_words(self._action("read"), self.group):
            found = documents(self.newer.servers.list_by_resource_group(self.group))
        return tuple(server_of(item, self.engine) for item in found)

    def begin_restore(self, call: RestoreCall) -> None:
        with in_our_words(self._action("write"), call.name):
            self._put_server(call.name, body(restore_document(call, self.engine)))

    def begin_update(self, name: str, changed: frozenset[str], wanted: ServerSettings, tags: Mapping[str, str]) -> None:
        patch, _ = update_document(changed, wanted, tags, self.engine)
        with in_our_words(self._action("write"), name):
            self.newer.servers.begin_update(self.group, name, body(patch), polling=False)

    def begin_restart(self, name: str) -> None:
        with in_our_words(self._action("restart/action"), name):
            given = body({"restartWithFailover": self._no_failover})
            self.older.servers.begin_restart(self.group, name, given, polling=False)

    def begin_delete(self, name: str) -> None:
        with in_our_words(self._action("delete"), name):
            self.older.servers.begin_delete(self.group, name, polling=False)

    # -- parameters and firewall

    def parameters(self, name: str) -> tuple[Parameter, ...]:
        with in_our_words(self._action("configurations/read"), name):
            found = documents(self.older.configurations.list_by_server(self.group, name))
        return tuple(_parameter(item) for item in found)

    def firewall_rules(self, name: str) -> dict[str, tuple[str, str]]:
        with in_our_words(self._action("firewallRules/read"), name):
            found = documents(self.older.firewall_rules.list_by_server(self.group, name))
        rules = {str(item["name"]): item["properties"] for item in found}
        return {rule: (given["startIpAddress"], given["endIpAddress"]) for rule, given in rules.items()}

    def begin_put_firewall_rule(self, name: str, rule: str, first: str, last: str) -> None:
        given = body({"properties": {"startIpAddress": first, "endIpAddress": last}})
        with in_our_words(self._action("firewallRules/write"), f"{name}/{rule}"):
            self.older.firewall_rules.begin_create_or_update(self.group, name, rule, given, polling=False)

    def begin_delete_firewall_rule(self, name: str, rule: str) -> None:
        with in_our_words(self._action("firewallRules/delete"), f"{name}/{rule}"):
            self.older.firewall_rules.begin_delete(self.group, name, rule, polling=False)

    def replicas(self, name: str) -> tuple[str, ...]:
        """A service that keeps no list for a server without replicas answers that there is none."""

        def ask() -> list[Document]:
            with in_our_words(self._action("replicas/read"), name):
                return documents(self.newer.replicas.list_by_server(self.group, name))

        return tuple(sorted(str(item["name"]) for item in none_if_gone(ask) or ()))

    def _action(self, rest: str) -> str:
        return f"{self.engine.resource}/{rest}"

    def _administrators(self, operations: Any, name: str) -> list[Document]:
        with in_our_words(self._action("administrators/read"), name):
            return documents(operations.list_by_server(self.group, name))


def parameter_body(change: Parameter) -> Document:
    return {"value": change.value, "source": OWN if change.is_override else DEFAULT}


def backup_of(item: Mapping[str, Any]) -> Backup:
    """MySQL's API calls every backup FULL: then ours are known by their names only."""
    found, name = item.get("properties") or {}, str(item["name"])
    completed = found.get("completedTime")
    on_demand = "demand" in f"{found.get('backupType')}{found.get('source')}".lower() or name.startswith(BACKUP_PREFIX)
    return Backup(name, str(item.get("id") or ""), on_demand, api_time(completed) if completed else None)


def administrator_sort(found: Iterable[EntraAdministrator]) -> tuple[EntraAdministrator, ...]:
    return tuple(sorted(found, key=lambda one: one.object_id))


def body(given: Mapping[str, Any]) -> bytes:
    return json.dumps(given).encode()


def document(model: Any) -> Document:
    """Two generations of packages: those of msrest keep what is read-only only when asked to."""
    serialize = getattr(model, "serialize", None)
    found: Document = model.as_dict() if serialize is None else serialize(keep_readonly=True)
    return found


def documents(models: Iterable[Any]) -> list[Document]:
    return [document(model) for model in models]


def _parameter(item: Mapping[str, Any]) -> Parameter:
    found = item.get("properties") or {}
    return Parameter(
        name=str(item["name"]),
        value=str(found.get("value") or ""),
        default=str(found.get("defaultValue") or ""),
        is_override=found.get("source") == OWN,
        is_read_only=_yes(found.get("isReadOnly")),
        is_pending=_yes(found.get("isConfigPendingRestart")),
    )


def _yes(value: Any) -> bool:
    """MySQL's API says "True", PostgreSQL's true."""
    return str(value).lower() == "true"
