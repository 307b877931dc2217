"""Banks on RDS and across releases in a whole world: pods move their money, and a restored bank is found, row for row, only
where the properties of its releases lead."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from infra.sandbox import bank_worlds
from infra.sandbox.bank import damage
from infra.sandbox.bank.layouts import audit_live, fingerprint, on_multi_storage, on_relational, on_two_releases
from infra.sandbox.cluster.api.resources import CONFIG_MAPS, DEPLOYMENTS
from infra.sandbox.world import NAMESPACE, Scale, World

WAIT_SECONDS = 60.0


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with World(Scale(pods=1, workers=0)) as running:
        running.aws.settings(rds_lag_seconds=0.2, rds_create_seconds=0.1, rds_backup_seconds=0.05, rds_restore_seconds=0.2)
        yield running


def until_at_work(world: World, *helm_releases: str) -> None:
    """Until every account table of the releases has records that a transfer wrote."""
    ends_at = time.monotonic() + WAIT_SECONDS
    while True:
        layout = bank_worlds.live_layout(world, *helm_releases)
        rows = {table: part.rows(table) for part in layout.parts() for table in part.tables if table in layout.account_tables}
        if all(any(row["tx_version"] > 1 for row in found) for found in rows.values()):
            return
        assert time.monotonic() < ends_at, f"No transfer in some of {', '.join(rows)} within {WAIT_SECONDS:.0f} s."
        time.sleep(0.1)


def stop(world: World, *helm_releases: str) -> None:
    for helm_release in helm_releases:
        (deployment,) = world.kube.list_objects(DEPLOYMENTS, NAMESPACE, f"app.kubernetes.io/instance={helm_release}")
        world.kube.patch(DEPLOYMENTS, NAMESPACE, deployment["metadata"]["name"], {"spec": {"replicas": 0}})
    ends_at = time.monotonic() + WAIT_SECONDS
    while any(world.pods_of(helm_release) for helm_release in helm_releases):
        assert time.monotonic() < ends_at
        time.sleep(0.1)


def restore(world: World, source: str, target: str) -> str:
    """The instance as it was at the beginning of this second, once that can be asked for; the host of its endpoint."""
    rds = world.aws.client("rds")
    ends_at = time.monotonic() + WAIT_SECONDS

    def described(identifier: str) -> Any:
        assert time.monotonic() < ends_at
        time.sleep(0.1)
        return rds.describe_db_instances(DBInstanceIdentifier=identifier)["DBInstances"][0]

    at = datetime.now(UTC).replace(microsecond=0)
    while described(source)["LatestRestorableTime"] < at:
        pass
    rds.restore_db_instance_to_point_in_time(
        SourceDBInstanceIdentifier=source, TargetDBInstanceIdentifier=target, RestoreTime=at
    )
    while (found := described(target))["DBInstanceStatus"] != "available":
        pass
    host: str = found["Endpoint"]["Address"]
    return host


def test_a_restored_instance_is_seen_only_where_the_properties_lead_and_holds_exactly_the_rows_of_then(world: World) -> None:
    layout, release = on_relational(bank_worlds.create_instance(world.aws, "orders-db"))
    opening = bank_worlds.open_bank(layout)
    bank_worlds.install(world, "on-rds", release, opening, workers=2)
    until_at_work(world, "on-rds")
    stop(world, "on-rds")
    time.sleep(1.0)
    then = fingerprint(layout)
    host = restore(world, "orders-db", "orders-db-restored")
    damage.overwrite_rows(layout, "bank.savings")
    damage.drop_table(layout, "bank.wallets")

    still = bank_worlds.live_layout(world, "on-rds")
    assert not audit_live(still, opening).is_consistent
    assert fingerprint(still) != then

    name = "on-rds-scalardb-cluster-node-properties"
    data = world.kube.get(CONFIG_MAPS, NAMESPACE, name)["data"]
    led = {key: re.sub(r"//[^:]+:5432", f"//{host}:5432", text) for key, text in data.items()}
    world.kube.patch(CONFIG_MAPS, NAMESPACE, name, {"data": led})
    restored = bank_worlds.live_layout(world, "on-rds")
    assert set(restored.storages) == {f"{host}:5432"}
    assert fingerprint(restored) == then
    result = audit_live(restored, opening)
    assert result.is_consistent, result.explain()


def test_pods_on_aurora_and_dynamodb_move_money_between_both(world: World) -> None:
    aurora = bank_worlds.create_aurora(world.aws, "orders-aurora", "aurora-mysql", instances=1)
    layout, release = on_multi_storage(bank_worlds.dynamodb_of(world.aws, "multi_"), aurora)
    opening = bank_worlds.open_bank(layout)
    bank_worlds.install(world, "on-both", release, opening, workers=2)
    until_at_work(world, "on-both")
    stop(world, "on-both")
    result = audit_live(bank_worlds.live_layout(world, "on-both"), opening)
    assert result.is_consistent, result.explain()


def test_pods_of_two_releases_move_money_between_their_databases_and_all_of_it_is_there(world: World) -> None:
    second_database = bank_worlds.create_multi_az_cluster(world.aws, "payments", "mysql")
    layout, first, second = on_two_releases(bank_worlds.dynamodb_of(world.aws, "two_"), second_database)
    opening = bank_worlds.open_bank(layout)
    bank_worlds.install_two(world, ("front", first), ("back", second), opening, workers=2)
    until_at_work(world, "front", "back")
    stop(world, "front", "back")
    result = audit_live(bank_worlds.live_layout(world, "front", "back"), opening)
    assert result.is_consistent, result.explain()
    assert fingerprint(layout) == fingerprint(bank_worlds.live_layout(world, "front", "back"))
