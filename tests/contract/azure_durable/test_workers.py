"""The language worker as the engine sees it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from infra.sandbox.azure.durable.clock import VirtualClock
from infra.sandbox.azure.durable.engine import Engine
from infra.sandbox.azure.durable.kills import Kill
from infra.sandbox.azure.durable.workers import AppFailed, Workers

ROOT = Path(__file__).resolve().parents[3]
APP = "tests.contract.azure_durable.sample"


@pytest.fixture
def workers(tmp_path: Path, journal: Callable[[], list[str]]) -> Iterator[Workers]:
    environment = {"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path]), "SAMPLE_JOURNAL": str(tmp_path / "journal")}
    workers = Workers(APP, str(ROOT), environment)
    yield workers
    workers.close()


def test_an_activity_beyond_the_function_timeout_fails_and_the_worker_is_started_again(
    workers: Workers, journal: Callable[[], list[str]]
) -> None:
    workers.timeout_seconds = 0.7
    engine = Engine(workers, VirtualClock())
    late = engine.hub.start("slow_one", {"key": "late", "seconds": 60})
    assert "FunctionTimeoutException: Timeout value of 0.7 s exceeded by function slow" in engine.run_until_done(late)["output"]
    assert engine.run_until_done(engine.hub.start("chain", 1))["runtimeStatus"] == "Completed"
    assert journal()[0] == "slow begins late"
    engine.close()


def test_virtual_time_waits_for_a_worker_that_is_killed(workers: Workers, journal: Callable[[], list[str]]) -> None:
    engine = Engine(workers, VirtualClock())
    begun = engine.clock.now()
    workers.kills.add(Kill("slow", {"key": "k"}, after_seconds=0.1, times=1))
    engine.hub.start("sleeper", 1, "asleep")
    assert engine.run_until_done(engine.hub.start("slow_one", {"key": "k", "seconds": 0.4}))["output"] == "k"
    assert engine.clock.now() == begun
    assert journal() == ["slow begins k", "slow begins k", "slow ends k"]
    engine.close()


def test_an_app_without_a_function_app_says_what_was_looked_for() -> None:
    environment = {"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    with pytest.raises(AppFailed, match=r"No module named 'tests\.contract\.azure_durable\.function_app'"):
        Workers("tests.contract.azure_durable", str(ROOT), environment)
