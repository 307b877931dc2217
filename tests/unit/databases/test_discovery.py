"""Which tables belong to a release, and what is said about how they were found."""

import pytest

from shared.model.checks import CheckStatus
from shared.model.errors import NotReady
from shared.model.plan import DynamoDb
from shared.model.storage import ReleaseStorage, Storage
from tests.unit.databases.fake_dynamodb import REGION
from tests.unit.databases.world import CORE, DATABASE, POINT, World, release


def check(world, database=DATABASE):
    return {result.name: result for result in world.access.check(database, world.storages)}


def found(world, database=DATABASE):
    return {item.name for item in world.access.protect(database, world.storages, world.clock.now(), False, None).items}


def test_declared_tables_the_coordinator_and_scalardbs_own_tables_are_found():
    assert found(World(["accounts", "history"])) == {*CORE, "bank.accounts", "bank.history"}


def test_a_metadata_table_of_many_pages_is_read_to_its_end():
    names = [f"t{number}" for number in range(30)]
    assert found(World(names)) == {*CORE, *(f"bank.{name}" for name in names)}


def test_an_older_release_without_a_namespaces_table_is_complete():
    world = World()
    world.account.tables.pop("scalardb.namespaces")
    assert "scalardb.namespaces" not in found(world)
    assert check(world)["dynamodb-tables"].status is CheckStatus.OK


def test_prefix_and_namespaces_of_the_properties_are_used():
    world = World()
    world.account.tables.clear()
    for name in ("p_sys.metadata", "p_coord.state", "p_bank.accounts", "scalardb.metadata", "bank.accounts"):
        world.account.add(name)
    world.account.tables["p_sys.metadata"].rows = [{"table": {"S": "p_bank.accounts"}}]
    world.storages = (release(namespace_prefix="p_", system_namespace="sys", coordinator_namespace="coord"),)
    assert found(world) == {"p_sys.metadata", "p_coord.state", "p_bank.accounts"}


def test_tables_of_others_and_our_own_side_tables_are_left_alone():
    world = World()
    for name in ("other.accounts", "bank2.accounts", "bank", "bank.a.b", "scalar-backup.20261124T030000Z.bank.accounts"):
        world.account.add(name)
    assert found(world) == {*CORE, "bank.accounts", "bank.history"}


def test_a_table_that_nobody_declared_is_included_with_a_warning_that_names_it():
    world = World()
    world.account.add("bank.forgotten")
    assert "bank.forgotten" in found(world)
    result = check(world)["dynamodb-undeclared"]
    assert result.status is CheckStatus.WARNING
    assert "bank.forgotten" in result.detail


def test_a_table_of_a_namespace_that_only_the_namespaces_table_knows_is_included():
    world = World()
    world.account.tables["scalardb.namespaces"].rows.append({"namespace_name": {"S": "audit"}})
    world.account.add("audit.log")
    assert "audit.log" in found(world)


def test_a_declared_table_that_does_not_exist_fails_the_check_by_name():
    world = World()
    world.declare("bank.lost")
    result = check(world)["dynamodb-tables"]
    assert result.status is CheckStatus.FAILED
    assert "bank.lost" in result.detail


def test_a_plan_that_names_tables_is_told_what_it_would_have_missed():
    world = World()
    database = DynamoDb(region=REGION, tables=("bank.accounts", "extra.notes"))
    world.account.add("extra.notes")
    assert found(world, database) == {*CORE, "bank.accounts", "bank.history", "extra.notes"}
    result = check(world, database)["dynamodb-plan-incomplete"]
    assert result.status is CheckStatus.WARNING
    assert "would have missed 4: bank.history, coordinator.state" in result.detail


def test_a_table_of_the_plan_that_does_not_exist_fails_the_check():
    result = check(World(), DynamoDb(region=REGION, tables=("bank.acounts",)))["dynamodb-plan-tables"]
    assert result.status is CheckStatus.FAILED
    assert "bank.acounts" in result.detail


@pytest.mark.parametrize(
    ("table", "name"), [("scalardb.metadata", "dynamodb-metadata"), ("coordinator.state", "dynamodb-coordinator")]
)
def test_a_missing_core_table_fails_the_check_with_the_properties_to_look_at(table, name):
    world = World()
    world.account.tables.pop(table)
    result = check(world)[name]
    assert (result.status, result.subject) == (CheckStatus.FAILED, table)
    assert "prod/scalar/orders" in result.detail
    assert "scalar.db." in result.hint


def test_an_empty_account_fails_the_check_in_clear_words():
    world = World()
    world.account.tables.clear()
    result = check(world)["dynamodb-empty"]
    assert result.status is CheckStatus.FAILED
    assert "no table of the plan's releases" in result.detail


def test_a_region_that_no_release_uses_fails_the_check():
    world = World()
    world.storages = ()
    assert "no release of the plan uses DynamoDB in this region" in check(world)["dynamodb-empty"].detail


def test_a_placeholder_without_a_value_fails_the_check_and_names_its_place():
    world = World()
    world.storages = (release(), release(namespace_prefix="${env:PREFIX}"))
    result = check(world)["dynamodb-properties"]
    assert result.status is CheckStatus.FAILED
    assert "ConfigMap orders of prod/scalar/orders, storage 'default': ${env:PREFIX} has no value" in result.detail


def multi_storage(*storages, default="a"):
    return (
        ReleaseStorage(release="prod/scalar/orders", source="ConfigMap orders", storages=storages, default_storage=default),
    )


def test_under_multi_storage_the_coordinator_is_expected_where_its_namespace_is_mapped_to():
    world = World()
    world.account.tables.pop("coordinator.state")
    world.account.tables["scalardb.metadata"].rows = [{"table": {"S": "bank.accounts"}}]
    here = Storage(name="a", kind="dynamo", contact_point=REGION, namespaces=("bank",))
    there = Storage(name="b", kind="jdbc", contact_point="jdbc:mysql://db/", namespaces=("coordinator",))
    world.storages = multi_storage(here, there)
    assert "dynamodb-coordinator" not in check(world)


def test_under_multi_storage_an_unmapped_coordinator_is_expected_in_the_default_storage():
    world = World()
    world.account.tables.pop("coordinator.state")
    here = Storage(name="a", kind="dynamo", contact_point=REGION)
    there = Storage(name="b", kind="jdbc", contact_point="jdbc:mysql://db/", namespaces=("bank",))
    world.storages = multi_storage(here, there)
    assert check(world)["dynamodb-coordinator"].status is CheckStatus.FAILED


def test_two_releases_with_one_schema_read_it_once():
    world = World()
    world.storages = (release(), release())
    check(world)
    assert world.account.calls["scan"] == 2 + (len(world.account.tables["scalardb.metadata"].rows) > 7)


def test_many_tables_are_listed_up_to_ten():
    world = World([])
    for number in range(25):
        world.declare(f"bank.lost{number:02}")
    assert check(world)["dynamodb-tables"].detail.endswith("bank.lost09 and 15 more.")


def test_another_dynamodb_in_the_properties_is_pointed_at():
    world = World()
    world.storages = (release(endpoint_override="http://dynamodb-local:8000"),)
    assert "talks to dynamodb-local:8000" in check(world)["dynamodb-endpoint"].detail


def test_an_endpoint_of_aws_in_the_properties_is_fine():
    world = World()
    world.storages = (release(endpoint_override=f"https://vpce-1.dynamodb.{REGION}.vpce.amazonaws.com"),)
    assert "dynamodb-endpoint" not in check(world)


def test_an_account_with_several_pages_of_tables_is_listed_to_its_end():
    world = World(["accounts"])
    for number in range(20):
        world.account.add(f"aaa.t{number}")
    assert found(world) == {*CORE, "bank.accounts"}
    assert world.account.calls["list_tables"] > 3


def test_a_table_dropped_through_scalardb_after_the_checks_is_missed_by_name():
    world = World(["accounts", "history"])
    named = world.access.with_tables(DATABASE, world.storages)
    assert set(named.tables) == {*CORE, "bank.accounts", "bank.history"}
    world.account.tables.pop("bank.history")
    metadata = world.account.tables["scalardb.metadata"]
    metadata.rows = [row for row in metadata.rows if row["table"]["S"] != "bank.history"]
    with pytest.raises(NotReady, match=r"do not exist: bank\.history"):
        world.access.protect(named, world.storages, POINT, False, None)
