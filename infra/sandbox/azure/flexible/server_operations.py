"""Making, restoring, changing, restarting, stopping and deleting flexible servers."""

from __future__ import annotations

import copy
from collections.abc import Callable

from infra.sandbox.azure.arm.linked import JOIN_DNS_ZONE, JOIN_SUBNET, require, require_identities
from infra.sandbox.azure.arm.requests import RESOURCE_GROUP, SUBSCRIPTION, Answer, Request, Route
from infra.sandbox.azure.flexible.restore import restored_server, source_of
from infra.sandbox.azure.flexible.servers import DISABLED, DROPPING, READY, STOPPED, UPDATING, Inventory, Json, Server
from infra.sandbox.azure.refusals import RefusedError
from infra.sandbox.relational.volume import Volume

_CHANGEABLE = (
    "storage",
    "backup",
    "highAvailability",
    "maintenanceWindow",
    "network",
    "authConfig",
    "dataEncryption",
    "replicationRole",
)


class ServerOperations:
    def __init__(self, inventory: Inventory) -> None:
        self._inventory, self._engine = inventory, inventory.engine
        engine = self._engine
        none = dict.fromkeys(engine.versions)
        servers = f"{RESOURCE_GROUP}/{engine.namespace}/flexibleServers"
        server = f"{servers}/{{server}}"
        self.routes = [
            Route("GET", f"{SUBSCRIPTION}/{engine.namespace}/flexibleServers", self._list, none),
            Route("GET", servers, self._list, none),
            Route("GET", server, self._get, none),
            Route("PUT", server, self._put, dict(engine.server_bodies)),
            Route("PATCH", server, self._patch, dict(engine.update_bodies)),
            Route("DELETE", server, self._delete, none),
            Route("POST", f"{server}/restart", self._restart, dict(engine.restart_bodies)),
            Route("POST", f"{server}/stop", self._stop, none),
            Route("GET", f"{server}/replicas", self._list_replicas, none if engine.name == "mysql" else {engine.new: None}),
            Route("POST", f"{server}/start", self._start, none),
        ]

    def _get(self, request: Request) -> Answer:
        return Answer(200, self._inventory.server(request).shown(request.now))

    def _list(self, request: Request) -> Answer:
        group = request.names.get("group", "").lower()
        found = [each for each in self._inventory.servers.values() if group in ("", each.group.lower())]
        return Answer(200, {"value": [server.shown(request.now) for server in found]})

    # -- making

    def _put(self, request: Request) -> Answer:
        if not request.body.get("location"):
            raise RefusedError(400, "LocationRequired", "The location property is required for this definition.")
        existing = self._inventory.find(request.names["group"], request.names["server"])
        mode, settings = request.properties.get("createMode", "Default"), self._inventory.settings
        if existing is not None:
            if mode == "PointInTimeRestore":
                message = f"Specified server name '{existing.name}' is already used: a restore makes a new server."
                raise RefusedError(409, "ServerNameAlreadyExists", message)
            return self._patch(request)
        self._inventory.check_new(request.names["server"])
        self._check_linked(request)
        if mode == "PointInTimeRestore":
            return self._begin(request, restored_server(self._inventory, request), settings.servers_restore_seconds)
        if mode == "Replica":
            return self._begin(request, self._replica(request), settings.servers_create_seconds)
        if mode not in ("Default", "Create"):
            raise RefusedError(400, "InvalidCreateMode", f"createMode {mode} is not offered in this subscription.")
        return self._begin(request, self._new(request), settings.servers_create_seconds)

    def _new(self, request: Request) -> Server:
        properties, engine, body = request.properties, self._engine, request.body
        for name in ("administratorLogin", "administratorLoginPassword"):
            if not properties.get(name):
                raise RefusedError(400, "InvalidParameterValue", f"properties.{name} is required for a new server.")
        settings: Json = {
            "sku": body.get("sku") or {"name": "Standard_D2ds_v4", "tier": "GeneralPurpose"},
            "version": properties.get("version") or engine.version,
            "storage": {"storageSizeGB": 128, **(properties.get("storage") or {})},
            "backup": {"backupRetentionDays": 7, "geoRedundantBackup": "Disabled", **(properties.get("backup") or {})},
            "highAvailability": properties.get("highAvailability") or {"mode": "Disabled"},
            "network": properties.get("network") or {},
            "availabilityZone": properties.get("availabilityZone") or "1",
            "maintenanceWindow": properties.get("maintenanceWindow") or {"customWindow": "Disabled"},
            "createMode": "Default",
        }
        for name in ("authConfig", "dataEncryption"):
            if name in properties:
                settings[name] = properties[name]
        self._check(settings, request.api_version)
        volume = Volume()
        server = Server(
            engine=engine,
            subscription=request.names["subscription"],
            group=request.names["group"],
            name=request.names["server"],
            location=body["location"],
            login=properties["administratorLogin"],
            settings=settings,
            tags=body.get("tags") or {},
            identity=body.get("identity"),
            volume=volume,
            created_at=request.now,
            state=engine.state_while_created(request.api_version),
        )
        volume.set_password(properties["administratorLoginPassword"], request.now, server.forget_before(request.now))
        return server

    def _replica(self, request: Request) -> Server:
        """Of a server that exists; it shows that server's rows and takes no writes."""
        source = source_of(self._inventory, request)
        role = {"replicationRole": "Replica", "sourceServerResourceId": source.id, "createMode": "Replica"}
        return Server(
            engine=self._engine,
            subscription=request.names["subscription"],
            group=request.names["group"],
            name=request.names["server"],
            location=request.body["location"],
            login=source.login,
            settings=copy.deepcopy(source.settings) | {"highAvailability": {"mode": "Disabled"}} | role,
            tags=request.body.get("tags") or {},
            identity=request.body.get("identity"),
            volume=source.volume,
            created_at=request.now,
            state=self._engine.state_while_created(request.api_version),
            parameters=dict(source.parameters),
            firewall=dict(source.firewall),
        )

    def _list_replicas(self, request: Request) -> Answer:
        source = self._inventory.server(request)
        found = [each for each in self._inventory.servers.values() if each.settings.get("sourceServerResourceId") == source.id]
        return Answer(200, {"value": [server.shown(request.now) for server in found if server.is_replica]})

    def _check_linked(self, request: Request) -> None:
        network = request.properties.get("network") or {}
        require(request, JOIN_SUBNET, [each for each in [network.get("delegatedSubnetResourceId")] if each])
        require(request, JOIN_DNS_ZONE, [each for each in [network.get(self._engine.dns_zone)] if each])
        require_identities(request)

    def _begin(self, request: Request, server: Server, seconds: float) -> Answer:
        self._inventory.servers[server.name] = server
        backup_seconds = self._inventory.settings.servers_first_backup_seconds

        def done(now: float) -> Json:
            server.state, server.first_backup_at = READY, now + backup_seconds
            return server.shown(now)

        def broken(_: str) -> None:
            server.state = DISABLED

        return self._accepted(request, server, seconds, done, broken)

    # -- changing

    def _patch(self, request: Request) -> Answer:
        server, given = self._inventory.ready_server(request, READY), request.properties
        self._check_linked(request)
        wished = copy.deepcopy(server.settings)
        for name in _CHANGEABLE:
            if given.get(name) is not None:
                wished[name] = {**wished.get(name, {}), **given[name]} if isinstance(given[name], dict) else given[name]
        if request.body.get("sku"):
            wished["sku"] = request.body["sku"]
        if bool(wished["network"].get("delegatedSubnetResourceId")) != server.is_private:
            raise RefusedError(400, "NetworkChangeNotAllowed", "A server cannot go from public to private access or back.")
        if wished["storage"]["storageSizeGB"] < server.settings["storage"]["storageSizeGB"]:
            raise RefusedError(400, "StorageShrinkNotAllowed", "The storage of a server cannot be made smaller.")
        self._check(wished, request.api_version)
        tags, identity = request.body.get("tags"), request.body.get("identity")
        password = given.get("administratorLoginPassword")
        server.state = UPDATING

        def done(now: float) -> Json:
            server.settings, server.state = wished, READY
            server.tags = server.tags if tags is None else tags
            server.identity = identity or server.identity
            if password:
                server.volume.set_password(password, now, server.forget_before(now))
            return server.shown(now)

        return self._accepted(request, server, self._inventory.settings.servers_update_seconds, done, self._back(server, READY))

    def _restart(self, request: Request) -> Answer:
        server = self._inventory.ready_server(request, READY)

        def done(_: float) -> None:
            server.state = READY
            server.pending_restart.clear()

        return self._through(request, server, "Restarting" if self._knows_restarting(request) else UPDATING, done)

    def _stop(self, request: Request) -> Answer:
        server = self._inventory.ready_server(request, READY)

        def done(_: float) -> None:
            server.state = STOPPED

        return self._through(request, server, "Stopping", done)

    def _start(self, request: Request) -> Answer:
        server = self._inventory.ready_server(request, STOPPED)

        def done(_: float) -> None:
            server.state = READY

        return self._through(request, server, "Starting", done)

    def _delete(self, request: Request) -> Answer:
        found = self._inventory.find(request.names["group"], request.names["server"])
        if found is None:
            return Answer(204)
        server = self._inventory.ready_server(request, READY, STOPPED, DISABLED)

        def done(_: float) -> None:
            del self._inventory.servers[server.name]

        before, server.state = server.state, DROPPING
        seconds = self._inventory.settings.servers_delete_seconds
        return self._accepted(request, server, seconds, done, self._back(server, before))

    # --

    def _through(self, request: Request, server: Server, state: str, done: Callable[[float], None]) -> Answer:
        before, server.state = server.state, state
        seconds = self._inventory.settings.servers_update_seconds
        return self._accepted(request, server, seconds, done, self._back(server, before))

    def _accepted(
        self,
        request: Request,
        server: Server,
        seconds: float,
        done: Callable[[float], Json | None],
        broken: Callable[[str], None],
    ) -> Answer:
        headers = self._inventory.operations.begin(
            request, seconds, done, broken=broken, location=server.location, subject=server.id
        )
        return Answer(202, None, headers)

    def _back(self, server: Server, state: str) -> Callable[[str], None]:
        def broken(_: str) -> None:
            server.state = state

        return broken

    def _knows_restarting(self, request: Request) -> bool:
        return self._engine.name == "postgresql" and request.api_version == self._engine.new

    def _check(self, settings: Json, api_version: str) -> None:
        days, least = settings["backup"]["backupRetentionDays"], self._engine.least_retention_days
        if not least <= days <= 35:
            raise RefusedError(400, "InvalidBackupRetention", f"backupRetentionDays is {days}; it must be {least} to 35.")
        mode, modes = settings["highAvailability"].get("mode", "Disabled"), self._engine.ha_modes[api_version]
        if mode not in modes:
            raise RefusedError(400, "InvalidParameterValue", f"highAvailability.mode is {mode}; it must be {', '.join(modes)}.")
        if mode != "Disabled" and settings["sku"]["tier"] == "Burstable":
            raise RefusedError(400, "HighAvailabilityNotSupported", "Burstable servers have no high availability.")
        network = settings["network"]
        if network.get("delegatedSubnetResourceId") and not network.get(self._engine.dns_zone):
            raise RefusedError(400, "PrivateDnsZoneRequired", f"A server in a subnet needs network.{self._engine.dns_zone}.")
