"""Databases, containers, their throughput and their scripts, as Resource Manager has them; and how far backups have come."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

from azure.mgmt.cosmosdb import models

from infra.sandbox.azure.arm.requests import Answer, Request, Route
from infra.sandbox.azure.cosmos.accounts import NAMESPACE, Account, Json, bad_request, region_id
from infra.sandbox.azure.cosmos.contents import FUNCTIONS, SCRIPTS, STORED_PROCEDURES, TRIGGERS, Container, Database
from infra.sandbox.azure.cosmos.inventory import ACCOUNT, API_VERSION, Inventory
from infra.sandbox.azure.refusals import RefusedError

DATABASES = f"{ACCOUNT}/sqlDatabases"
DATABASE = f"{DATABASES}/{{database}}"
CONTAINERS = f"{DATABASE}/containers"
CONTAINER = f"{CONTAINERS}/{{container}}"
_INDEXING: Json = {
    "indexingMode": "consistent",
    "automatic": True,
    "includedPaths": [{"path": "/*"}],
    "excludedPaths": [{"path": '/"_etag"/?'}],
}
_SCRIPT_BODIES = {
    STORED_PROCEDURES: models.SqlStoredProcedureCreateUpdateParameters,
    TRIGGERS: models.SqlTriggerCreateUpdateParameters,
    FUNCTIONS: models.SqlUserDefinedFunctionCreateUpdateParameters,
}
_LEAST_THROUGHPUT, _LEAST_AUTOSCALE = 400, 1000


class SqlResources:
    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory
        none = {API_VERSION: None}
        self.routes = [
            Route("GET", DATABASES, self._list_databases, none),
            Route("GET", DATABASE, self._get_database, none),
            Route("PUT", DATABASE, self._put_database, {API_VERSION: models.SqlDatabaseCreateUpdateParameters}),
            Route("DELETE", DATABASE, self._delete_database, none),
            Route("GET", CONTAINERS, self._list_containers, none),
            Route("GET", CONTAINER, self._get_container, none),
            Route("PUT", CONTAINER, self._put_container, {API_VERSION: models.SqlContainerCreateUpdateParameters}),
            Route("DELETE", CONTAINER, self._delete_container, none),
            Route(
                "POST",
                f"{CONTAINER}/retrieveContinuousBackupInformation",
                self._backup_information,
                {API_VERSION: models.ContinuousBackupRestoreLocation},
            ),
        ]
        for owner, found in ((DATABASE, self._database), (CONTAINER, self._container)):
            self.routes += self._throughput_routes(f"{owner}/throughputSettings/default", found)
        for kind in SCRIPTS:
            self.routes += self._script_routes(kind)

    # -- databases

    def _list_databases(self, request: Request) -> Answer:
        names = self._inventory.ready_account(request).contents.databases
        return Answer(200, {"value": [_database_shown(request, name, request.path) for name in names]})

    def _get_database(self, request: Request) -> Answer:
        self._database(request)
        return Answer(200, _database_shown(request, request.names["database"]))

    def _put_database(self, request: Request) -> Answer:
        contents, name = self._inventory.ready_account(request).contents, request.names["database"]
        _named_alike(request, name)
        throughput = _throughput_of(request.properties.get("options") or {})
        return self._later(request, lambda now: contents.put_database(name, throughput, now))

    def _delete_database(self, request: Request) -> Answer:
        contents, name = self._inventory.ready_account(request).contents, request.names["database"]
        if name not in contents.databases:
            return Answer(204)
        return self._later(request, lambda now: contents.drop_database(name, now))

    # -- containers

    def _list_containers(self, request: Request) -> Answer:
        containers = self._database(request).containers
        return Answer(200, {"value": [_container_shown(request, each, request.path) for each in containers.values()]})

    def _get_container(self, request: Request) -> Answer:
        return Answer(200, _container_shown(request, self._container(request)))

    def _put_container(self, request: Request) -> Answer:
        contents, name = self._inventory.ready_account(request).contents, request.names["container"]
        database = self._database(request)
        resource = _named_alike(request, name)
        if resource.get("createMode", "Default") != "Default":
            raise bad_request("Restores within an account need a deleted container and are not offered in this subscription.")
        before = database.containers.get(name)
        if before is None and not (resource.get("partitionKey") or {}).get("paths"):
            raise bad_request(f"Container {name} needs a partitionKey with paths.")
        partition_key = resource.get("partitionKey") or (before.resource["partitionKey"] if before else {})
        if before is not None and partition_key.get("paths") != before.resource["partitionKey"]["paths"]:
            raise bad_request(f"The partition key of container {name} cannot be changed.")
        if (ttl := resource.get("defaultTtl")) is not None and (ttl == 0 or ttl < -1):
            raise bad_request("defaultTtl must be -1 or a positive number of seconds.")
        throughput = _throughput_of(request.properties.get("options") or {})
        if throughput is None and before is None and database.throughput is None:
            throughput = {"throughput": _LEAST_THROUGHPUT}
        # A PUT replaces the definition: what it does not name goes back to the default.
        definition = {
            "indexingPolicy": _INDEXING,
            "conflictResolutionPolicy": {"mode": "LastWriterWins", "conflictResolutionPath": "/_ts"},
            **{key: value for key, value in resource.items() if key not in ("createMode", "restoreParameters")},
            "partitionKey": {"kind": "Hash", **partition_key},
        }
        return self._later(request, lambda now: contents.put_container(request.names["database"], definition, throughput, now))

    def _delete_container(self, request: Request) -> Answer:
        contents = self._inventory.ready_account(request).contents
        database, name = request.names["database"], request.names["container"]
        if database not in contents.databases or name not in contents.databases[database].containers:
            return Answer(204)
        return self._later(request, lambda now: contents.drop_container(database, name, now))

    def _backup_information(self, request: Request) -> Answer:
        account = self._inventory.ready_account(request)
        self._container(request)
        if account.tier is None:
            raise bad_request(f"Account {account.name} has no continuous backup.")
        location = request.body.get("location", "")
        if region_id(location) not in {region_id(region["locationName"]) for region in account.regions}:
            raise bad_request(f"Account {account.name} is not in location '{location}'.")
        place = (request.names["database"], request.names["container"])
        lag = self._inventory.settings.cosmos_lag_seconds

        def done(now: float) -> Json:
            # In US format, and to the second, as the service has it.
            moment = dt.datetime.fromtimestamp(account.latest_restorable(place, lag, now), dt.UTC)
            text = f"{moment.month}/{moment.day}/{moment.year} {moment:%I:%M:%S %p}".replace(" 0", " ")
            return {"continuousBackupInformation": {"latestRestorableTimestamp": text}}

        return self._later(request, done)

    # -- throughput

    def _throughput_routes(self, path: str, owner: Callable[[Request], Database | Container]) -> list[Route]:
        def get(request: Request) -> Answer:
            return Answer(200, shown(request, owner(request)))

        def put(request: Request) -> Answer:
            held = self._with_throughput(owner(request), request)
            resource = request.properties.get("resource") or {}
            wished = _throughput_of(
                {key: value for key, value in resource.items() if key in ("throughput", "autoscaleSettings")}
            )
            if wished is None:
                raise bad_request("A PUT of throughput settings needs resource.throughput or resource.autoscaleSettings.")
            if ("autoscaleSettings" in wished) != ("autoscaleSettings" in (held.throughput or {})):
                raise bad_request("Use migrateToAutoscale or migrateToManualThroughput to go from one to the other.")
            return self._later(request, set_to(held, wished))

        def to_autoscale(request: Request) -> Answer:
            held = self._with_throughput(owner(request), request)
            most = max(_LEAST_AUTOSCALE, (held.throughput or {}).get("throughput", 0))
            return self._later(request, set_to(held, {"autoscaleSettings": {"maxThroughput": most}}))

        def to_manual(request: Request) -> Answer:
            held = self._with_throughput(owner(request), request)
            most = ((held.throughput or {}).get("autoscaleSettings") or {}).get("maxThroughput", _LEAST_THROUGHPUT)
            return self._later(request, set_to(held, {"throughput": most}))

        def set_to(held: Database | Container, wished: Json) -> Callable[[float], None]:
            def done(_: float) -> None:
                held.throughput = wished

            return done

        def shown(request: Request, held: Database | Container) -> Json:
            return _shown(request.path, "throughputSettings", {**(self._with_throughput(held, request).throughput or {})})

        none = {API_VERSION: None}
        return [
            Route("GET", path, get, none),
            Route("PUT", path, put, {API_VERSION: models.ThroughputSettingsUpdateParameters}),
            Route("POST", f"{path}/migrateToAutoscale", to_autoscale, none),
            Route("POST", f"{path}/migrateToManualThroughput", to_manual, none),
        ]

    def _with_throughput(self, held: Database | Container, request: Request) -> Database | Container:
        if held.throughput is None:
            raise RefusedError(404, "NotFound", f"No throughput is set at {request.path.partition('/throughputSettings')[0]}.")
        return held

    # -- scripts

    def _script_routes(self, kind: str) -> list[Route]:
        def listed(request: Request) -> Answer:
            scripts = self._container(request).scripts[kind]
            value = [_shown(f"{request.path}/{name}", kind, script) for name, script in scripts.items()]
            return Answer(200, {"value": value})

        def got(request: Request) -> Answer:
            script = self._container(request).scripts[kind].get(request.names["script"])
            if script is None:
                raise _missing(kind, request.names["script"])
            return Answer(200, _shown(request.path, kind, script))

        def put(request: Request) -> Answer:
            name = request.names["script"]
            resource = _named_alike(request, name)
            if not resource.get("body"):
                raise bad_request(f"{kind} {name} needs a body.")
            scripts = self._container(request).scripts[kind]
            return self._later(request, lambda _: scripts.update({name: resource}))

        def deleted(request: Request) -> Answer:
            scripts, name = self._container(request).scripts[kind], request.names["script"]
            if name not in scripts:
                return Answer(204)
            return self._later(request, lambda _: scripts.pop(name, None) and None)

        path, none = f"{CONTAINER}/{kind}", {API_VERSION: None}
        return [
            Route("GET", path, listed, none),
            Route("GET", f"{path}/{{script}}", got, none),
            Route("PUT", f"{path}/{{script}}", put, {API_VERSION: _SCRIPT_BODIES[kind]}),
            Route("DELETE", f"{path}/{{script}}", deleted, none),
        ]

    # --

    def _database(self, request: Request) -> Database:
        found = self._inventory.ready_account(request).contents.databases.get(request.names["database"])
        if found is None:
            raise _missing("database", request.names["database"])
        return found

    def _container(self, request: Request) -> Container:
        found = self._database(request).containers.get(request.names["container"])
        if found is None:
            raise _missing("container", f"{request.names['database']}/{request.names['container']}")
        return found

    def _later(self, request: Request, done: Callable[[float], Any]) -> Answer:
        account: Account = self._inventory.account(request)
        seconds = self._inventory.settings.cosmos_resource_seconds
        return Answer(202, None, self._inventory.operations.begin(request, seconds, done, location=account.location))


def _missing(kind: str, name: str) -> RefusedError:
    return RefusedError(404, "NotFound", f"Entity with the specified id does not exist in the system: {kind} {name}.")


def _named_alike(request: Request, name: str) -> Json:
    resource: Json = request.properties.get("resource") or {}
    if resource.get("id") != name:
        raise bad_request(f"properties.resource.id is {resource.get('id')!r}, the path says {name!r}.")
    return resource


def _throughput_of(options: Json) -> Json | None:
    """From options of a PUT, or from a resource of throughput settings; None when nothing is wished."""
    manual, autoscale = options.get("throughput"), options.get("autoscaleSettings")
    if manual is not None and autoscale is not None:
        raise bad_request("Give throughput or autoscaleSettings, not both.")
    if manual is not None:
        if manual < _LEAST_THROUGHPUT or manual % 100:
            raise bad_request(f"throughput is {manual}; it must be at least {_LEAST_THROUGHPUT}, in steps of 100.")
        return {"throughput": manual}
    if autoscale is not None:
        most = autoscale.get("maxThroughput", 0)
        if most < _LEAST_AUTOSCALE or most % 1000:
            raise bad_request(f"maxThroughput is {most}; it must be at least {_LEAST_AUTOSCALE}, in steps of 1000.")
        return {"autoscaleSettings": {"maxThroughput": most}}
    return None


def _database_shown(request: Request, name: str, collection: str = "") -> Json:
    return _shown(f"{collection}/{name}" if collection else request.path, "", {"id": name})


def _container_shown(request: Request, container: Container, collection: str = "") -> Json:
    return _shown(f"{collection}/{container.resource['id']}" if collection else request.path, "containers", container.resource)


def _shown(path: str, kind: str, resource: Json) -> Json:
    types = "/".join(
        part for part in ("databaseAccounts/sqlDatabases", kind and "containers", kind != "containers" and kind) if part
    )
    return {"id": path, "name": path.rpartition("/")[2], "type": f"{NAMESPACE}/{types}", "properties": {"resource": resource}}
