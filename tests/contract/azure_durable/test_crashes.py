"""The state file outlives its process: an engine that is cut off anywhere goes on from there, and comes to the same end.

In a transaction nothing counts before its commit, so being cut off at a commit stands for every line of it; for one
orchestration every single statement is tried as well.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from infra.sandbox.azure.durable.clock import VirtualClock
from infra.sandbox.azure.durable.engine import Engine
from infra.sandbox.azure.durable.functions import Function
from infra.sandbox.azure.durable.invocation import Answer
from infra.sandbox.azure.durable.invokers import InProcess
from infra.sandbox.azure.durable.store import Store
from tests.contract.azure_durable.sample import function_app

INSTANCE = "run-1"


class CutOff(Exception):
    """The process is gone."""


class MortalStore(Store):
    """Dies at the `lifetime`-th statement that `counts`; after that nothing works any more."""

    def __init__(self, file: Path, lifetime: int | None, counts: Callable[[str], bool]) -> None:
        self.count, self._lifetime, self._counts = 0, None, counts
        super().__init__(file)
        self._lifetime = lifetime

    def execute(self, sql: str, values: Sequence[Any] = ()) -> int:
        self.count += self._counts(sql)
        self._check()
        return super().execute(sql, values)

    def _rows(self, sql: str, values: Sequence[Any] = ()) -> list[dict[str, Any]]:
        self._check()
        return super()._rows(sql, values)

    def _check(self) -> None:
        if self._lifetime is not None and self.count >= self._lifetime:
            raise CutOff


class OneAtATime(InProcess):
    """Activities run where they are handed out, so that every run of a test is the same."""

    def invoke(self, function: Function, payload: Any) -> Future[Answer]:
        future = super().invoke(function, payload)
        future.exception()  # waits
        return future


def run(file: Path, clock: VirtualClock, orchestrator: str, lifetime: int | None, counts: Callable[[str], bool]) -> Any:
    """The output, or CutOff; the number of counted statements."""
    store = MortalStore(file, None, counts)
    engine = Engine(OneAtATime(function_app.app), clock, store=store)
    try:
        if store.instance(INSTANCE) is None:
            engine.hub.start(orchestrator, {"n": 1}, INSTANCE)
            engine.hub.raise_event(INSTANCE, "Go", "gone")
        store.count, store._lifetime = 0, lifetime
        status = engine.run_until_done(INSTANCE)
        assert status["runtimeStatus"] == "Completed", status
        return status["output"], status["customStatus"], engine.clock.now(), store.count
    finally:
        engine.close()


def commits(sql: str) -> bool:
    return sql == "commit"


def statements(_sql: str) -> bool:
    return True


@pytest.mark.parametrize(("orchestrator", "counts"), [("pause_and_resume", commits), ("chain", statements)])
def test_an_engine_cut_off_anywhere_ends_as_one_that_never_was(
    tmp_path: Path, journal: Callable[[], list[str]], orchestrator: str, counts: Callable[[str], bool]
) -> None:
    *expected, total = run(tmp_path / "whole", VirtualClock(), orchestrator, None, counts)
    done = journal()
    assert total >= 25
    for lifetime in range(1, total + 1):
        (tmp_path / "journal").write_text("")
        file, clock = tmp_path / f"cut-{lifetime}", VirtualClock()
        with pytest.raises(CutOff):
            run(file, clock, orchestrator, lifetime, counts)
        *output, _ = run(file, clock, orchestrator, None, counts)
        assert output == expected, f"cut off at {lifetime} of {total}"
        again = len(journal()) - len(done)
        assert set(journal()) == set(done)
        assert again in (0, 1), f"cut off at {lifetime} of {total}: {journal()}"  # only what ran at that moment


def test_replays_of_one_history_ask_for_the_same(tmp_path: Path, journal: Callable[[], list[str]]) -> None:
    """Cut off after every episode: each replay is by an engine that knows nothing but the file."""
    *expected, _ = run(tmp_path / "whole", VirtualClock(), "pause_and_resume", None, commits)
    copies = ["Hello a", "Hello b", "Hello c"]
    assert expected[0][:6] == ["Hello pause", copies, 1, "gone", True, "Hello resume"]
    clock, file, episodes = VirtualClock(), tmp_path / "state", 0
    output = None
    while output is None:
        try:
            *output, _ = run(file, clock, "pause_and_resume", 3, commits)
        except CutOff:
            episodes += 1
    assert output == expected
    assert episodes > 10


def test_activities_that_run_when_the_host_is_closed_run_again(tmp_path: Path, journal: Callable[[], list[str]]) -> None:
    engine = Engine(function_app.app, VirtualClock(), tmp_path / "state")
    engine.hub.start("slow_one", {"key": "k", "seconds": 0.05}, INSTANCE)
    while not engine.store.activities():
        engine.step()
    engine.step()
    engine.close()
    again = Engine(function_app.app, VirtualClock(), tmp_path / "state")
    assert again.run_until_done(INSTANCE)["output"] == "k"
    again.close()
    assert journal() == ["slow begins k", "slow ends k"] * 2
