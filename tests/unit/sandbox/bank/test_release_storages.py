"""Which databases a release's properties name, and which table is in which: ScalarDB's own rules."""

from __future__ import annotations

import pytest

from infra.sandbox.bank.layouts import on_dynamodb, on_multi_storage, on_relational
from infra.sandbox.bank.relational import Relational
from infra.sandbox.bank.release_storages import storages_of
from infra.sandbox.bank.storages import DynamoDb
from infra.sandbox.pods.properties import PropertiesError

SQL_URL = "http://127.0.0.1:1"
DYNAMODB = DynamoDb("ap-northeast-1", "id", "secret-key", "http://127.0.0.1:2", "prod-")
RDS = Relational("jdbc:postgresql://orders:5432/bank", "bank", "secret-password", SQL_URL)
MULTI = {
    "scalar.db.storage": "multi-storage",
    "scalar.db.multi_storage.storages": "a, b",
    "scalar.db.multi_storage.default_storage": "a",
    "scalar.db.username": "bank",
    "scalar.db.password": "secret-password",
    "scalar.db.multi_storage.storages.a.storage": "jdbc",
    "scalar.db.multi_storage.storages.a.contact_points": "jdbc:mysql://a/",
    "scalar.db.multi_storage.storages.b.storage": "jdbc",
    "scalar.db.multi_storage.storages.b.contact_points": "jdbc:mysql://b/",
    "scalar.db.multi_storage.storages.b.username": "other",
    "scalar.db.multi_storage.namespace_mapping": "bank:b, coordinator:b",
    "scalar.db.multi_storage.table_mapping": "bank.savings:a",
}


@pytest.mark.parametrize(("layout", "storage"), [(on_dynamodb, DYNAMODB), (on_relational, RDS)])
def test_the_properties_of_a_layout_lead_back_to_its_database(layout, storage) -> None:  # type: ignore[no-untyped-def]
    found = storages_of(layout(storage)[1].properties, SQL_URL)
    assert found is not None
    assert found.storage_of("bank.savings") == found.storage_of("coordinator.state") == storage


def test_the_properties_of_multi_storage_lead_each_table_to_its_own_database() -> None:
    found = storages_of(on_multi_storage(DYNAMODB, RDS)[1].properties, SQL_URL)
    assert found is not None
    assert found.storage_of("bank.checking") == found.storage_of("coordinator.state") == DYNAMODB
    assert found.storage_of("branch.savings") == found.storage_of("branch.wallets") == RDS


@pytest.mark.parametrize(
    ("table", "storage"),
    [("bank.savings", "a"), ("bank.checking", "b"), ("coordinator.state", "b"), ("elsewhere.wallets", "a")],
)
def test_a_table_mapping_beats_a_namespace_mapping_which_beats_the_default(table: str, storage: str) -> None:
    found = storages_of(MULTI, SQL_URL)
    assert found is not None
    assert found.route(table) == storage


def test_a_storage_of_several_inherits_what_it_does_not_say_itself() -> None:
    found = storages_of(MULTI, SQL_URL)
    assert found is not None
    assert found.storages == {
        "a": Relational("jdbc:mysql://a/", "bank", "secret-password", SQL_URL),
        "b": Relational("jdbc:mysql://b/", "other", "secret-password", SQL_URL),
    }


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scalar.db.multi_storage.default_storage": ""}, "default_storage names the storage ''"),
        ({"scalar.db.multi_storage.namespace_mapping": "bank:c"}, "namespace_mapping names the storage 'c'.*: a, b"),
        ({"scalar.db.multi_storage.storages.a.contact_points": ""}, r"storages\.a\.contact_points is missing or empty"),
        ({"scalar.db.multi_storage.storages.a.contact_points": "orders:3306"}, "no host that can be read"),
    ],
)
def test_properties_with_which_no_server_would_start_are_refused_by_name(changes: dict[str, str], message: str) -> None:
    with pytest.raises(PropertiesError, match=message):
        storages_of(MULTI | changes, SQL_URL)


@pytest.mark.parametrize("kind", ["cosmos", "cassandra", ""])
def test_a_database_that_the_bank_does_not_speak_to_gives_no_bank(kind: str) -> None:
    assert storages_of({"scalar.db.storage": kind}, SQL_URL) is None
    assert storages_of(MULTI | {"scalar.db.multi_storage.storages.b.storage": kind}, SQL_URL) is None


def test_a_relational_database_in_a_world_without_rds_gives_no_bank() -> None:
    assert storages_of(MULTI, None) is None


def test_a_storage_shows_neither_its_key_nor_its_password() -> None:
    assert "secret" not in f"{DYNAMODB} {RDS} {DYNAMODB.name} {RDS.name}"
