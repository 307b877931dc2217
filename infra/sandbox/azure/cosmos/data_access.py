"""Role definitions and assignments of the data plane, and private endpoint connections: what a restore leaves behind."""

from __future__ import annotations

from collections.abc import Callable

from azure.mgmt.cosmosdb import models

from infra.sandbox.azure.arm.requests import Answer, Request, Route
from infra.sandbox.azure.cosmos.accounts import NAMESPACE, Account, Json, bad_request
from infra.sandbox.azure.cosmos.inventory import ACCOUNT, API_VERSION, Inventory
from infra.sandbox.azure.refusals import RefusedError

BUILT_IN_ROLES = {
    "00000000-0000-0000-0000-000000000001": "Cosmos DB Built-in Data Reader",
    "00000000-0000-0000-0000-000000000002": "Cosmos DB Built-in Data Contributor",
}
"""Every account has them: https://learn.microsoft.com/azure/cosmos-db/nosql/reference-data-plane-security"""


class DataAccess:
    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory
        none = {API_VERSION: None}
        self.routes = [
            Route("GET", f"{ACCOUNT}/privateEndpointConnections", self._list_private_endpoints, none),
            *self._routes(
                "sqlRoleDefinitions", models.SqlRoleDefinitionCreateUpdateParameters, _definitions, _check_definition
            ),
            *self._routes(
                "sqlRoleAssignments", models.SqlRoleAssignmentCreateUpdateParameters, _assignments, _check_assignment
            ),
        ]

    def _list_private_endpoints(self, request: Request) -> Answer:
        return Answer(200, {"value": self._inventory.account(request).private_endpoints})

    def _routes(
        self, kind: str, body: type, held: Callable[[Account], dict[str, Json]], check: Callable[[Account, Json], None]
    ) -> list[Route]:
        def shown(request: Request, name: str, properties: Json) -> Json:
            path = f"{self._inventory.account(request).id}/{kind}/{name}"
            return {"id": path, "name": name, "type": f"{NAMESPACE}/databaseAccounts/{kind}", "properties": properties}

        def listed(request: Request) -> Answer:
            account = self._inventory.ready_account(request)
            found = {**(_built_in() if kind == "sqlRoleDefinitions" else {}), **held(account)}
            return Answer(200, {"value": [shown(request, name, each) for name, each in found.items()]})

        def got(request: Request) -> Answer:
            name = request.names["role"]
            found = {**(_built_in() if kind == "sqlRoleDefinitions" else {}), **held(self._inventory.ready_account(request))}
            if name not in found:
                raise RefusedError(404, "NotFound", f"{kind} {name} could not be found.")
            return Answer(200, shown(request, name, found[name]))

        def put(request: Request) -> Answer:
            account, name = self._inventory.ready_account(request), request.names["role"]
            check(account, request.properties)
            return self._later(request, lambda: held(account).update({name: request.properties}))

        def deleted(request: Request) -> Answer:
            account, name = self._inventory.ready_account(request), request.names["role"]
            if name not in held(account):
                return Answer(204)
            return self._later(request, lambda: held(account).pop(name, None))

        none = {API_VERSION: None}
        return [
            Route("GET", f"{ACCOUNT}/{kind}", listed, none),
            Route("GET", f"{ACCOUNT}/{kind}/{{role}}", got, none),
            Route("PUT", f"{ACCOUNT}/{kind}/{{role}}", put, {API_VERSION: body}),
            Route("DELETE", f"{ACCOUNT}/{kind}/{{role}}", deleted, none),
        ]

    def _later(self, request: Request, change: Callable[[], object]) -> Answer:
        def done(_: float) -> None:
            change()

        account = self._inventory.account(request)
        seconds = self._inventory.settings.cosmos_resource_seconds
        return Answer(202, None, self._inventory.operations.begin(request, seconds, done, location=account.location))


def _definitions(account: Account) -> dict[str, Json]:
    return account.role_definitions


def _assignments(account: Account) -> dict[str, Json]:
    return account.role_assignments


def _built_in() -> dict[str, Json]:
    return {name: {"roleName": text, "type": "BuiltInRole"} for name, text in BUILT_IN_ROLES.items()}


def _check_definition(account: Account, properties: Json) -> None:
    if not properties.get("roleName") or not properties.get("permissions"):
        raise bad_request("A role definition needs roleName and permissions.")
    _check_scopes(account, properties.get("assignableScopes") or [])


def _check_assignment(account: Account, properties: Json) -> None:
    missing = [name for name in ("roleDefinitionId", "scope", "principalId") if not properties.get(name)]
    if missing:
        raise bad_request(f"A role assignment needs {', '.join(missing)}.")
    definition = properties["roleDefinitionId"].rpartition("/")[2]
    if definition not in BUILT_IN_ROLES and definition not in account.role_definitions:
        raise bad_request(f"The role definition {properties['roleDefinitionId']} could not be found in account {account.name}.")
    _check_scopes(account, [properties["roleDefinitionId"], properties["scope"]])


def _check_scopes(account: Account, scopes: list[str]) -> None:
    for scope in scopes:
        if not f"{scope}/".lower().startswith(f"{account.id}/".lower()):
            raise bad_request(f"The scope {scope} is not within the account {account.id}.")
