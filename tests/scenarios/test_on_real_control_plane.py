"""Backups of a cluster whose API is a real kube-apiserver on etcd, with RBAC on and EKS tokens reviewed by a webhook."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from infra.sandbox.bank.schema import Opening
from infra.sandbox.cluster.process import REAL
from infra.sandbox.cluster.real_control_plane import ASSETS_VARIABLE, find_assets
from infra.sandbox.proof import audit_kept_copies
from infra.sandbox.world import NAMESPACE, RELEASE, Scale, World
from shared.model.restore_point import PointPhase
from tests.scenarios.conftest import QUICK
from tests.scenarios.deployment import Deployment, codes, eventually, pod_to_break


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    if find_assets() is None:
        pytest.skip(
            f"no backup was run on a real control plane: {ASSETS_VARIABLE} names no folder with kube-apiserver and etcd"
        )
    scale = Scale(pods=3, workers=2, opening=Opening(accounts=20))
    with World(scale, tmp_path_factory.mktemp("real"), control_plane=REAL) as world:
        world.aws.settings(**QUICK)
        yield world


@pytest.fixture
def deployment(world: World) -> Iterator[Deployment]:
    with world.environment():
        yield Deployment(world)


def test_a_pod_deleted_in_the_hold_makes_the_window_invalid_and_the_next_one_is_proven_consistent(
    deployment: Deployment,
) -> None:
    world = deployment.world
    execution = deployment.start(deployment.apply("pod-deleted", RELEASE, kept_copy=True))
    deployment.await_pause(RELEASE)
    world.kube.delete_pod(NAMESPACE, pod_to_break(deployment, RELEASE))
    run = deployment.run_of(deployment.finish(execution))
    first, *_, last = codes(run)
    assert first in ("pod-deleting", "pod-removed", "pod-added")
    assert last == ""
    point = deployment.catalog.point(run.plan, run.id)
    assert point.phase is PointPhase.AVAILABLE
    audit = audit_kept_copies(world.aws.client("dynamodb"), point, world.scale.opening, "real")
    assert audit.is_consistent, audit.explain()
    eventually(lambda: len(deployment.addresses(RELEASE)) == 3, "three pods are there again")
    assert deployment.paused_pods(RELEASE) == []
