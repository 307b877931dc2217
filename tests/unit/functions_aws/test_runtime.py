"""What every handler does with an event: name the step, log with the run's id, and leave errors their names."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from functions_aws.runtime import StepHandler
from shared.model.errors import InvalidRequest, PodsMayBePaused

CONTEXT = SimpleNamespace(aws_request_id="request-1")


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"CATALOG_TABLE": "catalog", "EVENT_BUS": "bus", "AWS_REGION": "ap-northeast-1"}.items():
        monkeypatch.setenv(name, value)
    # Powertools keeps one logger per service and process, with the standard output of whoever made it first.
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", f"scalar-backup-{uuid.uuid4()}")


async def pause(request: Any, rooms: Any) -> dict[str, Any]:
    if request.get("fail"):
        raise PodsMayBePaused("2 pods may still be paused.", hint="Run unpause.")
    return {"paused": True, "metrics": {"PauseSeconds": 10.5, "PausedPods": 3}}


@contextmanager
def a_handler() -> Iterator[StepHandler]:
    """Made inside the test, because its logger keeps the standard output of that moment."""
    made = StepHandler({"pause": pause})
    try:
        yield made
    finally:
        made.close()


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_the_answer_of_the_step_is_the_answer_of_the_function_without_its_metrics() -> None:
    with a_handler() as handler:
        assert handler({"step": "pause", "run": "r", "plan": "orders-prod"}, CONTEXT) == {"paused": True}


def test_log_lines_carry_run_plan_and_step(capsys: pytest.CaptureFixture[str]) -> None:
    with a_handler() as handler:
        handler({"step": "pause", "run": "run-7", "plan": "orders-prod", "attempt": 2}, CONTEXT)
    logged = [line for line in lines(capsys) if "message" in line]
    assert logged
    for line in logged:
        assert (line["run"], line["plan"], line["step"], line["attempt"]) == ("run-7", "orders-prod", "pause", "2")


def test_metrics_go_out_with_their_units(capsys: pytest.CaptureFixture[str]) -> None:
    with a_handler() as handler:
        handler({"step": "pause", "run": "r", "plan": "orders-prod"}, CONTEXT)
    (metrics,) = [line for line in lines(capsys) if "_aws" in line]
    units = {item["Name"]: item["Unit"] for item in metrics["_aws"]["CloudWatchMetrics"][0]["Metrics"]}
    assert units == {"PauseSeconds": "Seconds", "PausedPods": "Count"}
    assert metrics["plan"] == "orders-prod"


def test_an_error_of_the_product_keeps_its_name_for_the_state_machine(capsys: pytest.CaptureFixture[str]) -> None:
    with a_handler() as handler, pytest.raises(PodsMayBePaused):
        handler({"step": "pause", "run": "r", "plan": "p", "fail": True}, CONTEXT)
    (line,) = [line for line in lines(capsys) if line.get("level") == "ERROR"]
    assert (line["error"], line["hint"]) == ("PodsMayBePaused", "Run unpause.")


def test_what_a_step_could_not_do_and_went_on_is_a_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    async def clean_up(request: Any, rooms: Any) -> dict[str, Any]:
        return {"problems": {"run-1 rds:orders-db": "A release is led to it."}}

    made = StepHandler({"clean_up": clean_up})
    made({"step": "clean_up"}, CONTEXT)
    made.close()
    (line,) = [line for line in lines(capsys) if line.get("level") == "ERROR"]
    assert (line["message"], line["subject"]) == ("A release is led to it.", "run-1 rds:orders-db")


@pytest.mark.parametrize(("event", "words"), [("text", "a text"), ({}, "'step'"), ({"step": "erase"}, "it has pause")])
def test_an_event_that_is_no_request_is_refused_in_words(event: Any, words: str) -> None:
    with a_handler() as handler, pytest.raises(InvalidRequest, match=words):
        handler(event, CONTEXT)


def test_an_event_without_a_step_goes_to_the_entry_where_there_is_one() -> None:
    made = StepHandler({"pause": pause}, entry="pause")
    try:
        assert made({"action": "pause", "plan": "p"}, CONTEXT) == {"paused": True}
        with pytest.raises(InvalidRequest, match="no step 'erase'"):
            made({"step": "erase"}, CONTEXT)
    finally:
        made.close()


def test_keys_of_an_earlier_invocation_do_not_leak_into_the_next(capsys: pytest.CaptureFixture[str]) -> None:
    with a_handler() as handler:
        handler({"step": "pause", "run": "run-7", "plan": "orders-prod"}, CONTEXT)
        capsys.readouterr()
        handler({"step": "pause"}, CONTEXT)
    assert all("run" not in line for line in lines(capsys) if "message" in line)
