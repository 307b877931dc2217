"""The admin API and the data planes, under /sandbox/ over plain HTTP: what a real subscription does not have. Answers JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from inspect import isawaitable
from typing import Any

from aiohttp import web

from infra.sandbox.azure.aks import ManagedCluster
from infra.sandbox.azure.arm.faults import Fault
from infra.sandbox.azure.arm.rights import RoleAssignment
from infra.sandbox.azure.cosmos import documents
from infra.sandbox.azure.cosmos.documents import DocumentsError
from infra.sandbox.azure.event_delivery import Subscription, ValidationFailed
from infra.sandbox.azure.event_grid import SENDER, Topic
from infra.sandbox.azure.event_schemas import Schema
from infra.sandbox.azure.flexible.provider import run_statement
from infra.sandbox.azure.managed_identity import IdentityEndpoint
from infra.sandbox.azure.tables import CONTRIBUTOR, TableService
from infra.sandbox.azure.world import Databases
from infra.sandbox.relational import statements
from infra.sandbox.relational.statements import ConnectionRefused, SqlError

Json = dict[str, Any]


class Admin:
    """Wrong input is answered 400 with the reason."""

    def __init__(self, databases: Databases, identity_endpoint: IdentityEndpoint, tables: TableService, topic: Topic) -> None:
        self._databases, self._identity_endpoint = databases, identity_endpoint
        self._tables, self._topic = tables, topic
        self._resource_manager = databases.resource_manager
        faults = self._resource_manager.faults
        self._routes: dict[tuple[str, str], Callable[[Json], Any]] = {
            ("GET", "settings"): lambda _: asdict(databases.settings),
            ("POST", "settings"): self._change_settings,
            ("GET", "faults"): lambda _: faults.left(),
            ("POST", "faults"): lambda given: faults.arm(Fault.parse(given)),
            ("DELETE", "faults"): lambda _: faults.clear(),
            ("GET", "calls"): lambda _: [asdict(call) for call in self._resource_manager.calls],
            ("POST", "identities"): self._add_identity,
            ("POST", "tokens"): self._token,
            ("POST", "resource-groups"): self._add_resource_group,
            ("POST", "roles"): self._add_role,
            ("DELETE", "roles"): lambda _: self._resource_manager.roles.clear(),
            ("POST", "clusters"): self._add_cluster,
            ("POST", "cosmos/taken-names"): self._take_name,
            ("POST", "cosmos/lag"): self._hold_back,
            ("POST", "cosmos/private-endpoints"): self._add_private_endpoint,
            ("POST", "servers/taken-names"): self._take_server_name,
            ("POST", "storage/tables"): self._create_table,
            ("POST", "event-grid/subscriptions"): self._subscribe,
            ("GET", "event-grid/events"): lambda _: topic.published,
            ("POST", "reset"): lambda _: databases.reset(),
        }

    async def handle(self, http: web.Request) -> web.Response:
        content = await http.read()
        self._resource_manager.settle()
        if http.path == documents.PATH and http.method == "POST":
            return self._run_on_documents(content)
        if http.path == statements.PATH and http.method == "POST":
            return self._run_on_servers(content)
        route = self._routes.get((http.method, http.path.removeprefix("/sandbox/")))
        if route is None:
            known = ", ".join(sorted(f"{verb} /sandbox/{path}" for verb, path in self._routes))
            return web.json_response({"error": f"No {http.method} {http.path}. There are: {known}."}, status=404)
        try:
            result = route(json.loads(content) if content else {})
            if isawaitable(result):
                result = await result
        except (ValueError, TypeError, KeyError, ValidationFailed) as error:
            return web.json_response({"error": f"{type(error).__name__}: {error}"}, status=400)
        return web.json_response({"ok": True} if result is None else result)

    def _run_on_documents(self, content: bytes) -> web.Response:
        try:
            given = json.loads(content)
            answer = self._databases.documents.run(given, self._resource_manager.clock())
        except DocumentsError as error:
            status = documents.STATUS[error.code]
            return web.json_response({"error": error.code, "message": str(error)}, status=status)
        except ValueError as error:
            return web.json_response({"error": "BadRequest", "message": f"The body is not JSON: {error}"}, status=400)
        return web.json_response(answer)

    def _run_on_servers(self, content: bytes) -> web.Response:
        servers = (self._databases.mysql, self._databases.postgresql)
        try:
            answer = run_statement(servers, statements.parse(content), self._resource_manager.clock())
        except (SqlError, ConnectionRefused) as error:
            status = statements.STATUS[error.code]
            return web.json_response({"error": error.code, "message": str(error)}, status=status)
        return web.json_response(answer)

    def _change_settings(self, given: Json) -> Json:
        self._databases.settings.change(given)
        return asdict(self._databases.settings)

    def _add_identity(self, given: Json) -> Json:
        """A managed identity, a member of `groups`. When `assigned`: the one of the function app, with its roles on the tables
        of its storage account and on its topic."""
        identity = self._resource_manager.entra.add(*given.get("groups", ()))
        if given.get("assigned"):
            self._identity_endpoint.assign(identity)
            self._tables.roles.add((identity.object_id, CONTRIBUTOR))
            self._topic.roles.add((identity.object_id, SENDER))
        return {"client_id": identity.client_id, "object_id": identity.object_id}

    def _token(self, given: Json) -> Json:
        entra = self._resource_manager.entra
        token, ends_at = entra.token(entra.identities[given["client_id"]], given["audience"])
        return {"token": token, "expires_on": ends_at}

    def _create_table(self, given: Json) -> None:
        self._tables.store.create_table(given["name"])

    async def _subscribe(self, given: Json) -> None:
        """`url` is the webhook of an Azure function, with its key; delivered are CloudEvents of all types."""
        await self._topic.subscribe(Subscription(given["name"], given["url"], Schema.CLOUD_EVENTS))

    def _add_resource_group(self, given: Json) -> None:
        self._resource_manager.resource_groups.add(given["name"].lower())

    def _add_role(self, given: Json) -> None:
        self._resource_manager.roles.append(
            RoleAssignment(
                given["object_id"], given["scope"], frozenset(given["actions"]), frozenset(given.get("not_actions", ()))
            )
        )

    def _add_cluster(self, given: Json) -> None:
        """`users` are the object ids of those who may have its user credential."""
        users = given.pop("users", ())
        self._resource_manager.add(ManagedCluster(**given))
        self._resource_manager.assignments |= {(user, "listClusterUserCredential") for user in users}

    def _take_name(self, given: Json) -> None:
        self._databases.cosmos.inventory.taken_names.add(given["name"])

    def _take_server_name(self, given: Json) -> None:
        """`engine` is mysql or postgresql."""
        servers = {"mysql": self._databases.mysql, "postgresql": self._databases.postgresql}[given["engine"]]
        servers.inventory.taken_names.add(given["name"])

    def _hold_back(self, given: Json) -> None:
        """The backups of one container come `seconds` later than those of the others."""
        account = self._databases.cosmos.inventory.accounts[given["account"]]
        account.extra_lag_seconds[given["database"], given["container"]] = float(given["seconds"])

    def _add_private_endpoint(self, given: Json) -> None:
        account = self._databases.cosmos.inventory.accounts[given["account"]]
        name = given["name"]
        state = {"status": "Approved", "actionsRequired": "None"}
        group = f"/subscriptions/{account.subscription}/resourceGroups/{account.group}"
        endpoint = {"id": f"{group}/providers/Microsoft.Network/privateEndpoints/{name}"}
        account.private_endpoints.append(
            {
                "id": f"{account.id}/privateEndpointConnections/{name}",
                "name": name,
                "type": "Microsoft.DocumentDB/databaseAccounts/privateEndpointConnections",
                "properties": {"privateEndpoint": endpoint, "privateLinkServiceConnectionState": state, "groupId": "Sql"},
            }
        )
