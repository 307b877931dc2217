"""Restorable accounts and what they held: the reading side of continuous backup."""

from __future__ import annotations

from infra.sandbox.azure.arm.operations import seconds_of, utc
from infra.sandbox.azure.arm.requests import SUBSCRIPTION, Answer, Request, Route
from infra.sandbox.azure.cosmos.accounts import NAMESPACE, Account, Json, region_id
from infra.sandbox.azure.cosmos.contents import Event
from infra.sandbox.azure.cosmos.inventory import API_VERSION, Inventory

_ALL = f"{SUBSCRIPTION}/{NAMESPACE}/restorableDatabaseAccounts"
_IN_LOCATION = f"{SUBSCRIPTION}/{NAMESPACE}/locations/{{location}}/restorableDatabaseAccounts"
_ONE = f"{_IN_LOCATION}/{{instance}}"


class Restorable:
    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory
        none = {API_VERSION: None}
        self.routes = [
            Route("GET", _ALL, self._list, none),
            Route("GET", _IN_LOCATION, self._list, none),
            Route("GET", _ONE, self._get, none),
            Route("GET", f"{_ONE}/restorableSqlDatabases", self._databases, none),
            Route("GET", f"{_ONE}/restorableSqlContainers", self._containers, none),
            Route("GET", f"{_ONE}/restorableSqlResources", self._resources, none),
        ]

    def _list(self, request: Request) -> Answer:
        wanted = request.names.get("location")
        shown = [
            _shown(account, location, request)
            for account in self._inventory.restorable(request.now)
            for location in ([account.location] if wanted is None else _locations(account, wanted))
        ]
        return Answer(200, {"value": shown})

    def _get(self, request: Request) -> Answer:
        return Answer(200, _shown(self._account(request), request.names["location"], request))

    def _databases(self, request: Request) -> Answer:
        events = [each for each in self._account(request).contents.events if not each.container]
        return Answer(200, {"value": [_event(event, request, "restorableSqlDatabases") for event in events]})

    def _containers(self, request: Request) -> Answer:
        account = self._account(request)
        databases = {each.database: each.resource_id for each in account.contents.events if not each.container}
        wanted = request.query.get("restorableSqlDatabaseRid")
        events = [each for each in account.contents.events if each.container and wanted in (None, databases.get(each.database))]
        return Answer(200, {"value": [_event(event, request, "restorableSqlContainers") for event in events]})

    def _resources(self, request: Request) -> Answer:
        """What a restore to the moment in the query would bring back."""
        account = self._account(request)
        text = request.query.get("restoreTimestampInUtc")
        at = request.now if text is None else seconds_of(text, "restoreTimestampInUtc")
        return Answer(
            200,
            {
                "value": [
                    {
                        "id": f"{request.path}/{database}",
                        "name": database,
                        "type": f"{NAMESPACE}/locations/restorableDatabaseAccounts/restorableSqlResources",
                        "databaseName": database,
                        "collectionNames": containers,
                    }
                    for database, containers in account.contents.names_at(at).items()
                ]
            },
        )

    def _account(self, request: Request) -> Account:
        return self._inventory.restorable_account(request.names["location"], request.names["instance"], request.now)


def _locations(account: Account, wanted: str) -> list[str]:
    return [r["locationName"] for r in account.regions if region_id(r["locationName"]) == region_id(wanted)]


def _shown(account: Account, location: str, request: Request) -> Json:
    properties: Json = {
        "accountName": account.name,
        "apiType": "Sql",
        "creationTime": utc(account.created_at),
        "oldestRestorableTime": utc(account.oldest_restorable(request.now)),
        "restorableLocations": [
            {
                "locationName": region["locationName"],
                "regionalDatabaseAccountInstanceId": account.instance_id,
                "creationTime": utc(account.created_at),
                **({} if account.deleted_at is None else {"deletionTime": utc(account.deleted_at)}),
            }
            for region in account.regions
        ],
    }
    if account.deleted_at is not None:
        properties["deletionTime"] = utc(account.deleted_at)
    place = f"/subscriptions/{account.subscription}/providers/{NAMESPACE}/locations/{region_id(location)}"
    return {
        "id": f"{place}/restorableDatabaseAccounts/{account.instance_id}",
        "name": account.instance_id,
        "type": f"{NAMESPACE}/locations/restorableDatabaseAccounts",
        "location": account.location,
        "properties": properties,
    }


def _event(event: Event, request: Request, kind: str) -> Json:
    name = event.container or event.database
    resource: Json = {
        "_rid": event.resource_id,
        "eventTimestamp": utc(event.at),
        "ownerId": name,
        "ownerResourceId": event.resource_id,
        "operationType": event.operation,
    }
    if event.container:
        resource["container"] = {"_self": f"dbs/{event.database}/colls/{name}", **event.resource}
    else:
        resource["database"] = {"_self": f"dbs/{name}", **event.resource}
    return {
        "id": f"{request.path}/{event.resource_id}",
        "name": event.resource_id,
        "type": f"{NAMESPACE}/locations/restorableDatabaseAccounts/{kind}",
        "properties": {"resource": resource},
    }
