"""What every activity shares: errors as answers, log lines that machines read, and rooms that serve one step at a time."""

from __future__ import annotations

import ast
import asyncio
import json
import logging
import time
from pathlib import Path
from typing import Any

import pytest

from functions_azure import runtime
from functions_azure.activities import HANDLERS
from functions_azure.runtime import StepHandler
from functions_azure.settings import Settings
from functions_azure.workers import Workers
from shared.model.errors import Misconfigured, NotReady, Throttled

ROOT = Path(__file__).parents[3]
ENVIRONMENT = {
    "CATALOG_ENDPOINT": "https://acc.table.core.windows.net",
    "CATALOG_TABLE": "catalog",
    "EVENT_TOPIC_ENDPOINT": "https://topic.westeurope-1.eventgrid.azure.net/api/events",
}


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> Any:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    runtime.workers.cache_clear()
    yield
    runtime.workers().close()
    runtime.workers.cache_clear()


async def call(step: Any, **request: Any) -> dict[str, Any]:
    return await StepHandler({"step": step})({"step": "step"} | request)


async def test_an_answer_comes_without_its_metrics_which_are_a_line_each(caplog: pytest.LogCaptureFixture) -> None:
    async def step(request: Any, rooms: Any) -> dict[str, Any]:
        return {"run": request["run"], "metrics": {"PauseSeconds": 10.5}}

    with caplog.at_level(logging.INFO, "scalar_backup"):
        assert await call(step, run="r-1", plan="orders-prod") == {"ok": True, "answer": {"run": "r-1"}}
    lines = [json.loads(record.getMessage()) for record in caplog.records if record.name == "scalar_backup"]
    assert {"message": "metric", "metric": "PauseSeconds", "value": 10.5, "plan": "orders-prod"} in lines
    assert all(line.get("run", "r-1") == "r-1" for line in lines)


async def test_what_a_step_could_not_do_and_went_on_is_a_line_each(caplog: pytest.LogCaptureFixture) -> None:
    async def step(request: Any, rooms: Any) -> dict[str, Any]:
        return {"problems": {"run-1 mysql:orders": "A release is led to it."}}

    with caplog.at_level(logging.INFO, "scalar_backup"):
        await call(step)
    (line,) = [json.loads(record.getMessage()) for record in caplog.records if record.levelname == "ERROR"]
    assert (line["message"], line["subject"]) == ("A release is led to it.", "run-1 mysql:orders")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (NotReady("Not yet.", hint="Wait."), ("NotReady", "Not yet. Wait.", 0.0)),
        (Throttled("Slowly.", retry_after_seconds=17), ("Throttled", "Slowly.", 17)),
        (KeyError("run"), ("KeyError", "'run'", 0.0)),
    ],
)
async def test_an_error_is_an_answer_with_its_name(error: Exception, expected: tuple[str, str, float]) -> None:
    async def step(request: Any, rooms: Any) -> dict[str, Any]:
        raise error

    result = await call(step)
    assert result["ok"] is False
    assert (result["error"], result["cause"], result["retry_after_seconds"]) == expected


@pytest.mark.parametrize("request_", [None, [], {"step": "none"}, {}])
async def test_a_call_that_names_no_step_of_the_class_is_answered_as_invalid(request_: Any) -> None:
    assert (await HANDLERS["window"](request_))["error"] == "InvalidRequest"


async def test_steps_side_by_side_have_rooms_of_their_own_and_a_run_meets_its_own_again() -> None:
    made: list[int] = []
    workers: Workers[int] = Workers(lambda: made.append(len(made)) or len(made))

    def step(loops: list[Any]) -> Any:
        async def inner(rooms: int) -> int:
            loops.append(asyncio.get_running_loop())
            time.sleep(0.05)  # as the catalog does, without awaiting
            return rooms

        return inner

    loops: list[Any] = []
    first, second = await asyncio.gather(workers.run("a", step(loops)), workers.run("b", step(loops)))
    assert first != second
    assert loops[0] is not loops[1]
    assert await workers.run("a", step(loops)) == first
    assert await workers.run("b", step(loops)) == second
    assert len(made) == 2
    workers.close()


def test_everything_that_is_missing_is_named_at_once() -> None:
    with pytest.raises(Misconfigured, match="CATALOG_ENDPOINT, CATALOG_TABLE, EVENT_TOPIC_ENDPOINT"):
        Settings.from_environment({})
    with pytest.raises(Misconfigured, match="EVENT_TOPIC_ENDPOINT is no https"):
        Settings.from_environment(ENVIRONMENT | {"EVENT_TOPIC_ENDPOINT": "topic"})
    with pytest.raises(Misconfigured, match="SERVERS_LOG_DELAY_SECONDS is '5m', not whole seconds"):
        Settings.from_environment(ENVIRONMENT | {"SERVERS_LOG_DELAY_SECONDS": "5m"})


@pytest.mark.parametrize("name", sorted(HANDLERS))
def test_the_privilege_classes_are_those_of_the_other_shell(name: str) -> None:
    tree = ast.parse((ROOT / "functions_aws" / f"{name}.py").read_text())
    theirs = {key.value for node in ast.walk(tree) if isinstance(node, ast.Dict) for key in node.keys}
    assert set(HANDLERS[name].steps) == theirs
