"""Which changes move a resourceVersion and which move a generation."""

from __future__ import annotations

from typing import Any

import pytest

from infra.sandbox.cluster.api.resources import DEPLOYMENTS, PODS
from tests.contract.kubernetes.conftest import LABELS, Kube


def _moves(before: dict[str, Any], after: dict[str, Any]) -> tuple[bool, int]:
    """Whether the resourceVersion changed, and by how much the generation grew."""
    was, now = before["metadata"], after["metadata"]
    return was["resourceVersion"] != now["resourceVersion"], now.get("generation", 0) - was.get("generation", 0)


def test_a_new_deployment_has_generation_one(kube: Kube) -> None:
    assert kube.create_deployment("d")["metadata"]["generation"] == 1


@pytest.mark.parametrize(
    ("patch", "moves"),
    [
        ({"metadata": {"annotations": {"note": "1"}}}, (True, 1)),
        ({"metadata": {"labels": {"note": "1"}}}, (True, 0)),
        ({"spec": {"replicas": 5}}, (True, 1)),
        ({"spec": {"minReadySeconds": 1}}, (True, 1)),
        ({"spec": {"replicas": 2}}, (False, 0)),
        ({"metadata": {"annotations": {"never-there": None}}}, (False, 0)),
        ({"metadata": {"labels": LABELS}}, (False, 0)),
        ({}, (False, 0)),
    ],
)
def test_a_deployments_generation_counts_spec_and_annotations_only(
    kube: Kube, patch: dict[str, Any], moves: tuple[bool, int]
) -> None:
    before = kube.create_deployment("d")
    assert _moves(before, kube.patch_deployment("d", patch)) == moves


def test_a_status_moves_the_version_but_not_the_generation(kube: Kube) -> None:
    before = kube.create_deployment("d")
    after = kube.patch_deployment("d", {"status": {"replicas": 3, "observedGeneration": 1}}, subresource="status")
    assert _moves(before, after) == (True, 0)


def test_a_status_in_a_write_of_the_object_is_ignored(kube: Kube) -> None:
    kube.create_deployment("d")
    after = kube.patch_deployment("d", {"status": {"replicas": 77}})
    assert (after["status"], after["metadata"]["generation"]) == ({}, 1)


def test_a_status_write_changes_neither_spec_nor_labels(kube: Kube) -> None:
    kube.create_deployment("d")
    patch = {"metadata": {"labels": {"x": "1"}}, "spec": {"replicas": 9}, "status": {"replicas": 1}}
    after = kube.patch_deployment("d", patch, subresource="status")
    assert (after["spec"]["replicas"], after["metadata"]["labels"], after["status"]["replicas"]) == (2, LABELS, 1)


def test_the_deployment_controllers_revision_annotation_does_not_move_the_generation(kube: Kube) -> None:
    before = kube.create_deployment("d")
    patch = {"metadata": {"annotations": {"deployment.kubernetes.io/revision": "1"}}, "status": {"replicas": 1}}
    after = kube.patch_deployment("d", patch, subresource="status")
    assert _moves(before, after) == (True, 0)
    assert after["metadata"]["annotations"] == {"deployment.kubernetes.io/revision": "1"}


def test_an_annotation_moves_a_pods_version(kube: Kube) -> None:
    before = kube.create_pod("p")
    after = kube.client.patch(PODS, kube.namespace, "p", {"metadata": {"annotations": {"x": "1"}}})
    assert _moves(before, after)[0]


def test_versions_of_different_resources_come_from_one_counter(kube: Kube) -> None:
    first = int(kube.create_config_map("a")["metadata"]["resourceVersion"])
    second = int(kube.create_pod("p")["metadata"]["resourceVersion"])
    third = int(kube.create_deployment("d")["metadata"]["resourceVersion"])
    assert first < second < third


def test_writing_back_what_was_read_changes_nothing(kube: Kube) -> None:
    kube.create_deployment("d")
    read = kube.client.get(DEPLOYMENTS, kube.namespace, "d")
    written = kube.client.call("PUT", DEPLOYMENTS.path(kube.namespace, "d"), read)
    assert _moves(read, written) == (False, 0)


def test_a_dry_run_is_answered_but_not_stored(kube: Kube) -> None:
    kube.create_config_map("c", key="1")
    path = f"/api/v1/namespaces/{kube.namespace}/configmaps/c"
    answer = kube.client.call(
        "PATCH", path, {"data": {"key": "2"}}, content_type="application/merge-patch+json", query={"dryRun": "All"}
    )
    assert answer["data"] == {"key": "2"}
    assert kube.client.call("GET", path)["data"] == {"key": "1"}
