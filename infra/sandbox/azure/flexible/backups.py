"""Backups: the automatic ones that are listed, and on-demand ones, with the limits of each engine."""

from __future__ import annotations

from infra.sandbox.azure.arm.operations import utc
from infra.sandbox.azure.arm.requests import RESOURCE_GROUP, Answer, Request, Route
from infra.sandbox.azure.flexible.servers import Inventory, Json, Server
from infra.sandbox.azure.refusals import RefusedError

_AUTOMATIC = "backup_"


class Backups:
    def __init__(self, inventory: Inventory) -> None:
        self._inventory, engine = inventory, inventory.engine
        new = {engine.new: None}
        server = f"{RESOURCE_GROUP}/{engine.namespace}/flexibleServers/{{server}}"
        path, one = f"{server}/backups", f"{server}/backups/{{backup}}"
        if engine.name == "mysql":
            both, slow = dict.fromkeys(engine.versions), f"{server}/backupsV2/{{backup}}"
            body = {engine.new: engine.new_models.ServerBackupV2}
            self.routes = [
                Route("GET", path, self._list, both),
                Route("GET", one, self._get, both),
                Route("PUT", one, self._put_at_once, new),
                Route("GET", slow, self._get, new),
                Route("GET", f"{server}/backupsV2", self._list, new),
                Route("PUT", slow, self._put, dict(body)),
            ]
        else:
            self.routes = [
                Route("GET", path, self._list, new),
                Route("GET", one, self._get, new),
                Route("PUT", one, self._put, new),
                Route("DELETE", one, self._delete, new),
            ]

    def _list(self, request: Request) -> Answer:
        server = self._inventory.server(request)
        return Answer(200, {"value": [_shown(server, name, at) for name, at in _all(server, request.now).items()]})

    def _get(self, request: Request) -> Answer:
        server, name = self._inventory.server(request), request.names["backup"]
        found = _all(server, request.now).get(name)
        if found is None:
            raise RefusedError(404, "ResourceNotFound", f"Backup {name} of server {server.name} was not found.")
        return Answer(200, _shown(server, name, found))

    def _put_at_once(self, request: Request) -> Answer:
        server, name = self._allowed(request), request.names["backup"]
        server.backups[name] = request.now
        return Answer(200, _shown(server, name, request.now))

    def _put(self, request: Request) -> Answer:
        server, name = self._allowed(request), request.names["backup"]

        def done(now: float) -> Json:
            server.backups[name] = now
            return _shown(server, name, now)

        seconds = self._inventory.settings.servers_backup_seconds
        headers = self._inventory.operations.begin(request, seconds, done, location=server.location, subject=server.id)
        return Answer(202, None, headers)

    def _delete(self, request: Request) -> Answer:
        server, name = self._inventory.ready_server(request), request.names["backup"]
        if name.startswith(_AUTOMATIC):
            raise RefusedError(400, "BackupDeletionNotAllowed", f"{name} is an automatic backup: only the service deletes it.")
        if name not in server.backups:
            return Answer(204)

        def done(_: float) -> None:
            server.backups.pop(name, None)

        seconds = self._inventory.settings.servers_update_seconds
        return Answer(202, None, self._inventory.operations.begin(request, seconds, done, location=server.location))

    def _allowed(self, request: Request) -> Server:
        server, name = self._inventory.ready_server(request), request.names["backup"]
        engine = server.engine
        if name in _all(server, request.now):
            raise RefusedError(409, "BackupAlreadyExists", f"Server {server.name} has a backup {name} already.")
        if len(server.backups) >= engine.most_on_demand_backups:
            message = f"Server {server.name} has {engine.most_on_demand_backups} on-demand backups, and cannot have more."
            raise RefusedError(400, "OnDemandBackupLimitReached", message)
        if server.is_burstable and not engine.on_demand_on_burstable:
            raise RefusedError(400, "OnDemandBackupNotSupported", "Burstable servers take no on-demand backups.")
        if server.settings["storage"].get("type") == "PremiumV2_LRS":
            raise RefusedError(400, "OnDemandBackupNotSupported", "Servers on SSDv2 take no on-demand backups.")
        return server


def _all(server: Server, now: float) -> dict[str, float]:
    """When each has ended, the automatic one first; those that are past the retention are gone."""
    first, oldest = server.first_backup_at, server.forget_before(now)
    automatic = {f"{_AUTOMATIC}{int(first)}": first} if first is not None and first <= now else {}
    return automatic | {name: at for name, at in server.backups.items() if at >= oldest}


def _shown(server: Server, name: str, at: float) -> Json:
    automatic = name.startswith(_AUTOMATIC)
    properties = {"backupType": "Full", "completedTime": utc(at), "source": "Automatic"}
    if not automatic:
        mysql = server.engine.name == "mysql"
        properties |= {"source": "On-Demand"} if mysql else {"backupType": "Customer On-Demand", "source": "Customer Initiated"}
    return {
        "id": f"{server.id}/backups/{name}",
        "name": name,
        "type": f"{server.engine.namespace}/flexibleServers/backups",
        "properties": properties,
    }
