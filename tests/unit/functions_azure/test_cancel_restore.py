"""A restore that somebody cancels: led back while the live data is untouched, answered with what is possible afterwards."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from functions_azure import activities
from shared.model.errors import Conflict, Unreachable
from shared.model.run import Run, RunStatus
from tests.unit.functions_azure.durable import RUN, DurableRestores
from tests.unit.steps.restore.test_restore_kill_matrix import lease_is_free, small_world
from tests.unit.steps.restore.world import RestoreWorld


@pytest.fixture(autouse=True)
def _in_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    async def at_once(call: Any, *args: Any, **kwargs: Any) -> Any:
        return call(*args, **kwargs)

    monkeypatch.setattr(asyncio, "to_thread", at_once)


class Cancelled:
    """A restore that is cancelled while `step` is under way for the n-th time. `shown` are the custom statuses of its steps."""

    def __init__(self, step: str, nth: int = 1) -> None:
        self.world: RestoreWorld = small_world()
        self.engine = DurableRestores(self.world)
        self.durable = self.engine.durable
        self.durable.invoker.twice = True
        self.durable.invoker.during = self._during
        self.shown: list[dict[str, Any]] = []
        self._at, self._left, self._instance = step, nth, ""

    async def run(self, **payload: Any) -> tuple[str, Run]:
        started = await self.engine.confirm(**({"action": "restore", "plan": "orders-prod"} | payload))
        self._instance = started["execution"]
        ended = await self.engine.execute(started)
        return ended, self.world.stored.run(started["run"])

    @property
    def steps(self) -> list[str]:
        return self.durable.steps[RUN]

    def _during(self, step: str) -> None:
        self.shown.append(self.durable.hub.status(self._instance)["customStatus"])
        if step == self._at:
            self._left -= 1
            if self._left == 0:
                self.durable.hub.raise_event(self._instance, "cancel", {})


BEFORE_THE_CUT_OVER = [
    ("restore_stop", 1), ("restore_stop", 2), ("restore_stop", 3), ("restore_prepare", 1), ("restore_prepare", 2),
    ("restore_prepare", 3), ("restore_stop", 4),
]  # fmt: skip


@pytest.mark.parametrize(("step", "nth"), BEFORE_THE_CUT_OVER)
async def test_before_the_cut_over_the_application_is_led_back_to_the_old_data(step: str, nth: int) -> None:
    cancelled = Cancelled(step, nth)
    ended, run = await cancelled.run()
    world = cancelled.world
    assert (ended, run.status, run.cause.code) == ("FAILED", RunStatus.FAILED, "Cancelled")
    assert not any("restore_cut_over" in steps for steps in cancelled.durable.steps.values())
    assert cancelled.steps[-1] == "restore_conclude"
    assert set(world.reads().values()) == {"spoilt"}
    assert world.all_serve
    assert world.violations == []
    assert lease_is_free(world)


@pytest.mark.parametrize("step", ["restore_begin", "restore_check"])
async def test_before_anything_was_stopped_nothing_is(step: str) -> None:
    cancelled = Cancelled(step)
    ended, run = await cancelled.run()
    assert (ended, run.cause.code) == ("FAILED", "Cancelled")
    assert cancelled.steps[-2:] == [step, "restore_conclude"]
    assert cancelled.world.all_serve


async def test_databases_under_way_end_before_the_application_is_started_again_and_leave_no_instance_behind() -> None:
    cancelled = Cancelled("restore_prepare")
    await cancelled.run()
    steps = cancelled.steps
    assert steps.index("cancel_children") < steps.index("restore_conclude") < steps.index("restore_start")
    live = [item for item in cancelled.durable.hub.statuses() if item["runtimeStatus"] in ("Pending", "Running")]
    assert live == []


async def test_a_child_that_was_not_told_is_told_again(monkeypatch: pytest.MonkeyPatch) -> None:
    cancelled = Cancelled("restore_prepare")
    for store in cancelled.world.stores.values():
        store.restore_seconds = 7200.0
    lost: list[str] = []
    tell = cancelled.durable.invoker._of_the_engine["cancel_children"]

    def lose_the_first(request: dict[str, Any]) -> None:
        if lost:
            tell(request)
        lost.append("")

    monkeypatch.setitem(cancelled.durable.invoker._of_the_engine, "cancel_children", lose_the_first)
    begun = cancelled.world.clock.now()
    ended, run = await cancelled.run()
    assert (ended, run.cause.code, len(lost)) == ("FAILED", "Cancelled", 2)
    assert (cancelled.world.clock.now() - begun).total_seconds() < 600


@pytest.mark.parametrize("step", ["restore_cut_over", "restore_lead", "restore_start", "restore_verify"])
async def test_after_the_cut_over_began_it_goes_on_and_says_what_is_possible(step: str) -> None:
    cancelled = Cancelled(step)
    ended, run = await cancelled.run()
    assert (ended, run.status) == ("SUCCEEDED", RunStatus.SUCCEEDED)
    at = next(number for number, shown in enumerate(cancelled.shown) if shown["step"] == step)
    assert not any("cancel" in shown for shown in cancelled.shown[: at + 1])
    later = cancelled.shown[at + 1 :]
    assert later
    assert all("continue" in shown["cancel"] and "undo" in shown["cancel"] for shown in later[1:])
    assert set(cancelled.world.reads().values()) != {"spoilt"}


async def test_a_restore_beside_the_live_databases_can_be_cancelled_to_its_end() -> None:
    cancelled = Cancelled("restore_verify")
    ended, run = await cancelled.run(target="side-by-side")
    assert (ended, run.cause.code) == ("FAILED", "Cancelled")
    assert cancelled.steps[-2:] == ["restore_verify", "restore_conclude"]


async def test_the_way_back_cannot_be_cancelled() -> None:
    cancelled = Cancelled("restore_start")
    cancelled.world.stores[next(iter(cancelled.world.stores))].problems["restore"] = RuntimeError("out of luck")
    ended, run = await cancelled.run()
    assert (ended, run.status) == ("FAILED", RunStatus.FAILED)
    assert run.cause.code != "Cancelled"
    assert cancelled.world.all_serve


async def test_children_that_have_ended_are_passed_over_and_an_engine_out_of_reach_is_told_by_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[str] = []

    class Hub:
        async def raise_event(self, instance: str, event: str) -> None:
            if instance == "ended":
                raise Conflict("410")
            if instance == "unreachable":
                raise Unreachable("no answer")
            told.append(f"{event} {instance}")

    monkeypatch.setattr(activities, "binding_of", lambda text: Hub())
    tell = activities.cancel_children_activity._function.get_user_function()
    assert await tell({"instances": ["ended", "live"]}, "") == {"ok": True, "answer": {}}
    assert told == ["cancel live"]
    assert (await tell({"instances": ["unreachable"]}, ""))["error"] == "Unreachable"
