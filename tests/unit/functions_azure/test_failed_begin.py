"""A restore whose beginning fails after it has taken hold of its run, on this engine."""

from __future__ import annotations

from typing import Any

import pytest

from shared.model.run import RunStatus
from tests.unit.functions_azure.durable import DurableRestores
from tests.unit.steps.machine import Stopped
from tests.unit.steps.restore import test_restore_kill_matrix as matrix
from tests.unit.steps.restore.world import AURORA


async def test_a_continuation_whose_beginning_fails_after_it_took_the_run_leads_back(monkeypatch: pytest.MonkeyPatch) -> None:
    world = matrix.small_world()
    engine = DurableRestores(world)
    started = await engine.confirm(action="restore", plan="orders-prod")

    def stop(where: str) -> None:
        if where == f"after database {AURORA.key}.restore":
            raise Stopped

    world._interrupt = stop
    assert await engine.execute(started) == "STOPPED"
    world._interrupt = None
    await engine.tell_that_it_ended(started)
    invoker = engine.durable.invoker
    carry_out = invoker._carry_out

    def failing(activity: str, request: dict[str, Any]) -> dict[str, Any]:
        answer = carry_out(activity, request)
        lost = {"ok": False, "error": "Temporary", "cause": "The catalog does not answer."}
        return lost if request["step"] == "restore_begin" else answer

    monkeypatch.setattr(invoker, "_carry_out", failing)
    ended, run = await engine.go_on("continue", started["run"])
    assert (ended, run.status, world.all_serve) == ("FAILED", RunStatus.FAILED, True)
    assert "The catalog does not answer" in run.cause.message
