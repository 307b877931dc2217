"""One Azure for the session, emptied before each test; the SDK's own clients over TLS; builders."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
import urllib3
from azure.core.credentials import AccessToken
from azure.mgmt.cosmosdb import CosmosDBManagementClient

from infra.sandbox.azure.arm.rights import RoleAssignment
from infra.sandbox.azure.cosmos.client import AccountConnection, CosmosClient
from infra.sandbox.azure.entra import Entra, Identity
from infra.sandbox.azure.server import SUBSCRIPTION, RunningAzure, running_azure

GROUP, REGION = "rg-orders", "West US"
AUDIENCE = "https://management.azure.com/"
ACCOUNT_PATH = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.DocumentDB/databaseAccounts"
POLL_SECONDS = 0.02
SLOW_THINGS = ("create", "restore", "update", "delete")
FAST = dict.fromkeys([f"{kind}_{thing}_seconds" for kind in ("cosmos", "servers") for thing in SLOW_THINGS], 0.0) | {
    "servers_first_backup_seconds": 0.0,
    "servers_backup_seconds": 0.0,
}
PROCEDURE = "mutate.js"


@dataclass
class Credential:
    """A token of the sandbox's Entra, as a managed identity gets it."""

    entra: Entra
    identity: Identity

    def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        return AccessToken(*self.entra.token(self.identity, AUDIENCE))


@dataclass
class Azure:
    """`offset` is how far its clock is ahead of the machine's."""

    running: RunningAzure
    identity: Identity
    offset: float = 0.0
    clients: dict[str, Any] = field(default_factory=dict)

    def settings(self, **changes: float) -> None:
        self.running.databases.settings.change(dict(changes))

    def pass_time(self, seconds: float) -> None:
        self.offset += seconds

    @property
    def now(self) -> float:
        return self.running.resource_manager.clock()

    def sdk(self, kind: Callable[..., Any], identity: Identity | None = None, **more: Any) -> Any:
        """A client of the SDK, that polls fast and tries nothing again."""
        return kind(
            Credential(self.running.entra, identity or self.identity),
            SUBSCRIPTION,
            base_url=self.running.url,
            credential_scopes=[f"{AUDIENCE}.default"],
            connection_verify=str(self.running.ca_file),
            polling_interval=POLL_SECONDS,
            retry_total=0,
            **more,
        )

    def raw(self, method: str, path: str, body: bytes | None = None, *, bearer: bool = True) -> tuple[int, Any]:
        """A request by hand; status and body."""
        response = self._request(method, path, body, bearer)
        return response.status, response.json() if response.data else None

    def headers(self, method: str, path: str, body: bytes | None = None) -> Mapping[str, str]:
        """Those of the answer to a request by hand."""
        return self._request(method, path, body, bearer=True).headers

    def admin(self, method: str, path: str, body: dict[str, Any]) -> None:
        response = urllib3.request(method, f"{self.running.data_url}/sandbox/{path}", json=body, retries=False, timeout=5)
        assert response.status == 200, response.data

    def _request(self, method: str, path: str, body: bytes | None, bearer: bool) -> urllib3.BaseHTTPResponse:
        token = self.running.entra.token(self.identity, AUDIENCE)[0]
        headers = {"Authorization": f"Bearer {token}"} if bearer else {}
        with urllib3.PoolManager(ca_certs=str(self.running.ca_file), retries=False, timeout=5) as pool:
            return pool.request(method, self.running.url + path, headers=headers, body=body)


@pytest.fixture(scope="session")
def session_azure() -> Iterator[Azure]:
    entra = Entra()
    identity = entra.add()
    with running_azure(entra, [identity]) as running:
        yield Azure(running, identity)


@pytest.fixture
def azure(session_azure: Azure, monkeypatch: pytest.MonkeyPatch) -> Azure:
    """Empty, fast, with every right for its one identity."""
    running, manager = session_azure.running, session_azure.running.resource_manager
    running.databases.reset()
    running.databases.settings.change(dict(FAST))
    manager.resource_groups = {GROUP}
    manager.roles = [RoleAssignment(session_azure.identity.object_id, f"/subscriptions/{SUBSCRIPTION}", frozenset({"*"}))]
    real, session_azure.offset = manager.clock, 0.0
    monkeypatch.setattr(manager, "clock", lambda: real() + session_azure.offset)
    return session_azure


@pytest.fixture(scope="session")
def cosmos(session_azure: Azure) -> Iterator[CosmosDBManagementClient]:
    with session_azure.sdk(CosmosDBManagementClient) as client:
        yield client


def new_account(**properties: Any) -> dict[str, Any]:
    """The body of a PUT: one region, continuous backup of 7 days, Strong."""
    return {
        "location": REGION,
        "kind": "GlobalDocumentDB",
        "properties": {
            "locations": [{"locationName": REGION, "failoverPriority": 0, "isZoneRedundant": False}],
            "databaseAccountOfferType": "Standard",
            "consistencyPolicy": {"defaultConsistencyLevel": "Strong"},
            "backupPolicy": {"type": "Continuous", "continuousModeProperties": {"tier": "Continuous7Days"}},
            **properties,
        },
    }


def create_account(cosmos: CosmosDBManagementClient, name: str, **properties: Any) -> Any:
    return cosmos.database_accounts.begin_create_or_update(GROUP, name, new_account(**properties)).result()


def create_container(cosmos: CosmosDBManagementClient, account: str, database: str, name: str, **resource: Any) -> None:
    sql = cosmos.sql_resources
    sql.begin_create_update_sql_database(GROUP, account, database, {"properties": {"resource": {"id": database}}}).result()
    definition = {"id": name, "partitionKey": {"paths": ["/concatenatedPartitionKey"], "kind": "Hash"}, **resource}
    sql.begin_create_update_sql_container(GROUP, account, database, name, {"properties": {"resource": definition}}).result()


def create_procedure(cosmos: CosmosDBManagementClient, account: str, database: str, name: str) -> None:
    body = {"properties": {"resource": {"id": PROCEDURE, "body": "function mutate() {}"}}}
    cosmos.sql_resources.begin_create_update_sql_stored_procedure(GROUP, account, database, name, PROCEDURE, body).result()


def restore_body(source: Any, timestamp: str, **parameters: Any) -> dict[str, Any]:
    return {
        "location": REGION,
        "properties": {
            "locations": [{"locationName": REGION, "failoverPriority": 0}],
            "databaseAccountOfferType": "Standard",
            "createMode": "Restore",
            "restoreParameters": {
                "restoreMode": "PointInTime",
                "restoreSource": source.id,
                "restoreTimestampInUtc": timestamp,
                **parameters,
            },
        },
    }


def documents_of(azure: Azure, cosmos: CosmosDBManagementClient, account: str) -> AccountConnection:
    endpoint = cosmos.database_accounts.get(GROUP, account).document_endpoint
    keys = cosmos.database_accounts.list_keys(GROUP, account)
    return CosmosClient(azure.running.data_url).connect(endpoint, keys.primary_master_key)


def document(number: int, **values: Any) -> dict[str, Any]:
    key = str(number)
    return {"id": key, "concatenatedPartitionKey": key, "values": values}
