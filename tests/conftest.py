"""How `make test` shares out the tests: whole files, scenarios first; what it leaves to `make test-all`. And how hypothesis
chooses its examples."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadFileScheduling

SCENARIOS = "tests/scenarios/"
# The same examples in every run, and no verdict that depends on how busy the machine is.
settings.register_profile(
    "suite", deadline=None, derandomize=True, max_examples=50, suppress_health_check=[HealthCheck.too_slow], print_blob=False
)
settings.load_profile("suite")
SCENARIO_SECONDS = 600
"""A hang ends then. Each wait in a scenario has a limit of its own; together they last long on a machine that is busy."""
ON_AZURE = "tests/scenarios/azure/"
_OF_BOTH_ON_AZURE = re.compile(r"[\[-]azure[\]-]")
_ON_REAL = re.compile(r"[\[-]real[\]-]")
ON_REAL_IN_SHORT = ("test_control_planes", "test_products_same_pods", "test_overlay_network")
"""Scenarios that `make test` runs on a real control plane, too; the others are left to `make test-all` there."""


class FilesAndControlPlanes(LoadFileScheduling):
    """Scenarios on the real control plane count as one more file, and those on Azure as another: one worker takes them all, in
    one world. Several such worlds at once would crowd a small machine so much that time-outs slip."""

    def _split_scope(self, nodeid: str) -> str:
        file: str = super()._split_scope(nodeid)
        if _is_on_real(nodeid):
            return "scenarios on the real control plane"
        return "scenarios on Azure" if _is_on_azure(nodeid) else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> FilesAndControlPlanes | None:
    return FilesAndControlPlanes(config, log) if config.getoption("dist") == "loadfile" else None


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--extended", action="store_true", help="run the extended scenarios, too: what `make test-all` does")


def pytest_report_header(config: pytest.Config) -> str:
    extended = config.getoption("extended")
    return "extended scenarios: included" if extended else "extended scenarios: left out, `make test-all` runs them, too"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Scenarios take longest, so they begin; those on the real control plane longest of all. A worker has all its scenarios one
    after the other: it starts one world, and no other test ends it early."""
    if not config.getoption("extended"):
        left_out = [item for item in items if _is_extended(item)]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not _is_extended(item)]
    for item in items:
        if item.nodeid.startswith(SCENARIOS):
            item.add_marker(pytest.mark.timeout(SCENARIO_SECONDS))
    items.sort(
        key=lambda item: (
            not item.nodeid.startswith(SCENARIOS),
            not _is_on_real(item.nodeid),
            not _is_on_azure(item.nodeid),
        )
    )


def _is_extended(item: pytest.Item) -> bool:
    """What is marked so; and a scenario's second run on another cloud or control plane, where another one of its kind has shown
    that it makes no difference."""
    if item.get_closest_marker("extended"):
        return True
    again_on_azure = item.get_closest_marker("both_clouds") and _is_on_azure(item.nodeid)
    again_on_real = _is_on_real(item.nodeid) and not any(name in item.nodeid for name in ON_REAL_IN_SHORT)
    return bool(again_on_azure or again_on_real)


def _is_on_azure(nodeid: str) -> bool:
    of_both = nodeid.startswith(SCENARIOS) and _OF_BOTH_ON_AZURE.search(nodeid)
    return nodeid.startswith(ON_AZURE) or bool(of_both)


def _is_on_real(nodeid: str) -> bool:
    return nodeid.startswith(SCENARIOS) and bool(_ON_REAL.search(nodeid))
