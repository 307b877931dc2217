from __future__ import annotations

import pytest

from functions_azure.triggers import event_grid, http, timers
from tests.unit.functions_azure.fakes import FakeEngine, FakeWorkers
from tests.unit.steps.world import World


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def engine(world: World, monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    """The engine behind every trigger, and the world's rooms."""
    made = FakeEngine()
    for module in (event_grid, http, timers):
        monkeypatch.setattr(module, "binding_of", lambda text: made)
    for module in (event_grid, timers):
        monkeypatch.setattr(module, "workers", lambda: FakeWorkers(world))
    return made
