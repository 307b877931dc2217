"""When a backup has to pause the pods."""

from __future__ import annotations

from typing import Any

import pytest

from shared.model.pause_decision import decide_pause
from shared.model.plan import DynamoDb, EksCluster, Plan, Release
from shared.model.records import Value
from shared.model.storage import ReleaseStorage, Storage


class RelationalDatabase(Value, frozen=True, kw_only=True):
    """What a relational database tells the rule."""

    key: str
    is_relational: bool = True


DYNAMODB = DynamoDb(region="ap-northeast-1")
AURORA = RelationalDatabase(key="aurora:orders")
MYSQL = RelationalDatabase(key="mysql:billing")


@pytest.mark.parametrize(
    ("databases", "needed", "rule", "named"),
    [
        ((DYNAMODB,), True, "nosql", "dynamodb:ap-northeast-1"),
        ((AURORA, DYNAMODB), True, "nosql", "dynamodb:ap-northeast-1"),
        ((AURORA, MYSQL), True, "several-databases", "2 databases"),
        ((AURORA,), False, "single-relational", "aurora:orders"),
    ],
)
def test_the_first_rule_that_applies_decides_and_says_why(
    databases: tuple[Any, ...], needed: bool, rule: str, named: str
) -> None:
    release = Release(cluster=EksCluster(name="prod", region="ap-northeast-1"), namespace="scalar", helm_release="orders")
    decision = decide_pause(Plan(name="orders-prod", releases=(release,), databases=databases))
    assert (decision.needed, decision.rule) == (needed, rule)
    assert named in decision.reason


def test_the_reason_for_a_pause_does_not_blame_a_relational_database() -> None:
    decision = decide_pause(Plan(name="orders-prod", releases=(), databases=(AURORA, DYNAMODB)))  # type: ignore[arg-type]
    assert "aurora" not in decision.reason


def storage_of(*names: str, is_audited: bool = False) -> ReleaseStorage:
    storages = tuple(Storage(name=name, kind="jdbc", contact_point="jdbc:…") for name in names)
    return ReleaseStorage(release="prod/scalar/ledger", source="ConfigMap", storages=storages, is_audited=is_audited)


RELATIONAL = Plan(name="orders-prod", releases=(), databases=(AURORA,))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("products", "storages", "rule"),
    [
        (("ledger", "auditor"), (), "auditor"),
        (("ledger",), (storage_of("default", is_audited=True),), "auditor"),
        (("scalardb-cluster",), (storage_of("a", "b"),), "multi-storage"),
        (("scalardb-cluster",), (storage_of("default"),), "single-relational"),
    ],
)
def test_what_was_found_in_the_clusters_can_ask_for_a_pause_of_a_single_relational_database(
    products: tuple[str, ...], storages: tuple[ReleaseStorage, ...], rule: str
) -> None:
    decision = decide_pause(RELATIONAL, products, storages)
    assert (decision.rule, decision.needed) == (rule, rule != "single-relational")


def test_two_phase_commit_has_to_be_said_and_then_asks_for_a_pause() -> None:
    plan = Plan(name="orders-prod", releases=(), databases=(AURORA,), two_phase_commit=True)  # type: ignore[arg-type]
    assert decide_pause(plan).rule == "two-phase-commit"
