"""Aurora clusters and Multi-AZ DB clusters of the strict sandbox: protected, restored beside, cut over, undone, discarded."""

from __future__ import annotations

from typing import Any

import pytest

from infra.sandbox.aws.process import RunningAws
from shared.model.checks import failures
from shared.model.records import from_record, to_record
from shared.model.restore import DatabaseRestore, RestoreStage, Target
from tests.contract.databases.clusters import QUICK, Clusters, led
from tests.contract.databases.conftest import WallClock

AURORA = [("aurora-mysql", "db.r6g.large"), ("aurora-postgresql", "db.r6g.large"), ("aurora-postgresql", "db.serverless")]


@pytest.fixture
def clusters(server: RunningAws) -> Clusters:
    server.reset()
    server.settings(**QUICK)
    return Clusters(server, WallClock())


def make(clusters: Clusters, engine: str, instance_class: str = "db.r6g.large") -> Any:
    if engine in ("mysql", "postgres"):
        return clusters.multi_az(engine)
    more = {}
    if instance_class == "db.serverless":
        more["ServerlessV2ScalingConfiguration"] = {"MinCapacity": 0.5, "MaxCapacity": 8}
    return clusters.aurora(engine, instance_class, **more)


@pytest.mark.parametrize(("engine", "instance_class"), [*AURORA, ("mysql", "db.m6gd.large"), ("postgres", "db.m6gd.large")])
def test_a_restored_cluster_bears_the_names_the_settings_and_the_data_of_the_point(
    clusters: Clusters, engine: str, instance_class: str
) -> None:
    database = make(clusters, engine, instance_class)
    access = clusters.access(database)
    before, names = clusters.cluster(), clusters.names()
    clusters.write("alice", 100)
    point = clusters.next_second()
    clusters.write("alice", 7)
    clusters.next_second()
    order = clusters.order(database, at=point)

    assert not failures(access.check(database, ()))
    foretold = access.forecast(order)
    assert not failures(foretold.checks)
    assert foretold.keeps == ("orders-old20261124t030014z",)
    restored = clusters.restored(order)

    assert restored.stage is RestoreStage.DONE
    assert restored.changed_live
    assert restored.endpoints == ()
    after = clusters.cluster()
    assert after["DbClusterResourceId"] != before["DbClusterResourceId"]
    assert (after["Endpoint"], after["ReaderEndpoint"]) == (before["Endpoint"], before["ReaderEndpoint"])
    assert clusters.read("alice") == 100
    assert not failures(access.verify(order, restored))
    assert names[0] <= clusters.names()[0]
    if engine.startswith("aurora"):
        assert names[1] <= clusters.names()[1]
        assert clusters.read("alice", before["CustomEndpoints"][0]) == 100
    old = clusters.cluster("orders-old20261124t030014z")
    assert old["DbClusterResourceId"] == before["DbClusterResourceId"]

    discarded = clusters.drive(lambda previous: access.discard(order, previous), restored)
    assert discarded.stage is RestoreStage.DISCARDED
    assert clusters.names()[0] == {"orders"}
    assert len(clusters.names()[1]) == 3
    assert clusters.cluster()["DbClusterResourceId"] == after["DbClusterResourceId"]


def test_an_undo_gives_the_old_cluster_its_names_back_and_an_undo_of_that_the_restored_one(clusters: Clusters) -> None:
    database = make(clusters, "aurora-mysql")
    access = clusters.access(database)
    names = clusters.names()[1]
    clusters.write("alice", 100)
    point = clusters.next_second()
    clusters.write("alice", 7)
    clusters.next_second()
    first = through_json(clusters.restored(clusters.order(database, at=point)))

    back_order = clusters.order(database, stamp="20261124t040000z", undo=first)
    back = through_json(clusters.restored(back_order))
    assert clusters.read("alice") == 7
    assert not failures(access.verify(back_order, back))
    assert names <= clusters.names()[1]

    again_order = clusters.order(database, stamp="20261124t050000z", undo=back)
    again = clusters.restored(again_order)
    assert clusters.read("alice") == 100
    assert not failures(access.verify(again_order, again))


def test_side_by_side_leaves_the_live_cluster_alone(clusters: Clusters) -> None:
    database = make(clusters, "aurora-postgresql")
    clusters.write("alice", 100)
    point = clusters.next_second()
    clusters.write("alice", 7)
    clusters.next_second()
    order = clusters.order(database, at=point, target=Target.SIDE_BY_SIDE)
    restored = clusters.restored(order)
    access = clusters.access(database)
    assert restored.stage is RestoreStage.DONE
    assert clusters.read("alice") == 7
    assert clusters.read("alice", clusters.cluster("orders-r20261124t030014z")["Endpoint"]) == 100
    assert not failures(access.verify(order, restored))
    clusters.drive(lambda previous: access.discard(order, previous), restored)
    assert clusters.names()[0] == {"orders"}


def test_with_endpoint_cut_over_nothing_is_renamed_and_every_endpoint_has_its_successor(clusters: Clusters) -> None:
    database = led(make(clusters, "aurora-mysql"))
    clusters.write("alice", 100)
    point = clusters.next_second()
    clusters.write("alice", 7)
    clusters.next_second()
    order = clusters.order(database, at=point)
    before = clusters.cluster()
    restored = clusters.restored(order)
    access = clusters.access(database)

    assert clusters.cluster()["DbClusterResourceId"] == before["DbClusterResourceId"]
    moves = {move.old: move.new for move in restored.endpoints}
    assert set(moves) >= {before["Endpoint"], before["ReaderEndpoint"], before["CustomEndpoints"][0]}
    assert {host.partition(".")[0] for host in moves} >= {"orders-0", "orders-1", "orders-2"}
    assert clusters.read("alice", moves[before["Endpoint"]]) == 100
    assert clusters.read("alice", moves[before["CustomEndpoints"][0]]) == 100
    assert not failures(access.verify(order, restored))

    undo = clusters.order(database, stamp="20261124t040000z", undo=through_json(restored))
    back = clusters.restored(undo)
    assert {move.new: move.old for move in back.endpoints} == moves
    discarded = clusters.drive(lambda previous: access.discard(order, previous), restored)
    assert discarded.done
    assert clusters.cluster("orders-r20261124t030014z")["Status"] == "available"


def test_a_deleted_cluster_is_restored_from_its_retained_backups_with_the_settings_of_the_point(clusters: Clusters) -> None:
    database = make(clusters, "aurora-mysql")
    access = clusters.access(database)
    clusters.write("alice", 100)
    point = clusters.next_second()
    clusters.next_second()
    protection = access.protect(database, (), point, True, None)
    assert protection.done
    clusters.rds.modify_db_cluster(DBClusterIdentifier="orders", DeletionProtection=False)
    for name in clusters.names()[1]:
        clusters.rds.delete_db_instance(DBInstanceIdentifier=name, SkipFinalSnapshot=True)
    clusters.rds.delete_db_cluster_endpoint(DBClusterEndpointIdentifier="orders-reports")
    clusters.rds.delete_db_cluster(DBClusterIdentifier="orders", SkipFinalSnapshot=True, DeleteAutomatedBackups=False)
    clusters.wait(lambda: not clusters.names()[0], "the cluster to be gone")

    order = clusters.order(database, at=point, protection=protection)
    foretold = access.forecast(order)
    assert not failures(foretold.checks)
    assert foretold.keeps == ()
    restored = clusters.restored(order)
    assert clusters.read("alice") == 100
    assert not failures(access.verify(order, restored))


def test_a_snapshot_of_the_window_restores_a_point_that_the_window_has_let_go(clusters: Clusters) -> None:
    database = make(clusters, "aurora-mysql")
    access = clusters.access(database)
    clusters.write("alice", 100)
    begun = access.begin_snapshot(database, "run-20261124t020000z", 1)
    assert begun.problem == ""
    assert access.begin_snapshot(database, "run-20261124t020000z", 1).arn == begun.arn
    clusters.wait(
        lambda: clusters.rds.describe_db_cluster_snapshots()["DBClusterSnapshots"][-1]["Status"] == "available", "the snapshot"
    )
    clusters.write("alice", 7)
    point = clusters.next_second().replace(year=2020)
    protection = access.protect(database, (), clusters.next_second(), True, None)
    item = {**to_record(protection)["items"][0], "backup_arn": begun.arn}
    kept = from_record({**to_record(protection), "items": [item]}, type(protection))
    order = clusters.order(database, at=point, protection=kept)
    assert access.forecast(order).source == "snapshot"
    clusters.restored(order)
    assert clusters.read("alice") == 100


def through_json(restored: DatabaseRestore) -> DatabaseRestore:
    return from_record(to_record(restored), DatabaseRestore)
