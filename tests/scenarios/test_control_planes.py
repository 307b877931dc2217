"""On which control plane the scenarios run. That there is no real one is told here, once."""

from __future__ import annotations

import pytest

from infra.sandbox.cluster.process import STAND_IN
from infra.sandbox.cluster.real_control_plane import ASSETS_VARIABLE, find_assets
from tests.scenarios.deployment import Deployment


def test_the_cluster_runs_on_the_control_plane_of_its_name(deployment: Deployment, control_plane: str) -> None:
    assert ("sandbox" in deployment.world.kube.version) == (control_plane == STAND_IN)


def test_a_real_control_plane_is_there_to_run_scenarios_on() -> None:
    if find_assets() is None:
        pytest.skip(f"no scenario was run on one: {ASSETS_VARIABLE} names no folder with kube-apiserver and etcd")
