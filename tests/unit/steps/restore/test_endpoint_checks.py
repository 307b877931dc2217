"""Before a restore: can the properties be led to where the databases will be, with their keys, and can schemas be repaired."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from shared.model.checks import passed
from shared.model.plan import AksCluster, CosmosAccount, FlexibleServer, Plan, Release
from shared.model.storage import ReleaseStorage, Storage
from shared.steps.restore.endpoint_checks import check_endpoints

ORDERS = Release(cluster=AksCluster(name="c", resource_group="g", subscription="s"), namespace="scalar", helm_release="orders")
LEDGER = Release(cluster=ORDERS.cluster, namespace="scalar", helm_release="ledger")
COSMOS = CosmosAccount(subscription="s", resource_group="g", account="bank")
SERVER = FlexibleServer(engine="postgresql", subscription="s", resource_group="g", server="ledger")
STORAGES = (
    ReleaseStorage(
        release=ORDERS.key,
        source="ConfigMap",
        storages=(Storage(name="default", kind="cosmos", contact_point="https://bank.documents.azure.com:443/"),),
    ),
    ReleaseStorage(
        release=LEDGER.key,
        source="ConfigMap",
        storages=(
            Storage(name="default", kind="jdbc", contact_point="jdbc:postgresql://ledger.postgres.database.azure.com:5432/l"),
        ),
    ),
)


class Asked:
    def __init__(self) -> None:
        self.moves: list[Any] = []
        self.repairs: list[str] = []
        self.endpoints = SimpleNamespace(find=self._find)
        self.schema_repair = SimpleNamespace(check=self._check)

    def _find(self, releases: Any, moves: Any) -> Any:
        self.moves = list(moves)
        return tuple(passed("restore-endpoints", release.key) for release in releases)

    def _check(self, releases: Any) -> Any:
        self.repairs = [release.key for release in releases]
        return tuple(passed("restore-schema-repair", release.key) for release in releases)


def checked(*storages: ReleaseStorage) -> tuple[Asked, list[Any]]:
    asked = Asked()
    plan = Plan(name="p", releases=(ORDERS, LEDGER), databases=(COSMOS, SERVER))
    scope: Any = SimpleNamespace(plan=plan, storages=storages, restore=SimpleNamespace(undo_of=""))
    rooms: Any = asked
    return asked, check_endpoints(scope, rooms)


def test_on_azure_every_endpoint_is_led_and_only_the_accounts_key_changes_with_it() -> None:
    asked, results = checked(*STORAGES)
    assert [(move.old, move.credential_source) for move in asked.moves] == [
        ("bank.documents.azure.com", COSMOS.key),
        ("ledger.postgres.database.azure.com", ""),
    ]
    assert asked.repairs == [ORDERS.key]
    assert "restore-schema-repair" in {result.name for result in results}


def test_a_database_that_no_release_names_fails_by_its_key() -> None:
    _, results = checked(STORAGES[0])
    (failed,) = [result for result in results if result.name == "endpoint-led"]
    assert failed.subject == SERVER.key
