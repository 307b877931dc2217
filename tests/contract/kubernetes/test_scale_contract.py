"""The scale subresource."""

from __future__ import annotations

from typing import Any

import pytest

from infra.sandbox.cluster.api.resources import DEPLOYMENTS
from infra.sandbox.cluster.client import KubernetesError
from tests.contract.kubernetes.conftest import Kube


def _scale(kube: Kube, replicas: int) -> dict[str, Any]:
    return kube.patch_deployment("d", {"spec": {"replicas": replicas}}, subresource="scale")


def test_zero_is_left_out_of_the_answer(kube: Kube) -> None:
    kube.create_deployment("d")
    assert _scale(kube, 0)["spec"] == {}
    assert kube.client.get(DEPLOYMENTS, kube.namespace, "d")["spec"]["replicas"] == 0


def test_a_scale_names_its_selector_as_text(kube: Kube) -> None:
    kube.create_deployment("d")
    scale = kube.client.call("GET", DEPLOYMENTS.path(kube.namespace, "d", "scale"))
    assert scale["apiVersion"] == "autoscaling/v1"
    assert scale["status"]["selector"] == "app.kubernetes.io/app=ledger,app.kubernetes.io/instance=orders"


def test_scaling_moves_the_generation(kube: Kube) -> None:
    kube.create_deployment("d")
    _scale(kube, 5)
    assert kube.client.get(DEPLOYMENTS, kube.namespace, "d")["metadata"]["generation"] == 2


def test_the_same_scale_again_keeps_the_version(kube: Kube) -> None:
    kube.create_deployment("d")
    first = _scale(kube, 5)["metadata"]["resourceVersion"]
    assert _scale(kube, 5)["metadata"]["resourceVersion"] == first


def test_a_negative_scale_is_invalid(kube: Kube) -> None:
    kube.create_deployment("d")
    with pytest.raises(KubernetesError) as raised:
        _scale(kube, -1)
    assert (raised.value.status, raised.value.reason) == (422, "Invalid")
    assert "must be greater than or equal to 0" in str(raised.value)


def test_a_stale_version_in_a_scale_patch_is_a_conflict(kube: Kube) -> None:
    stale = kube.create_deployment("d")["metadata"]["resourceVersion"]
    _scale(kube, 4)
    with pytest.raises(KubernetesError) as raised:
        patch = {"metadata": {"resourceVersion": stale}, "spec": {"replicas": 5}}
        kube.patch_deployment("d", patch, subresource="scale")
    assert (raised.value.status, raised.value.reason) == (409, "Conflict")


def test_a_scale_of_what_does_not_exist_is_404(kube: Kube) -> None:
    with pytest.raises(KubernetesError) as raised:
        _scale(kube, 1)
    assert raised.value.status == 404
