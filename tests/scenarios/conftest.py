"""One world per test worker: AWS with the product deployed, a cluster, and a bank at work. Each scenario has releases and plans
of its own in it, and leaves settings and tables as it found them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from infra.sandbox.bank.schema import Opening
from infra.sandbox.world import Scale, World
from tests.scenarios.deployment import Deployment

QUICK = {"lag_seconds": 0.5, "restore_seconds": 0.5, "backup_seconds": 0.2, "delete_seconds": 0.1, "update_seconds": 0.1}


@pytest.fixture(scope="package")
def shared_deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    scale = Scale(pods=3, workers=2, opening=Opening(accounts=20))
    with World(scale, tmp_path_factory.mktemp("world")) as world:
        world.aws.settings(**QUICK)
        yield Deployment(world)


@pytest.fixture
def deployment(shared_deployment: Deployment) -> Iterator[Deployment]:
    """The worker's deployment, with this process's environment leading to it."""
    shared_deployment.followed.clear()
    with shared_deployment.world.environment():
        yield shared_deployment


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """A failed scenario shows what its executions and functions did last."""
    report = yield
    used = getattr(item, "funcargs", {}).get("deployment")
    if report.failed and isinstance(used, Deployment):
        report.sections.append(("what the deployment did", used.story()))
    return report
