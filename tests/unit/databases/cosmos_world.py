"""A Cosmos DB account with no setting at its default, on the sandbox's strict Resource Manager, in virtual time and without a
socket: the real SDK's requests are answered in the same thread."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from threading import RLock
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import requests
import urllib3
from azure.core.credentials import AccessToken
from azure.core.pipeline.transport import HttpTransport
from azure.core.rest._requests_basic import RestRequestsTransportResponse

from infra.sandbox.azure.arm import bodies
from infra.sandbox.azure.arm.faults import Faults
from infra.sandbox.azure.arm.requests import Request, action_of
from infra.sandbox.azure.cosmos.provider import CosmosDb
from infra.sandbox.azure.refusals import RefusedError
from infra.sandbox.azure.settings import Settings
from shared.databases.cosmos import CosmosAccess
from shared.databases.cosmos.account import Account
from shared.databases.cosmos.calls import Calls, open_client
from shared.databases.cosmos.manifest import read
from shared.model.cosmos_settings import CosmosSettings
from shared.model.plan import CosmosAccount
from shared.model.protection import DatabaseProtection
from shared.model.records import from_record, to_record
from shared.model.restore import DatabaseRestore, RestoreOrder, RestoreStage, Target
from shared.model.storage import ReleaseStorage, Storage
from tests.unit.databases.fake_clock import FakeClock
from tests.unit.databases.fake_dynamodb import Killed

SUBSCRIPTION, GROUP, NAME = "0000-sub", "bank-rg", "bank"
STAMP, RUN = "20261124t040000z", "bank-20261124T040000Z-1f2e3d4c"
SIDE = f"{NAME}-r{STAMP}"
ACCOUNT_ID = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.DocumentDB/databaseAccounts/{NAME}"
READS = ("GET", "POST")
PARTITION = {"paths": ["/concatenatedPartitionKey"], "kind": "Hash"}
INDEXING = {"indexingMode": "consistent", "automatic": True, "includedPaths": [], "excludedPaths": [{"path": "/*"}]}
FULL: dict[str, Any] = {
    "consistencyPolicy": {"defaultConsistencyLevel": "Strong"},
    "ipRules": [{"ipAddressOrRange": "10.1.0.0/16"}, {"ipAddressOrRange": "203.0.113.7"}],
    "isVirtualNetworkFilterEnabled": True,
    "virtualNetworkRules": [{"id": "/subnets/pods", "ignoreMissingVNetServiceEndpoint": True}],
    "enableAutomaticFailover": True,
    "minimalTlsVersion": "Tls",
    "networkAclBypass": "AzureServices",
    "networkAclBypassResourceIds": ["/workspaces/one"],
    "cors": [{"allowedOrigins": "https://bank.example"}],
    "enableBurstCapacity": True,
    "enablePartitionMerge": True,
    "defaultIdentity": "UserAssignedIdentity=/identities/bank",
    "backupPolicy": {"type": "Continuous", "continuousModeProperties": {"tier": "Continuous7Days"}},
}
CONTAINERS = {
    "bank": ("account", "history"),
    "coordinator": ("state",),
    "scalardb": ("metadata", "namespaces"),
}


class Credential:
    def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        return AccessToken("token", 4_000_000_000)


class InProcess(HttpTransport):  # type: ignore[type-arg]
    """Hands requests to the sandbox's provider. `kill_at` is the number of the changing request at which the process dies:
    before it takes effect, or after, when its answer is lost."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock, self.settings, self.faults = clock, Settings(), Faults()
        self.settings.change(
            {
                "cosmos_restore_seconds": 600.0,
                "cosmos_update_seconds": 30.0,
                "cosmos_delete_seconds": 90.0,
                "cosmos_resource_seconds": 20.0,
                "cosmos_lag_seconds": 90.0,
            }
        )
        self.provider = CosmosDb(self.settings, self.faults)
        self.asked: list[tuple[str, str]] = []
        self.sent: list[tuple[str, str, Any]] = []
        self.actions: set[str] = set()
        self.denied: set[str] = set()
        self.kill_at: int | None = None
        self.kill_after_effect = False
        self.lock = RLock()

    def open(self) -> None: ...
    def close(self) -> None: ...
    def __exit__(self, *details: object) -> None: ...
    def sleep(self, seconds: float) -> None:
        """Between two polls of the one operation that is waited for."""
        self.clock.advance(5.0)

    @property
    def accounts(self) -> dict[str, Any]:
        self.provider.settle(self.clock.now().timestamp())
        return self.provider.inventory.accounts

    def send(self, request: Any, **options: Any) -> Any:
        with self.lock:
            return self._send(request)

    def _send(self, request: Any) -> Any:
        url = urlsplit(unquote(request.url))
        content = getattr(request, "content", None) or b""
        body = json.loads(content) if content.strip() else None
        self.asked.append((request.method, url.path))
        is_change = request.method not in READS
        if is_change:
            self.sent.append((request.method, url.path, body))
        dies = is_change and self.kill_at == len(self.sent)
        if dies and not self.kill_after_effect:
            raise Killed
        fault = self.faults.of_request(request.method, url.path)
        if fault and fault.kind == "refuse":
            return _response(request, fault.status, {"error": {"code": fault.code, "message": fault.message}}, fault.headers)
        try:
            status, answer, headers = self._answer(request.method, url.path, dict(parse_qsl(url.query)), body)
        except RefusedError as error:
            status, answer, headers = error.status, {"error": {"code": error.code, "message": str(error)}}, {}
        if dies:
            raise Killed
        return _response(request, status, answer, headers)

    def _answer(self, method: str, path: str, query: dict[str, str], body: Any) -> tuple[int, Any, Mapping[str, str]]:
        now = self.clock.now().timestamp()
        action = action_of(method, path)
        if action in self.denied:
            raise RefusedError(403, "AuthorizationFailed", f"no authorization to perform action '{action}'")
        self.actions.add(action)
        self.provider.settle(now)
        for route in self.provider.routes:
            names = route.match(path)
            if names is not None and route.method == method:
                model = route.bodies[query["api-version"]]
                checked = bodies.checked(body, model) if model else {}

                def may(action: str, _: str) -> bool:
                    self.actions.add(action)
                    return action not in self.denied

                given = Request(method, path, query, checked, "me", "https://arm", now, may, names)
                answer = route.handle(given)
                return answer.status, answer.body, answer.headers
        raise RefusedError(404, "InvalidResourceType", f"no route for {method} {path}")


def _response(request: Any, status: int, body: Any, headers: Mapping[str, str]) -> Any:
    raw = requests.Response()
    raw.status_code, raw.reason = status, "as asked"
    raw.headers.update({"Content-Type": "application/json", **headers})
    content = b"" if body is None else json.dumps(body).encode()
    raw.raw = urllib3.HTTPResponse(preload_content=False, body=io.BytesIO(content))
    return RestRequestsTransportResponse(request=request, internal_response=raw)


class CosmosWorld:
    def __init__(self, *, ttl: int | None = 3600, regions: int = 2, **properties: Any) -> None:
        self.clock = FakeClock()
        self.azure = InProcess(self.clock)
        self.client = open_client(Credential(), SUBSCRIPTION, transport=self.azure, polling_interval=0)
        self.waited: list[float] = []
        self.calls = Calls(self.client, GROUP, monotonic=self.clock.monotonic, pause=self.waited.append)
        self._make(ttl, regions, properties)
        self.azure.settings.change({"cosmos_resource_seconds": 20.0})
        self.clock.advance(7200)
        self.point = self.clock.now().replace(microsecond=0)
        self.clock.advance(60)
        self.write("account", "after")
        self.clock.advance(600)
        self.azure.asked.clear()
        self.azure.sent.clear()
        self.azure.actions.clear()
        self.database = CosmosAccount(subscription=SUBSCRIPTION, resource_group=GROUP, account=NAME)
        self.access = self.new_process()

    def _make(self, ttl: int | None, regions: int, properties: Mapping[str, Any]) -> None:
        self.azure.settings.change({"cosmos_resource_seconds": 0.0})
        locations = [
            {"locationName": name, "failoverPriority": index, "isZoneRedundant": index == 1}
            for index, name in enumerate(("West US", "East US")[:regions])
        ]
        self.client.database_accounts.begin_create_or_update(
            GROUP,
            NAME,
            {
                "location": "West US",
                "kind": "GlobalDocumentDB",
                "tags": {"team": "payments"},
                "identity": {"type": "UserAssigned", "userAssignedIdentities": {"/identities/bank": {}}},
                "properties": {"databaseAccountOfferType": "Standard", "locations": locations, **FULL, **properties},
            },
            polling=False,
        )
        self.clock.advance(10)
        sql = self.client.sql_resources
        for database, names in CONTAINERS.items():
            options = {"throughput": 1000} if database == "scalardb" else {}
            sql.begin_create_update_sql_database(
                GROUP, NAME, database, {"properties": {"resource": {"id": database}, "options": options}}, polling=False
            )
            for name in names:
                self.add_container(database, name, ttl=ttl if name == "history" else None)
        guid = "0000-role"
        definition = {
            "roleName": "reader",
            "type": "CustomRole",
            "assignableScopes": [f"{ACCOUNT_ID}/dbs/bank"],
            "permissions": [{"dataActions": ["Microsoft.DocumentDB/databaseAccounts/readMetadata"]}],
        }
        sql.begin_create_update_sql_role_definition(guid, GROUP, NAME, {"properties": definition}, polling=False)
        self.clock.advance(1)
        assignment = {
            "roleDefinitionId": f"{ACCOUNT_ID}/sqlRoleDefinitions/{guid}",
            "principalId": "someone",
            "scope": f"{ACCOUNT_ID}/dbs/bank",
        }
        sql.begin_create_update_sql_role_assignment("0000-grant", GROUP, NAME, {"properties": assignment}, polling=False)
        self.clock.advance(1)
        self.write("account", "before")

    def add_container(self, database: str, name: str, *, ttl: int | None = None, account: str = NAME) -> None:
        sql = self.client.sql_resources
        resource: dict[str, Any] = {"id": name, "partitionKey": PARTITION, "indexingPolicy": INDEXING}
        resource |= {"defaultTtl": ttl} if ttl is not None else {}
        options: dict[str, Any] = {} if database == "scalardb" else {"throughput": 700}
        if name == "account":
            options = {"autoscaleSettings": {"maxThroughput": 4000}}
        body = {"properties": {"resource": resource, "options": options}}
        sql.begin_create_update_sql_container(GROUP, account, database, name, body, polling=False)
        self.clock.advance(30)
        self.add_procedure(account, database, name)

    def add_procedure(self, account: str, database: str, container: str) -> None:
        script = {"properties": {"resource": {"id": "mutate.js", "body": "function mutate() {}"}, "options": {}}}
        self.client.sql_resources.begin_create_update_sql_stored_procedure(
            GROUP, account, database, container, "mutate.js", script, polling=False
        )
        self.clock.advance(1)

    def repair_all(self, account: str) -> None:
        """What the Schema Loader does."""
        for database, names in CONTAINERS.items():
            for name in names:
                self.add_procedure(account, database, name)
        self.clock.advance(60)

    def write(self, container: str, text: str, account: str = NAME) -> None:
        now = self.clock.now().timestamp()
        held = self.azure.accounts[account].contents
        held.put_document("bank", container, ("k", "1"), {"id": "1", "concatenatedPartitionKey": "k", "text": text}, now)

    def text(self, account: str, container: str = "account") -> str:
        held = self.azure.accounts[account].contents.databases["bank"].containers[container]
        return str(held.documents["k", "1"]["text"])

    def new_process(self) -> CosmosAccess:
        return CosmosAccess(
            Credential(),
            self.clock,
            open_management=lambda credential, subscription: open_client(
                credential, subscription, transport=self.azure, polling_interval=0
            ),
            pause=self.waited.append,
        )

    def settings(self, name: str = NAME) -> CosmosSettings:
        return read(Account(self.calls.account(name)), self.clock.now(), self.calls)

    def storages(self, account: str = NAME, **more: Any) -> tuple[ReleaseStorage, ...]:
        given = {"name": "default", "kind": "cosmos", "contact_point": f"https://{account}.documents.azure.com:443/"}
        return (ReleaseStorage(release="bank/scalar", source="ConfigMap", storages=(Storage(**{**given, **more}),)),)

    def protect(self) -> DatabaseProtection:
        reached: DatabaseProtection | None = None
        for _ in range(200):
            reached = self.access.protect(self.database, (), self.point, True, reached)
            reached = from_record(to_record(reached), DatabaseProtection)
            if reached.done:
                return reached
            assert 1 <= reached.wait_seconds <= 60
            self.clock.advance(reached.wait_seconds)
        raise AssertionError(f"not done: {reached}")

    def order(self, protection: DatabaseProtection | None = None, **more: Any) -> RestoreOrder:
        at: datetime | None = protection.point if protection else self.point
        given: dict[str, Any] = {
            "database": self.database,
            "run": RUN,
            "stamp": STAMP,
            "target": Target.IN_PLACE,
            "at": at,
            "protection": protection,
        }
        return RestoreOrder(**{**given, **more})

    def until(
        self, call: Callable[[DatabaseRestore | None], DatabaseRestore], reached: DatabaseRestore | None = None
    ) -> DatabaseRestore:
        """Calls until done; what is returned goes through the catalog's form. A killed process is started again."""
        for _ in range(3_000):
            try:
                reached = from_record(to_record(call(reached)), DatabaseRestore)
            except Killed:
                self.azure.kill_at = None
                self.access = self.new_process()
                continue
            if reached.done:
                return reached
            assert 1 <= reached.wait_seconds <= 60
            self.clock.advance(reached.wait_seconds)
        raise AssertionError(f"not done after 3,000 calls: {reached}")

    def prepare(self, order: RestoreOrder, reached: DatabaseRestore | None = None) -> DatabaseRestore:
        return self.until(lambda so_far: self.access.restore(order, so_far), reached)

    def cut_over(self, order: RestoreOrder, reached: DatabaseRestore) -> DatabaseRestore:
        return self.until(lambda so_far: self.access.cut_over(order, so_far or reached), reached)

    def restore(self, order: RestoreOrder) -> DatabaseRestore:
        return self.cut_over(order, self.prepare(order))

    def discard(self, order: RestoreOrder, restored: DatabaseRestore) -> DatabaseRestore:
        done = self.until(lambda so_far: self.access.discard(order, so_far or restored), restored)
        assert done.stage is RestoreStage.DISCARDED
        return done

    def undo(self, order: RestoreOrder, restored: DatabaseRestore) -> RestoreOrder:
        stamp = order.stamp.replace("t04", "t05")
        return self.order(run=order.run.replace("T04", "T05"), stamp=stamp, at=None, undo=restored)

    def later(self, hours: float) -> None:
        self.clock.advance(timedelta(hours=hours).total_seconds())
