"""One world per test worker, cloud and control plane: the cloud with the product deployed, a cluster, and a bank at work. Each
scenario has releases and plans of its own in it, and leaves settings and tables as it found them.

Scenarios are on AWS; those marked `both_clouds` are on Azure as well, from the same description; those in `azure` are about
what only Azure has.

A scenario runs on the sandbox's own API server, and once more on kube-apiserver and etcd where KUBEBUILDER_ASSETS names them.
Those in which the cluster plays no part of its own are marked `stand_in_only`, with the reason.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from infra.sandbox.azure_world import AzureWorld
from infra.sandbox.bank.schema import Opening
from infra.sandbox.cluster.process import CONTROL_PLANES, STAND_IN
from infra.sandbox.cluster.real_control_plane import find_assets
from infra.sandbox.releases_world import Scale
from infra.sandbox.world import World
from tests.scenarios import on_azure
from tests.scenarios.deployment import Deployment
from tests.scenarios.on_aws import AwsDeployment
from tests.scenarios.on_azure import AzureDeployment

RUNNING: list[Deployment] = []
SCALE = Scale(pods=3, workers=2, opening=Opening(accounts=20), environment={"BANK_THINK_SECONDS": "0.25"})
"""The bank works all the time, also while a scenario is about something else: as slowly as its proof can do with."""
QUICK = {
    "lag_seconds": 0.5,
    "restore_seconds": 0.5,
    "backup_seconds": 0.2,
    "delete_seconds": 0.1,
    "update_seconds": 0.1,
    "rds_lag_seconds": 0.3,
    "rds_create_seconds": 0.1,
    "rds_backup_seconds": 0.1,
    "rds_restore_seconds": 0.3,
    "rds_modify_seconds": 0.1,
    "rds_snapshot_seconds": 0.2,
    "rds_delete_seconds": 0.1,
    "rename_seconds": 0.2,
    "name_free_seconds": 0.2,
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "cloud" in metafunc.fixturenames:
        is_one_enough = find_assets() is None or metafunc.definition.get_closest_marker("stand_in_only")
        places = [("aws", plane) for plane in ([STAND_IN] if is_one_enough else CONTROL_PLANES)]
        if metafunc.definition.get_closest_marker("both_clouds"):
            places.append(("azure", STAND_IN))
        metafunc.parametrize(("cloud", "control_plane"), places, indirect=True)


@pytest.fixture(scope="package")
def cloud(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="package")
def control_plane(request: pytest.FixtureRequest) -> str:
    plane: str = request.param
    return plane


@pytest.fixture(scope="package")
def aws_deployment(tmp_path_factory: pytest.TempPathFactory, control_plane: str) -> Iterator[Deployment]:
    with World(SCALE, tmp_path_factory.mktemp("world"), control_plane) as world:
        world.aws.settings(**QUICK)
        with _running(AwsDeployment(world)) as deployment:
            yield deployment


@pytest.fixture(scope="package")
def azure_deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    with AzureWorld(SCALE, tmp_path_factory.mktemp("azure")) as world:
        world.azure.settings(**on_azure.QUICK)
        with _running(AzureDeployment(world)) as deployment:
            yield deployment


@contextmanager
def _running(deployment: Deployment) -> Iterator[Deployment]:
    RUNNING.append(deployment)
    try:
        yield deployment
    finally:
        RUNNING.remove(deployment)


@pytest.fixture(scope="package")
def shared_deployment(request: pytest.FixtureRequest, cloud: str, control_plane: str) -> Deployment:
    """Only the world that is asked for is started."""
    found: Deployment = request.getfixturevalue(f"{cloud}_deployment")
    return found


@pytest.fixture
def deployment(shared_deployment: Deployment) -> Iterator[Deployment]:
    """The worker's deployment, with this process's environment leading to it."""
    shared_deployment.followed.clear()
    with shared_deployment.world.environment():
        yield shared_deployment


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """A failed scenario shows what its executions and functions did last; one whose preparation failed, those of the worker."""
    report = yield
    if report.failed:
        used = getattr(item, "funcargs", {}).get("deployment")
        for deployment in [used] if isinstance(used, Deployment) else RUNNING:
            with deployment.world.environment():
                report.sections.append((f"what the deployment on {deployment.cloud} did", deployment.story()))
    return report
