"""`scalar-backup plan init`: the plan says everything that the releases use, supported or not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from shared.model.errors import BackupError, Forbidden, NotReady
from shared.model.plan import AdminTls, DynamoDb, EksCluster, Release, TlsSettings
from shared.model.plan_document import parse_plan
from shared.model.pods import ReleaseSnapshot
from shared.model.records import replace
from shared.model.storage import ReleaseStorage, Storage
from tests.unit.cli.samples import after, snapshot
from tests.unit.cli.world import World

TOKYO = Storage(name="default", kind="dynamo", contact_point="ap-northeast-1")
MYSQL = Storage(name="mysql", kind="jdbc", contact_point="jdbc:mysql://orders:3306/")
ASKED = ("plan", "init", "--eks", "prod-tokyo", "--namespace", "scalar", "--helm-release", "orders")


@dataclass
class Cluster:
    """Releases by their names, each with its storages (port `Releases`)."""

    storages: dict[str, tuple[Storage, ...]]
    tls: AdminTls | None = None
    refusal: BackupError | None = None
    asked: list[Release] = field(default_factory=list)

    def storage(self, releases: Sequence[Release]) -> tuple[ReleaseStorage, ...]:
        self.asked += releases
        for release in releases:
            if release.helm_release not in self.storages:
                raise NotReady(f"{release.key} was not found.", hint="Did you mean orders?")
        return tuple(
            ReleaseStorage(release=release.key, source="ConfigMap x", storages=self.storages[release.helm_release])
            for release in releases
        )

    def observe(self, releases: Sequence[Release]) -> tuple[ReleaseSnapshot, ...]:
        if self.refusal:
            raise self.refusal
        found = snapshot(after(0))
        targets = tuple(replace(target, tls=self.tls) for target in found.targets)
        return tuple(replace(found, release=release, targets=targets) for release in releases)


def world_of(*storages: Storage, **more: object) -> World:
    world = World()
    world.rooms_without_deployment.releases = Cluster({"orders": storages}, **more)  # type: ignore
    return world


def test_a_release_on_dynamodb_gives_a_plan_that_can_be_applied_as_it_is() -> None:
    result = world_of(TOKYO).call(*ASKED)
    assert (result.exit_code, result.stderr) == (0, "")
    plan = parse_plan(result.stdout)
    release = Release(cluster=EksCluster(name="prod-tokyo", region="ap-northeast-1"), namespace="scalar", helm_release="orders")
    assert (plan.name, plan.releases, plan.databases) == ("orders", (release,), (DynamoDb(region="ap-northeast-1"),))
    assert plan.schedule is None


def test_what_is_found_by_itself_and_a_schedule_are_comments() -> None:
    lines = world_of(TOKYO).call(*ASKED).stdout.splitlines()
    assert any(line.startswith("  # Admin port 60053, ") for line in lines)
    assert "  # storage default of orders" in lines
    assert "#   cron: 0 3 * * *" in lines


def test_an_address_that_names_no_managed_database_is_told_twice_and_never_left_out() -> None:
    result = world_of(TOKYO, MYSQL).call(*ASKED)
    told = "jdbc jdbc:mysql://orders:3306/ (storage mysql of orders): which database this address leads to"
    assert f"  # {told}" in result.stdout
    assert f"Not covered: {told}" in result.stderr
    assert len(parse_plan(result.stdout).databases) == 1


@pytest.mark.parametrize(
    ("kind", "address", "entry"),
    [
        (
            "jdbc",
            "jdbc:mysql://orders-db.c0ffee.eu-west-1.rds.amazonaws.com:3306/",
            {"rds": {"instance": "orders-db", "region": "eu-west-1"}},
        ),
        (
            "jdbc",
            "jdbc:postgresql://orders.cluster-c0ffee.eu-west-1.rds.amazonaws.com:5432/postgres",
            {"aurora": {"cluster": "orders", "region": "eu-west-1"}},
        ),
        (
            "cosmos",
            "https://orders.documents.azure.com:443/",
            {"cosmos": {"account": "orders", "resource_group": "RESOURCE-GROUP", "subscription": "SUBSCRIPTION-ID"}},
        ),
        (
            "jdbc",
            "jdbc:postgresql://orders.postgres.database.azure.com:5432/postgres",
            {"postgresql": {"server": "orders", "resource_group": "RESOURCE-GROUP", "subscription": "SUBSCRIPTION-ID"}},
        ),
    ],
)
def test_a_managed_database_is_found_by_its_address(kind: str, address: str, entry: dict[str, Any]) -> None:
    result = world_of(replace(TOKYO, kind=kind, contact_point=address)).call(*ASKED)
    assert yaml.safe_load(result.stdout)["databases"] == [entry]
    assert result.stderr == ""


def test_a_region_that_stands_in_a_secret_is_asked_for() -> None:
    hidden = replace(TOKYO, contact_point="unresolved(${env:REGION})")
    result = world_of(hidden).call(*ASKED)
    assert "Name it here: - dynamodb: {region: REGION}" in result.stdout
    assert yaml.safe_load(result.stdout)["databases"] == []


def test_one_region_of_several_storages_is_one_database_with_all_its_users() -> None:
    result = world_of(replace(TOKYO, name="a"), replace(TOKYO, name="b")).call(*ASKED)
    assert "  # storage a of orders; storage b of orders\n" in result.stdout
    assert parse_plan(result.stdout).databases == (DynamoDb(region="ap-northeast-1"),)


def test_tls_that_is_on_is_in_the_plan_with_the_name_that_was_found() -> None:
    result = world_of(TOKYO, tls=AdminTls(ca_pem="-----BEGIN", server_name="localhost")).call(*ASKED)
    (release,) = parse_plan(result.stdout).releases
    assert release.tls == TlsSettings(enabled=True, server_name="localhost")
    assert "BEGIN" not in result.stdout


def test_a_release_that_cannot_be_looked_at_is_in_the_plan_all_the_same() -> None:
    result = world_of(TOKYO, refusal=Forbidden("secrets is\nforbidden.", hint="Grant it.")).call(*ASKED)
    assert "  # Could not be looked at: secrets is forbidden. Grant it.\n" in result.stdout
    assert len(parse_plan(result.stdout).releases) == 1


def test_further_releases_may_be_in_other_namespaces_and_clusters() -> None:
    world = world_of()
    cluster = Cluster(dict.fromkeys(("orders", "ledger", "auditor"), (TOKYO,)))
    world.rooms_without_deployment.releases = cluster  # type: ignore
    more = ("--helm-release", "dl/ledger", "--helm-release", "prod-osaka/audit/auditor", "--name", "all-of-it")
    plan = parse_plan(world.call(*ASKED, *more).stdout)
    assert plan.name == "all-of-it"
    assert [release.key for release in plan.releases] == [
        "ap-northeast-1/prod-tokyo/scalar/orders",
        "ap-northeast-1/prod-tokyo/dl/ledger",
        "ap-northeast-1/prod-osaka/audit/auditor",
    ]
    assert plan.releases == tuple(cluster.asked)


@pytest.mark.parametrize("text", ["a/b/c/d", "a//b", "/a", ""])
def test_a_release_that_is_written_wrong_is_refused_with_the_right_forms(text: str) -> None:
    result = world_of(TOKYO).call(*ASKED, "--helm-release", text)
    assert result.exit_code == 3
    assert "CLUSTER/NAMESPACE/NAME" in result.stderr


def test_a_release_that_is_not_there_fails_with_what_is_there() -> None:
    result = world_of().call("plan", "init", "--eks", "c", "--namespace", "n", "--helm-release", "order")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "Did you mean orders?" in result.stderr


def test_the_name_of_a_plan_is_made_from_a_release_whose_name_no_plan_may_have() -> None:
    world = world_of()
    world.rooms_without_deployment.releases = Cluster({"shop.orders": (TOKYO,)})  # type: ignore
    result = world.call("plan", "init", "--eks", "c", "--namespace", "n", "--helm-release", "shop.orders")
    assert parse_plan(result.stdout).name == "shop-orders"


def test_a_file_is_written_once_and_never_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "orders.yaml"
    result = world_of(TOKYO).call(*ASKED, "-o", str(file))
    assert (result.exit_code, result.stdout) == (0, "")
    assert f"scalar-backup plan apply {file}" in result.stderr
    assert parse_plan(file.read_text(encoding="utf-8")).name == "orders"
    again = world_of(TOKYO).call(*ASKED, "-o", str(file))
    assert (again.exit_code, "exists already" in again.stderr) == (3, True)
    nowhere = world_of(TOKYO).call(*ASKED, "-o", str(tmp_path / "no" / "x.yaml"))
    assert (nowhere.exit_code, "cannot be written" in nowhere.stderr) == (3, True)
