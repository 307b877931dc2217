"""Who gets in: firewall rules, and administrators of Microsoft Entra, which only the new APIs know."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable

from infra.sandbox.azure.arm.requests import RESOURCE_GROUP, Answer, Request, Route
from infra.sandbox.azure.flexible.servers import Inventory, Json, Server
from infra.sandbox.azure.refusals import RefusedError


class Access:
    def __init__(self, inventory: Inventory) -> None:
        self._inventory, engine = inventory, inventory.engine
        none, none_in_new = dict.fromkeys(engine.versions), {engine.new: None}
        server = f"{RESOURCE_GROUP}/{engine.namespace}/flexibleServers/{{server}}"
        rules, administrators = f"{server}/firewallRules", f"{server}/administrators"
        is_mysql = engine.name == "mysql"
        administrator = engine.new_models.AzureADAdministrator if is_mysql else engine.new_models.AdministratorMicrosoftEntraAdd
        self.routes = [
            Route("GET", rules, self._list_rules, none),
            Route("GET", f"{rules}/{{rule}}", self._get_rule, none),
            Route("PUT", f"{rules}/{{rule}}", self._put_rule, dict(engine.firewall_bodies)),
            Route("DELETE", f"{rules}/{{rule}}", self._delete_rule, none),
            Route("GET", administrators, self._list_administrators, none_in_new),
            Route("GET", f"{administrators}/{{administrator}}", self._get_administrator, none_in_new),
            Route("PUT", f"{administrators}/{{administrator}}", self._put_administrator, {engine.new: administrator}),
            Route("DELETE", f"{administrators}/{{administrator}}", self._delete_administrator, none_in_new),
        ]

    # -- firewall rules

    def _list_rules(self, request: Request) -> Answer:
        server = self._inventory.server(request)
        return Answer(200, {"value": [_rule(server, name) for name in server.firewall]})

    def _get_rule(self, request: Request) -> Answer:
        server, name = self._inventory.server(request), request.names["rule"]
        if name not in server.firewall:
            raise RefusedError(404, "ResourceNotFound", f"Firewall rule {name} of server {server.name} was not found.")
        return Answer(200, _rule(server, name))

    def _put_rule(self, request: Request) -> Answer:
        server, name = self._inventory.ready_server(request), request.names["rule"]
        if server.is_private:
            message = f"Firewall rules cannot be set on server {server.name}: it has private access (VNet integration)."
            raise RefusedError(400, "FirewallRulesNotSupported", message)
        start, end = (str(request.properties.get(key)) for key in ("startIpAddress", "endIpAddress"))
        try:
            in_order = ipaddress.IPv4Address(start) <= ipaddress.IPv4Address(end)
        except ValueError as error:
            raise RefusedError(400, "InvalidParameterValue", f"Firewall rule {name} has no IPv4 range: {error}.") from None
        if not in_order:
            raise RefusedError(400, "InvalidParameterValue", f"Firewall rule {name} ends before it starts.")

        def done(_: float) -> Json:
            server.firewall[name] = (start, end)
            return _rule(server, name)

        return self._accepted(request, server, done)

    def _delete_rule(self, request: Request) -> Answer:
        server, name = self._inventory.ready_server(request), request.names["rule"]
        if name not in server.firewall:
            return Answer(204)

        def done(_: float) -> None:
            server.firewall.pop(name, None)

        return self._accepted(request, server, done)

    # -- administrators

    def _list_administrators(self, request: Request) -> Answer:
        server = self._inventory.server(request)
        return Answer(200, {"value": [_administrator(server, name) for name in server.administrators]})

    def _get_administrator(self, request: Request) -> Answer:
        server, name = self._inventory.server(request), request.names["administrator"]
        if name not in server.administrators:
            raise RefusedError(404, "ResourceNotFound", f"Administrator {name} of server {server.name} was not found.")
        return Answer(200, _administrator(server, name))

    def _put_administrator(self, request: Request) -> Answer:
        server, name = self._inventory.ready_server(request), request.names["administrator"]
        properties = request.properties
        if server.engine.name == "mysql" and name != "ActiveDirectory":
            raise RefusedError(400, "InvalidParameterValue", f"The administrator is named ActiveDirectory, not {name}.")

        def done(_: float) -> Json:
            server.administrators[name] = properties
            return _administrator(server, name)

        return self._accepted(request, server, done)

    def _delete_administrator(self, request: Request) -> Answer:
        server, name = self._inventory.ready_server(request), request.names["administrator"]
        if name not in server.administrators:
            return Answer(204)

        def done(_: float) -> None:
            server.administrators.pop(name, None)

        return self._accepted(request, server, done)

    def _accepted(self, request: Request, server: Server, done: Callable[[float], Json | None]) -> Answer:
        seconds = self._inventory.settings.servers_update_seconds
        headers = self._inventory.operations.begin(request, seconds, done, location=server.location, subject=server.id)
        return Answer(202, None, headers)


def _rule(server: Server, name: str) -> Json:
    start, end = server.firewall[name]
    return {
        "id": f"{server.id}/firewallRules/{name}",
        "name": name,
        "type": f"{server.engine.namespace}/flexibleServers/firewallRules",
        "properties": {"startIpAddress": start, "endIpAddress": end},
    }


def _administrator(server: Server, name: str) -> Json:
    properties = server.administrators[name]
    own = {} if server.engine.name == "mysql" else {"objectId": name}
    return {
        "id": f"{server.id}/administrators/{name}",
        "name": name,
        "type": f"{server.engine.namespace}/flexibleServers/administrators",
        "properties": {**properties, **own},
    }
