"""Server parameters, `configurations` in the API: one at a time by both APIs, many at once on MySQL."""

from __future__ import annotations

from infra.sandbox.azure.arm.requests import RESOURCE_GROUP, Answer, Request, Route
from infra.sandbox.azure.flexible.servers import Inventory, Json, Server
from infra.sandbox.azure.refusals import RefusedError


class Parameters:
    def __init__(self, inventory: Inventory) -> None:
        self._inventory, engine = inventory, inventory.engine
        none = dict.fromkeys(engine.versions)
        server = f"{RESOURCE_GROUP}/{engine.namespace}/flexibleServers/{{server}}"
        path = f"{server}/configurations"
        bodies = dict(engine.parameter_bodies)
        self.routes = [
            Route("GET", path, self._list, none),
            Route("GET", f"{path}/{{parameter}}", self._get, none),
            Route("PATCH", f"{path}/{{parameter}}", self._change, bodies),
            Route("PUT", f"{path}/{{parameter}}", self._change, bodies),
        ]
        if engine.name == "mysql":
            many = {
                engine.old: engine.old_models.ConfigurationListForBatchUpdate,
                engine.new: engine.new_models.ConfigurationListForBatchUpdate,
            }
            self.routes.append(Route("POST", f"{server}/updateConfigurations", self._change_many, many))

    def _list(self, request: Request) -> Answer:
        server = self._inventory.server(request)
        return Answer(200, {"value": [_shown(server, name) for name in server.engine.parameters]})

    def _get(self, request: Request) -> Answer:
        server, name = self._inventory.server(request), request.names["parameter"]
        _known(server, name)
        return Answer(200, _shown(server, name))

    def _change(self, request: Request) -> Answer:
        return self._begin(request, {request.names["parameter"]: request.properties})

    def _change_many(self, request: Request) -> Answer:
        wishes = {each.get("name", ""): each.get("properties") or {} for each in request.body.get("value") or []}
        if request.body.get("resetAllToDefault") == "True":
            server = self._inventory.server(request)
            wishes = {name: {"source": "system-default"} for name in server.parameters} | wishes
        if not wishes:
            raise RefusedError(400, "InvalidParameterValue", "value names no parameter.")
        return self._begin(request, wishes)

    def _begin(self, request: Request, wishes: dict[str, Json]) -> Answer:
        server = self._inventory.ready_server(request)
        changes = {name: _wished(server, name, properties) for name, properties in wishes.items()}

        def done(_: float) -> Json:
            for name, value in changes.items():
                if server.engine.parameters[name].static and value != server.parameters.get(name):
                    server.pending_restart.add(name)
                if value is None:
                    server.parameters.pop(name, None)
                else:
                    server.parameters[name] = value
            shown = [_shown(server, name) for name in changes]
            return {"value": shown} if len(shown) > 1 else shown[0]

        seconds = self._inventory.settings.servers_update_seconds
        headers = self._inventory.operations.begin(request, seconds, done, location=server.location, subject=server.id)
        return Answer(202, None, headers)


def _wished(server: Server, name: str, properties: Json) -> str | None:
    """The new value, None for the default."""
    _known(server, name)
    parameter = server.engine.parameters[name]
    if parameter.read_only:
        raise RefusedError(400, "ReadOnlyParameter", f"The parameter {name} of server {server.name} is read-only.")
    if properties.get("source") == "system-default":
        return None
    value = properties.get("value")
    if not isinstance(value, str):
        raise RefusedError(400, "InvalidParameterValue", f"properties.value of {name} must be a text, it is {value!r}.")
    if parameter.allowed and value not in parameter.allowed:
        allowed = ",".join(parameter.allowed)
        raise RefusedError(400, "InvalidParameterValue", f"The value {value!r} of {name} is not one of {allowed}.")
    return value


def _known(server: Server, name: str) -> None:
    if name not in server.engine.parameters:
        message = f"The configuration '{name}' does not exist for {server.name} server version {server.settings['version']}."
        raise RefusedError(404, "ConfigurationNotExists", message)


def _shown(server: Server, name: str) -> Json:
    parameter, value = server.engine.parameters[name], server.parameters.get(name)
    return {
        "id": f"{server.id}/configurations/{name}",
        "name": name,
        "type": f"{server.engine.namespace}/flexibleServers/configurations",
        "properties": {
            "value": parameter.default if value is None else value,
            "defaultValue": parameter.default,
            "dataType": "Enumeration" if parameter.allowed else "String",
            "allowedValues": ",".join(parameter.allowed),
            "source": "system-default" if value is None else "user-override",
            "isReadOnly": _flag(server, parameter.read_only),
            "isDynamicConfig": _flag(server, not parameter.static),
            "isConfigPendingRestart": _flag(server, name in server.pending_restart),
        },
    }


def _flag(server: Server, holds: bool) -> bool | str:
    """MySQL's API writes these as texts."""
    return str(holds) if server.engine.name == "mysql" else holds
