"""How `make test` shares out the tests: whole files, scenarios first. And how hypothesis chooses its examples."""

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


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Scenarios take longest, so they begin; those on the real control plane longest of all. A worker has all its scenarios one
    after the other: it starts one world, and no other test ends it early."""
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


def _is_on_azure(nodeid: str) -> bool:
    of_both = nodeid.startswith(SCENARIOS) and _OF_BOTH_ON_AZURE.search(nodeid)
    return nodeid.startswith(ON_AZURE) or bool(of_both)


def _is_on_real(nodeid: str) -> bool:
    return nodeid.startswith(SCENARIOS) and bool(_ON_REAL.search(nodeid))
