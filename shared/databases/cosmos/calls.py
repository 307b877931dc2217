"""Calls to Azure Resource Manager about one resource group's Cosmos DB accounts: with time-outs, retries at this one level, and
errors in our words. Documents are the API's own JSON.

Long-running operations are begun here and never waited for: what has come of them is seen by the next look at the resource.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any, TypeVar

from shared.databases.azure_errors import in_our_words
from shared.model.errors import Misconfigured, Throttled
from shared.model.secret_text import SecretText
from shared.model.times import iso

PROVIDER = "Microsoft.DocumentDB"
ACCOUNTS = f"{PROVIDER}/databaseAccounts"
RESTORABLE = f"{PROVIDER}/locations/restorableDatabaseAccounts"
CONTAINERS = f"{ACCOUNTS}/sqlDatabases/containers"
CONNECT_SECONDS, READ_SECONDS = 3.0, 20.0
TRIES = 3
"""How often a connection is attempted. An answer is never asked for again here: the engine waits, which costs nothing, and only
`Calls.at_once`, which asks many things, waits when it is throttled."""
MOST_AT_ONCE = 12
PATIENCE_SECONDS = 120.0
"""Resource Manager gives a principal some 250 reads at once and 25 a second after that ("Understand how Azure Resource Manager
throttles requests"); an account with many containers takes more, and asking anew from the start would never come to an end."""
BACKUP_POLL_SECONDS, BACKUP_SECONDS = 1.0, 15.0
"""retrieveContinuousBackupInformation has no resource to look at: its own answer is waited for, this long at most."""
_US_TIME = "%m/%d/%Y %I:%M:%S %p"

Document = dict[str, Any]
T = TypeVar("T")
R = TypeVar("R")


def open_client(credential: Any, subscription: str, **options: Any) -> Any:
    """The client of azure-mgmt-cosmosdb. `options` are its own: `base_url` and `credential_scopes` in other clouds."""
    from azure.mgmt.cosmosdb import CosmosDBManagementClient

    settings = {
        "connection_timeout": CONNECT_SECONDS,
        "read_timeout": READ_SECONDS,
        "retry_total": TRIES - 1,
        "retry_connect": TRIES - 1,
        "retry_read": 0,
        "retry_status": 0,
        "retry_backoff_factor": 0.2,
        "polling_interval": BACKUP_POLL_SECONDS,
    }
    return CosmosDBManagementClient(credential, subscription, **{**settings, **options})


class Calls:
    """Every method raises Throttled, Unreachable, Forbidden, NotReady, Conflict or Misconfigured; `azure_errors.none_if_gone`
    makes None of what does not exist. Safe to use from several threads. `pause` blocks a thread for some seconds of
    `monotonic`."""

    def __init__(
        self,
        client: Any,
        resource_group: str,
        *,
        monotonic: Callable[[], float],
        pause: Callable[[float], None],
    ) -> None:
        self._client, self._group = client, resource_group
        self._monotonic, self._pause = monotonic, pause

    def at_once(self, call: Callable[[T], R], items: Iterable[T]) -> list[R]:
        """The results in the order of `items`; the first failure is raised. Being throttled is waited out, for a while."""
        ends_at = self._monotonic() + PATIENCE_SECONDS

        def patiently(item: T) -> R:
            while True:
                try:
                    return call(item)
                except Throttled as error:
                    if self._monotonic() + error.retry_after_seconds > ends_at:
                        raise
                    self._pause(error.retry_after_seconds)

        with ThreadPoolExecutor(MOST_AT_ONCE, thread_name_prefix="cosmos") as threads:
            return list(threads.map(patiently, items))

    def account(self, name: str) -> Document:
        with in_our_words(f"{ACCOUNTS}/read", name):
            return _document(self._client.database_accounts.get(self._group, name))

    def accounts(self) -> list[Document]:
        """Of the resource group."""
        with in_our_words(f"{ACCOUNTS}/read", self._group):
            return _documents(self._client.database_accounts.list_by_resource_group(self._group))

    def begin_put(self, name: str, document: Mapping[str, Any]) -> None:
        """Creates an account, or restores into a new one."""
        action = f"{RESTORABLE}/restore/action and {ACCOUNTS}/write"
        with in_our_words(action, name):
            self._client.database_accounts.begin_create_or_update(self._group, name, dict(document), polling=False)

    def begin_patch(self, name: str, document: Mapping[str, Any]) -> None:
        with in_our_words(f"{ACCOUNTS}/write", name):
            self._client.database_accounts.begin_update(self._group, name, dict(document), polling=False)

    def begin_delete(self, name: str) -> None:
        with in_our_words(f"{ACCOUNTS}/delete", name):
            self._client.database_accounts.begin_delete(self._group, name, polling=False)

    def primary_key(self, name: str) -> SecretText:
        with in_our_words(f"{ACCOUNTS}/listKeys/action", name):
            found = self._client.database_accounts.list_keys(self._group, name)
        key = found.primary_master_key
        if not key:
            raise Misconfigured(f"Azure returned no key for Cosmos DB account {name}.")
        return SecretText(str(key))

    # -- restorable accounts: of the whole subscription, also those that are deleted

    def restorable_accounts(self, location: str) -> list[Document]:
        """Of a region: listing those of all regions at once would need a right that CosmosRestoreOperator does not give."""
        with in_our_words(f"{RESTORABLE}/read", location):
            return _documents(self._client.restorable_database_accounts.list_by_location(location))

    def restorable_contents(self, location: str, instance_id: str, region: str, at: datetime) -> dict[str, tuple[str, ...]]:
        """What there was at `at`: containers by database. `location` is the restorable account's own."""
        with in_our_words(f"{RESTORABLE}/*/read", instance_id):
            found = _documents(
                self._client.restorable_sql_resources.list(
                    location, instance_id, restore_location=region, restore_timestamp_in_utc=iso(at)
                )
            )
        return {item["databaseName"]: tuple(item.get("collectionNames") or ()) for item in found if item.get("databaseName")}

    def latest_restorable(self, account: str, database: str, container: str, region: str) -> datetime | None:
        """`latestRestorableTimestamp` of a container; None while the service has not answered in time, or has no backup yet."""
        with in_our_words(f"{CONTAINERS}/retrieveContinuousBackupInformation/action", f"{account}/{database}/{container}"):
            poller = self._client.sql_resources.begin_retrieve_continuous_backup_information(
                self._group, account, database, container, {"location": region}
            )
            poller.wait(BACKUP_SECONDS)
            found = _document(poller.result()) if poller.done() else {}
        text = (found.get("continuousBackupInformation") or {}).get("latestRestorableTimestamp")
        return restorable_time(text) if text else None

    # -- what is in an account

    def databases(self, account: str) -> list[str]:
        with in_our_words(f"{ACCOUNTS}/sqlDatabases/read", account):
            found = _documents(self._client.sql_resources.list_sql_databases(self._group, account))
        return sorted(item["properties"]["resource"]["id"] for item in found)

    def containers(self, account: str, database: str) -> list[Document]:
        """The `resource` of each."""
        with in_our_words(f"{CONTAINERS}/read", f"{account}/{database}"):
            found = _documents(self._client.sql_resources.list_sql_containers(self._group, account, database))
        return sorted((item["properties"]["resource"] for item in found), key=lambda resource: str(resource["id"]))

    def begin_put_container(self, account: str, database: str, resource: Mapping[str, Any]) -> None:
        name = str(resource["id"])
        with in_our_words(f"{CONTAINERS}/write", f"{account}/{database}/{name}"):
            self._client.sql_resources.begin_create_update_sql_container(
                self._group, account, database, name, {"properties": {"resource": dict(resource), "options": {}}}, polling=False
            )

    def throughput(self, account: str, database: str, container: str = "") -> Document:
        """The `resource` of a database's or container's throughput settings; NotReady (404) where it has none of its own."""
        scope = f"{account}/{database}/{container}".rstrip("/")
        with in_our_words(f"{ACCOUNTS}/sqlDatabases{'/containers' if container else ''}/throughputSettings/read", scope):
            operations = self._client.sql_resources
            found = (
                operations.get_sql_container_throughput(self._group, account, database, container)
                if container
                else operations.get_sql_database_throughput(self._group, account, database)
            )
        resource: Document = _document(found)["properties"]["resource"]
        return resource

    def begin_set_throughput(self, account: str, database: str, container: str, resource: Mapping[str, Any]) -> None:
        """`resource` is `{"throughput": n}` or `{"autoscaleSettings": {"maxThroughput": n}}`."""
        scope, what = f"{account}/{database}/{container}".rstrip("/"), "containers/" if container else ""
        body = {"properties": {"resource": dict(resource)}}
        with in_our_words(f"{ACCOUNTS}/sqlDatabases/{what}throughputSettings/write", scope):
            operations = self._client.sql_resources
            if container:
                operations.begin_update_sql_container_throughput(self._group, account, database, container, body, polling=False)
            else:
                operations.begin_update_sql_database_throughput(self._group, account, database, body, polling=False)

    def begin_migrate_throughput(self, account: str, database: str, container: str, *, autoscale: bool) -> None:
        """From fixed to autoscale or back; the number is set by a call of its own afterwards."""
        way = "autoscale" if autoscale else "manual_throughput"
        scope = f"{account}/{database}/{container}".rstrip("/")
        verb = "migrateToAutoscale" if autoscale else "migrateToManualThroughput"
        with in_our_words(f"{ACCOUNTS}/sqlDatabases/throughputSettings/{verb}/action", scope):
            operations = self._client.sql_resources
            if container:
                begin = getattr(operations, f"begin_migrate_sql_container_to_{way}")
                begin(self._group, account, database, container, polling=False)
            else:
                getattr(operations, f"begin_migrate_sql_database_to_{way}")(self._group, account, database, polling=False)

    def scripts(self, kind: str, account: str, database: str, container: str) -> tuple[str, ...]:
        """Names. `kind` is stored_procedures, triggers or user_defined_functions."""
        action = {"user_defined_functions": "userDefinedFunctions", "stored_procedures": "storedProcedures"}.get(kind, kind)
        with in_our_words(f"{CONTAINERS}/{action}/read", f"{account}/{database}/{container}"):
            found = _documents(
                getattr(self._client.sql_resources, f"list_sql_{kind}")(self._group, account, database, container)
            )
        return tuple(sorted(item["properties"]["resource"]["id"] for item in found))

    # -- the data plane's own roles

    def role_definitions(self, account: str) -> list[Document]:
        with in_our_words(f"{ACCOUNTS}/sqlRoleDefinitions/read", account):
            return _documents(self._client.sql_resources.list_sql_role_definitions(self._group, account))

    def role_assignments(self, account: str) -> list[Document]:
        with in_our_words(f"{ACCOUNTS}/sqlRoleAssignments/read", account):
            return _documents(self._client.sql_resources.list_sql_role_assignments(self._group, account))

    def begin_put_role(self, account: str, guid: str, properties: Mapping[str, Any]) -> None:
        with in_our_words(f"{ACCOUNTS}/sqlRoleDefinitions/write", f"{account}/{guid}"):
            self._client.sql_resources.begin_create_update_sql_role_definition(
                guid, self._group, account, {"properties": dict(properties)}, polling=False
            )

    def begin_put_role_assignment(self, account: str, guid: str, properties: Mapping[str, Any]) -> None:
        with in_our_words(f"{ACCOUNTS}/sqlRoleAssignments/write", f"{account}/{guid}"):
            self._client.sql_resources.begin_create_update_sql_role_assignment(
                guid, self._group, account, {"properties": dict(properties)}, polling=False
            )


def restorable_time(text: str) -> datetime:
    """`10/26/2021 5:27:45 PM`, in UTC ("Get the latest restorable timestamp"); also RFC 3339, as the rest of the API writes."""
    try:
        return datetime.strptime(text, _US_TIME).replace(tzinfo=UTC)
    except ValueError:
        pass
    try:
        return api_time(text)
    except ValueError as error:
        raise Misconfigured(f"Azure's latestRestorableTimestamp {text!r} is not a time in a known form.") from error


def api_time(text: str) -> datetime:
    """A time of the API; one without an offset is in UTC."""
    moment = datetime.fromisoformat(text)
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _document(model: Any) -> Document:
    found: Document = model.as_dict()
    return found


def _documents(models: Iterable[Any]) -> list[Document]:
    return [_document(model) for model in models]
