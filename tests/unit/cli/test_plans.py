"""`scalar-backup plan …`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from shared.model.plan_document import EXAMPLE, parse_plan, plan_document, plan_schema
from tests.unit.cli.samples import PLAN, after, catalog
from tests.unit.cli.world import World


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "orders-prod.yaml"
    path.write_text(yaml.safe_dump(EXAMPLE), encoding="utf-8")
    return path


def test_a_new_plan_is_created(file: Path) -> None:
    world = World()
    result = world.call("plan", "apply", str(file))
    assert (result.exit_code, result.stdout, result.stderr) == (
        0,
        "orders-prod: created, revision 1\n",
        (
            "The schedule takes effect when the stack is deployed with PlanName=orders-prod "
            "ScheduleExpression='cron(0 3 * * ? *)' ScheduleTimezone=Asia/Tokyo.\n"
        ),
    )
    assert world.catalog.plan("orders-prod").plan == PLAN


def test_the_same_plan_again_changes_nothing(file: Path) -> None:
    result = World(catalog()).call("plan", "apply", str(file))
    assert result.stdout == "orders-prod: unchanged, revision 1\n"


def test_a_changed_plan_says_what_has_changed(tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    file.write_text(json.dumps(EXAMPLE | {"pause": {"hold": "20s", "max_pause": "3m"}, "schedule": None}), encoding="utf-8")
    result = World(catalog()).call("plan", "apply", str(file))
    assert result.stdout.splitlines() == [
        "orders-prod: changed, revision 2",
        "  pause.hold: 10s → 20s",
        "  schedule.cron: 0 3 * * * → none",
        "  schedule.timezone: Asia/Tokyo → none",
    ]


def test_a_plan_is_read_from_stdin() -> None:
    world = World()
    assert world.call("plan", "apply", "-", answer=json.dumps(EXAMPLE)).exit_code == 0
    assert world.catalog.plan("orders-prod").plan == PLAN


@pytest.mark.parametrize("command", ["apply", "validate"])
def test_an_invalid_plan_is_refused_with_every_problem_and_stored_nowhere(command: str, tmp_path: Path) -> None:
    file = tmp_path / "plan.yaml"
    file.write_text("name: Orders\nreleses: []\ndatabases: []\n", encoding="utf-8")
    world = World()
    result = world.call("plan", command, str(file))
    assert (result.exit_code, result.stdout) == (3, "")
    assert "Error: The plan 'Orders' has 3 problems:" in result.stderr
    assert "  releses: unknown key; did you mean 'releases'?" in result.stderr.splitlines()
    assert "`scalar-backup plan schema` describes every key." in result.stderr
    assert world.catalog.plans() == ()


def test_a_file_that_does_not_exist_is_wrong_usage() -> None:
    result = World().call("plan", "apply", "nowhere.yaml")
    assert result.exit_code == 3
    assert "nowhere.yaml" in result.stderr


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "plan.yaml"
    file.write_bytes(b"\xff\xfe\x00")
    result = World().call("plan", "validate", str(file))
    assert result.exit_code == 3
    assert "is not a text in UTF-8" in result.stderr


def test_a_shown_plan_can_be_applied_again() -> None:
    result = World(catalog()).call("plan", "show", "orders-prod")
    assert result.stdout.startswith("# revision 1, applied 2026-11-24T03:00:00Z\nname: orders-prod\n")
    assert parse_plan(result.stdout) == PLAN


def test_a_shown_plan_has_its_relational_databases_and_those_on_azure() -> None:
    group = {"subscription": "0f8fad5b-d9cb-469f-a165-70867728950e", "resource_group": "rg"}
    databases = [
        {"rds": {"instance": "orders-db", "region": "ap-northeast-1"}},
        {"rds": {"cluster": "orders-mazc", "region": "ap-northeast-1"}},
        {"aurora": {"cluster": "ledger", "region": "ap-northeast-1", "cut_over": "endpoint", "snapshot": True}},
        {"cosmos": {"account": "orders", **group}},
        {"postgresql": {"server": "orders", **group}},
    ]
    world = World()
    assert world.call("plan", "apply", "-", answer=json.dumps(EXAMPLE | {"databases": databases})).exit_code == 0
    shown = world.call("plan", "show", "orders-prod").stdout
    assert parse_plan(shown) == world.catalog.plan("orders-prod").plan
    assert [next(iter(entry)) for entry in yaml.safe_load(shown)["databases"]] == [
        "rds", "rds", "aurora", "cosmos", "postgresql",
    ]  # fmt: skip


def test_an_unknown_plan_is_answered_with_the_plans_that_exist() -> None:
    result = World(catalog()).call("plan", "show", "order-prod")
    assert result.exit_code == 3
    assert "orders-prod" in result.stderr


def test_plans_are_listed() -> None:
    heading, row = World(catalog()).call("plan", "list").stdout.splitlines()
    assert heading.split("  ")[0] == "NAME"
    assert row.split() == [
        "orders-prod", "1", "2026-11-24T03:00:00Z", "ap-northeast-1/prod-tokyo/scalar/orders", "dynamodb:ap-northeast-1",
        "0", "3", "*", "*", "*", "Asia/Tokyo",
    ]  # fmt: skip


@pytest.mark.parametrize(("form", "read"), [("json", json.loads), ("yaml", yaml.safe_load)])
def test_a_listed_plan_is_a_document_for_machines(form: str, read: Any) -> None:
    result = World(catalog()).call("plan", "list", "-o", form)
    assert read(result.stdout) == [{"plan": plan_document(PLAN), "revision": 1, "applied_at": "2026-11-24T03:00:00Z"}]


def test_validating_needs_no_deployment_and_says_whether_pods_will_be_paused(file: Path) -> None:
    result = World().call("plan", "validate", str(file))
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "orders-prod: valid, 1 release(s), 1 database(s)",
        "Pods will be paused: dynamodb:ap-northeast-1 does not cut all tables at one consistent moment.",
    ]


def test_the_schema_is_printed() -> None:
    assert json.loads(World(at=after(0)).call("plan", "schema").stdout) == plan_schema()
