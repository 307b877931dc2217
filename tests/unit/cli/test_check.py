"""`scalar-backup check`."""

from __future__ import annotations

import json
from typing import Any

from shared.model.checks import failed, passed, warned
from shared.model.errors import UnknownPlan, Unreachable
from shared.model.pause_decision import decide_pause
from shared.model.plan import RdsInstance
from shared.model.records import replace, to_record
from tests.unit.cli.samples import PLAN
from tests.unit.cli.world import World


def world(answer: Any) -> World:
    made = World()
    made.engine.answers = {"check": answer}
    return made


def answer(*, ok: bool = True) -> dict[str, Any]:
    results = [
        passed("pods-ready", "ap-northeast-1/prod-tokyo/scalar/orders", "3 pods Running and Ready"),
        warned("deletion-protection", "bank.accounts", "is off.", "Turn it on."),
    ]
    if not ok:
        results.append(failed("pitr", "coordinator.state", "PITR is off.", "Turn it on."))
    return {
        "plan": "orders-prod",
        "revision": 4,
        "ok": ok,
        "pause": to_record(decide_pause(PLAN)),
        "checks": to_record(results),
    }


def test_every_check_is_a_line_and_the_pause_decision_comes_last() -> None:
    result = world(answer()).call("check", "orders-prod")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "pods-ready ap-northeast-1/prod-tokyo/scalar/orders: OK (3 pods Running and Ready)",
        "deletion-protection bank.accounts: WARNING (is off. Turn it on.)",
        "Pause needed: dynamodb:ap-northeast-1 does not cut all tables at one consistent moment.",
    ]


def test_a_single_relational_database_needs_no_pause_and_the_check_says_why() -> None:
    alone = replace(PLAN, databases=(RdsInstance(region="ap-northeast-1", instance="orders-db"),))
    result = world(answer() | {"pause": to_record(decide_pause(alone))}).call("check", "orders-prod")
    assert result.stdout.splitlines()[-1] == (
        "No pause needed: rds:ap-northeast-1:orders-db alone restores to one consistent moment at any time."
    )


def test_a_failed_check_fails_the_command() -> None:
    result = world(answer(ok=False)).call("check", "orders-prod")
    assert result.exit_code == 1
    assert "pitr coordinator.state: FAILED (PITR is off. Turn it on.)" in result.stdout.splitlines()


def test_the_document_has_every_field_of_every_check() -> None:
    result = world(answer(ok=False)).call("check", "orders-prod", "-o", "json")
    assert result.exit_code == 1
    document = json.loads(result.stdout)
    assert document["checks"][2] == {
        "name": "pitr", "subject": "coordinator.state", "status": "failed", "detail": "PITR is off.", "hint": "Turn it on.",
    }  # fmt: skip
    assert (document["plan"], document["revision"], document["ok"], document["pause"]["rule"]) == (
        "orders-prod",
        4,
        False,
        "nosql",
    )


def test_an_error_of_the_function_is_ours() -> None:
    result = world(UnknownPlan("No plan is called 'x'.", hint="There are: y.")).call("check", "x")
    assert (result.exit_code, result.stdout) == (3, "")
    assert result.stderr == "Error: No plan is called 'x'.\nThere are: y.\n"


def test_a_service_that_does_not_answer_has_its_own_exit_code() -> None:
    assert world(Unreachable("lambda:InvokeFunction got no answer.")).call("check", "x").exit_code == 2


def test_an_answer_of_another_release_is_explained() -> None:
    result = world({"ok": True, "checks": [{"name": 1}]}).call("check", "x")
    assert result.exit_code == 1
    assert "cannot be read" in result.stderr
