"""Can an account be restored to a moment that is yet to come: the named checks of `check`. Only reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from difflib import get_close_matches
from urllib.parse import urlsplit

from shared.databases.cosmos.account import CONTINUOUS, STUCK, Account, find_account, find_restorable
from shared.databases.cosmos.calls import Calls
from shared.databases.cosmos.manifest import read
from shared.databases.cosmos.source import latest_of
from shared.model.checks import CheckResult, failed, passed, warned
from shared.model.cosmos_settings import STRONG, CosmosSettings
from shared.model.errors import Forbidden
from shared.model.naming import listed
from shared.model.plan import CosmosAccount
from shared.model.storage import ReleaseStorage, Storage
from shared.model.times import iso

USUAL_LAG = timedelta(seconds=200)
"""Backups are taken within 100 seconds of a write; doubled."""
METADATA, COORDINATOR_STATE = "metadata", "state"
"""ScalarDB's own containers, in its system namespace and in the coordinator's."""


def check(database: CosmosAccount, storages: Sequence[ReleaseStorage], now: datetime, calls: Calls) -> tuple[CheckResult, ...]:
    """A missing right is a failed check that names it.

    Raises:
        Unreachable, Throttled: the service could not be asked.
    """
    try:
        account = find_account(database.account, calls)
        if account is None:
            return (_missing(database, calls),)
        results = [*_account(database, account), *_backup_mode(database, account)]
        settings = read(account, now, calls)
        results += [*_access(database, settings), *_contents(database, account, settings, storages)]
        if account.backup_tier:
            results += _restorable(database, account, settings, now, calls)
        return tuple(results)
    except Forbidden as error:
        return (failed("cosmos-rights", database.key, error.message, error.hint),)


def _missing(database: CosmosAccount, calls: Calls) -> CheckResult:
    alike = get_close_matches(database.account, [found["name"] for found in calls.accounts()], n=3)
    meant = f" There are: {', '.join(alike)}." if alike else ""
    return failed(
        "cosmos-account",
        database.key,
        f"Cosmos DB account {database.account} does not exist in resource group {database.resource_group}.{meant}",
        "Check name, resource group and subscription. After a restore the plan has to name the restored account.",
    )


def _account(database: CosmosAccount, account: Account) -> Iterator[CheckResult]:
    subject = database.key
    if account.state in STUCK:
        yield failed("cosmos-account", subject, f"It is {account.state}.", "See its activity log in the portal.")
    else:
        yield passed("cosmos-account", subject, f"{account.name} ({account.instance_id}) is {account.state}")
    if account.api == "NoSQL":
        yield passed("cosmos-api", subject, "NoSQL")
    else:
        yield failed("cosmos-api", subject, f"Its API is {account.api}.", "ScalarDB uses the API for NoSQL only.")
    if account.is_serverless:
        yield failed("cosmos-capacity", subject, "Its capacity mode is serverless.", "ScalarDB needs provisioned throughput.")
    if account.consistency == STRONG:
        yield passed("cosmos-consistency", subject, STRONG)
    else:
        yield failed(
            "cosmos-consistency",
            subject,
            f"Its default consistency level is {account.consistency or 'not known'}.",
            f"ScalarDB needs {STRONG}: az cosmosdb update --default-consistency-level {STRONG}.",
        )
    if account.writes_everywhere:
        yield failed(
            "cosmos-write-regions",
            subject,
            "It is written to in several regions, which excludes the consistency level Strong; a restore has only what the hub "
            "region had confirmed, with conflict resolution reset.",
            "Turn multi-region writes off: az cosmosdb update --enable-multiple-write-locations false.",
        )
    if endpoints := account.properties.get("privateEndpointConnections"):
        yield warned(
            "cosmos-private-endpoints",
            subject,
            f"It is reached through {len(endpoints)} private endpoint(s).",
            "A restored account has none: keep at hand how they are made, with their DNS zone.",
        )


def _backup_mode(database: CosmosAccount, account: Account) -> Iterator[CheckResult]:
    subject = database.key
    if account.backup_type != CONTINUOUS:
        yield failed(
            "cosmos-backup-mode",
            subject,
            f"Its backup mode is {account.backup_type}: only Azure support can restore that, and to no chosen second.",
            "az cosmosdb update --backup-policy-type Continuous --continuous-tier Continuous7Days; it cannot be taken back.",
        )
        return
    yield passed("cosmos-backup-mode", subject, f"{CONTINUOUS}, {account.backup_days} days")


def _access(database: CosmosAccount, settings: CosmosSettings) -> Iterator[CheckResult]:
    subject = database.key
    if settings.local_auth_disabled:
        yield failed(
            "cosmos-keys", subject, "Its keys are disabled (disableLocalAuth).", "ScalarDB signs in with the account's key."
        )
    if settings.key_metadata_writes_disabled:
        yield failed(
            "cosmos-keys",
            subject,
            "Changes to metadata with a key are disabled (disableKeyBasedMetadataWriteAccess).",
            "With that the Schema Loader cannot bring back stored procedures after a restore: allow it.",
        )


def _contents(
    database: CosmosAccount, account: Account, settings: CosmosSettings, storages: Sequence[ReleaseStorage]
) -> Iterator[CheckResult]:
    """Does every namespace of the releases stand in this account, with ScalarDB's own containers."""
    subject = database.key
    named = list(_named_storages(account, storages))
    if storages and not named:
        yield failed(
            "cosmos-endpoint",
            subject,
            f"No release names {account.url}, so none could be led to a restored account.",
            "Write the account's own URI into scalar.db.contact_points.",
        )
        return
    have = {item.path for item in settings.containers}
    filled = {item.database for item in settings.containers}
    missing = sorted(
        {path for release, storage in named for path in _own_containers(release, storage) if path not in have}
        | {f"{namespace} (namespace)" for _, storage in named for namespace in storage.namespaces if namespace not in filled}
    )
    if missing:
        yield failed(
            "cosmos-containers",
            subject,
            f"{account.name} lacks {listed(missing)}.",
            "Apply the schema with the Schema Loader (and --coordinator), or correct the namespaces in the properties.",
        )
    elif named:
        yield passed(
            "cosmos-containers", subject, f"{len(settings.containers)} containers in {len(settings.databases)} databases"
        )


def _named_storages(account: Account, storages: Sequence[ReleaseStorage]) -> Iterator[tuple[ReleaseStorage, Storage]]:
    for release in storages:
        for storage in release.storages:
            if storage.kind == "cosmos" and (urlsplit(storage.contact_point).hostname or "") == account.host:
                yield release, storage


def _own_containers(release: ReleaseStorage, storage: Storage) -> Iterator[str]:
    yield f"{storage.system_namespace}/{METADATA}"
    mapped = {namespace for one in release.storages for namespace in one.namespaces}
    is_default = storage.name == release.default_storage
    if storage.coordinator_namespace in storage.namespaces or (is_default and storage.coordinator_namespace not in mapped):
        yield f"{storage.coordinator_namespace}/{COORDINATOR_STATE}"


def _restorable(
    database: CosmosAccount, account: Account, settings: CosmosSettings, now: datetime, calls: Calls
) -> Iterator[CheckResult]:
    subject = database.key
    found = find_restorable(account.name, account.instance_id, account.write_region, calls)
    if found is None:
        yield failed(
            "cosmos-restorable",
            subject,
            f"The subscription has no restorable account {account.name} with instance id {account.instance_id}.",
            "Continuous mode takes up to a day to become restorable after it was turned on; then check the role "
            "CosmosRestoreOperator at the scope of the subscription.",
        )
        return
    earliest = found.earliest(account.backup_days, now)
    if earliest and earliest > now:
        yield failed("cosmos-restorable", subject, f"Restorable only from {iso(earliest)} on.", "Take the backup after that.")
        return
    yield passed("cosmos-restorable", subject, f"restorable from {iso(earliest)} on" if earliest else found.resource_id)
    latest = latest_of(account, settings, calls)
    if latest is not None and now - latest > USUAL_LAG:
        yield warned(
            "cosmos-recovery-lag",
            subject,
            f"One of its containers was last backed up {(now - latest).total_seconds():.0f} s ago.",
            "A backup waits until every container has its point.",
        )
