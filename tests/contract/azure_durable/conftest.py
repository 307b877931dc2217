"""Engines in this process with virtual time; one host process shared by the tests of a module."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from infra.sandbox.azure.durable.clock import VirtualClock
from infra.sandbox.azure.durable.engine import Engine
from tests.contract.azure_durable.sample import function_app


@pytest.fixture
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """What the sample's activities wrote."""
    file = tmp_path / "journal"
    file.touch()
    monkeypatch.setenv("SAMPLE_JOURNAL", str(file))
    return lambda: file.read_text().splitlines()


@pytest.fixture
def engine(journal: Callable[[], list[str]]) -> Iterator[Engine]:
    engine = Engine(function_app.app, VirtualClock())
    yield engine
    engine.close()


def wait_until(condition: Callable[[], bool], what: str, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.02)
