"""Making, changing, reading and deleting accounts, and their keys."""

from __future__ import annotations

import copy

from azure.mgmt.cosmosdb import models

from infra.sandbox.azure.arm.linked import JOIN_BY_SERVICE_ENDPOINT, require, require_identities
from infra.sandbox.azure.arm.requests import Answer, Request, Route
from infra.sandbox.azure.cosmos.accounts import (
    DEFAULTS,
    KEY_KINDS,
    NAMESPACE,
    Account,
    Json,
    bad_request,
    check_name,
    check_properties,
)
from infra.sandbox.azure.cosmos.inventory import ACCOUNT, API_VERSION, Inventory
from infra.sandbox.azure.cosmos.restore import restored_account

_ALL = f"/subscriptions/{{subscription}}/providers/{NAMESPACE}/databaseAccounts"


class AccountOperations:
    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory
        none = {API_VERSION: None}
        self.routes = [
            Route("GET", ACCOUNT, self._get, none),
            Route("PUT", ACCOUNT, self._put, {API_VERSION: models.DatabaseAccountCreateUpdateParameters}),
            Route("PATCH", ACCOUNT, self._patch, {API_VERSION: models.DatabaseAccountUpdateParameters}),
            Route("DELETE", ACCOUNT, self._delete, none),
            Route("GET", _ALL, self._list, none),
            Route("GET", ACCOUNT.rpartition("/")[0], self._list, none),
            Route("POST", f"{ACCOUNT}/listKeys", self._list_keys, none),
            Route("POST", f"{ACCOUNT}/readonlykeys", self._list_read_only_keys, none),
            Route("POST", f"{ACCOUNT}/listConnectionStrings", self._list_connection_strings, none),
            Route(
                "POST",
                f"{ACCOUNT}/regenerateKey",
                self._renew_key,
                {API_VERSION: models.DatabaseAccountRegenerateKeyParameters},
            ),
        ]

    # -- reading

    def _get(self, request: Request) -> Answer:
        return Answer(200, self._inventory.account(request).shown())

    def _list(self, request: Request) -> Answer:
        group = request.names.get("group", "").lower()
        found = [each for each in self._inventory.accounts.values() if group in ("", each.group.lower())]
        return Answer(200, {"value": [account.shown() for account in found]})

    def _list_keys(self, request: Request) -> Answer:
        return Answer(200, dict(self._inventory.ready_account(request).keys))

    def _list_read_only_keys(self, request: Request) -> Answer:
        keys = self._inventory.ready_account(request).keys
        return Answer(200, {name: key for name, key in keys.items() if "Readonly" in name})

    def _list_connection_strings(self, request: Request) -> Answer:
        account = self._inventory.ready_account(request)
        texts = {name: f"AccountEndpoint={account.endpoint};AccountKey={key};" for name, key in account.keys.items()}
        return Answer(200, {"connectionStrings": [{"connectionString": texts[n], "description": n} for n in texts]})

    # -- making and changing

    def _put(self, request: Request) -> Answer:
        body, properties = request.body, request.properties
        if not body.get("location") or not properties.get("locations"):
            raise bad_request("A PUT of a database account needs location and properties.locations.")
        if properties.get("databaseAccountOfferType") != "Standard":
            raise bad_request("properties.databaseAccountOfferType must be Standard.")
        _check_linked(request)
        if self._inventory.find(request) is not None:
            return self._replace(request)
        name = request.names["account"]
        check_name(name)
        self._inventory.check_name_free(name)
        self._inventory.check_quota()
        regions = _ordered(properties["locations"])
        settings = self._inventory.settings
        if properties.get("createMode") == "Restore":
            account = restored_account(self._inventory, request, regions, request.now)
            return self._begin(account, request, settings.cosmos_restore_seconds)
        if properties.get("restoreParameters"):
            raise bad_request("restoreParameters need createMode Restore.")
        given = {name: value for name, value in properties.items() if name in DEFAULTS}
        wished = copy.deepcopy(DEFAULTS) | given
        check_properties(wished, regions)
        account = Account(
            subscription=request.names["subscription"],
            group=request.names["group"],
            name=name,
            location=body["location"],
            kind=body.get("kind") or "GlobalDocumentDB",
            regions=regions,
            properties=wished,
            tags=body.get("tags") or {},
            identity=body.get("identity") or {"type": "None"},
            created_at=request.now,
        )
        return self._begin(account, request, settings.cosmos_create_seconds)

    def _begin(self, account: Account, request: Request, seconds: float) -> Answer:
        self._inventory.accounts[account.name] = account

        def done(now: float) -> Json:
            account.state = "Succeeded"
            if account.continuous_since is not None:
                account.continuous_since = now
            return account.shown()

        def broken(_: str) -> None:
            account.state = "Failed"

        headers = self._inventory.operations.begin(
            request, seconds, done, broken=broken, location=account.location, subject=account.id
        )
        return Answer(200, account.shown(), headers)

    def _replace(self, request: Request) -> Answer:
        """A PUT on an account that exists: what it does not name goes back to the default."""
        account = self._inventory.unlocked_account(request)
        if request.properties.get("createMode") == "Restore":
            message = f"Database account {account.name} already exists: a restore makes a new account, choose another name."
            raise bad_request(message)
        kept = {"backupPolicy": account.properties["backupPolicy"]}
        given = {name: value for name, value in request.properties.items() if name in DEFAULTS}
        wished = copy.deepcopy(DEFAULTS) | kept | given
        return self._change(account, request, wished, request.body.get("tags") or {})

    def _patch(self, request: Request) -> Answer:
        account = self._inventory.unlocked_account(request)
        _check_linked(request)
        given = {name: value for name, value in request.properties.items() if name in DEFAULTS}
        tags = request.body.get("tags")
        return self._change(account, request, account.properties | given, account.tags if tags is None else tags)

    def _change(self, account: Account, request: Request, wished: Json, tags: dict[str, str]) -> Answer:
        if account.state == "Failed":
            raise bad_request(f"Database account {account.name} is in state Failed: it can only be deleted.")
        regions = account.regions
        if "locations" in request.properties:
            regions = _ordered(request.properties["locations"])
        if regions != account.regions and wished != account.properties:
            raise bad_request(
                "Locations and other properties of a database account cannot be changed at the same time: send two requests."
            )
        if account.tier is not None and wished["backupPolicy"].get("type") != "Continuous":
            raise bad_request("An account with continuous backup cannot go back to periodic backup.")
        check_properties(wished, regions)
        identity = request.body.get("identity") or account.identity
        account.state = "Updating"

        def done(now: float) -> Json:
            account.properties, account.regions, account.tags, account.identity = wished, regions, tags, identity
            account.state = "Succeeded"
            account.note_backup_policy(now)
            return account.shown()

        def broken(_: str) -> None:
            account.state = "Succeeded"

        headers = self._inventory.operations.begin(
            request,
            self._inventory.settings.cosmos_update_seconds,
            done,
            broken=broken,
            location=account.location,
            subject=account.id,
        )
        return Answer(200, account.shown(), headers)

    def _delete(self, request: Request) -> Answer:
        if self._inventory.find(request) is None:
            return Answer(204)
        account = self._inventory.unlocked_account(request)
        before, account.state = account.state, "Deleting"

        def done(now: float) -> None:
            self._inventory.forget(account, now)

        def broken(_: str) -> None:
            account.state = before

        headers = self._inventory.operations.begin(
            request,
            self._inventory.settings.cosmos_delete_seconds,
            done,
            broken=broken,
            location=account.location,
            subject=account.id,
        )
        return Answer(202, None, headers)

    def _renew_key(self, request: Request) -> Answer:
        account = self._inventory.unlocked_account(request)
        kind = KEY_KINDS.get(request.body.get("keyKind", ""))
        if kind is None:
            raise bad_request(f"keyKind must be one of {', '.join(KEY_KINDS)}.")

        def done(_: float) -> None:
            account.renew_key(kind)

        headers = self._inventory.operations.begin(
            request, self._inventory.settings.cosmos_resource_seconds, done, location=account.location
        )
        return Answer(202, None, headers)


def _check_linked(request: Request) -> None:
    require(request, JOIN_BY_SERVICE_ENDPOINT, [rule["id"] for rule in request.properties.get("virtualNetworkRules") or []])
    require_identities(request)


def _ordered(locations: list[Json]) -> list[Json]:
    return sorted(locations, key=lambda region: region.get("failoverPriority", -1))
