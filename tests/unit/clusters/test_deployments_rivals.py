"""Who would undo a restore: named from what an object and its surroundings show, with how to suspend it."""

from __future__ import annotations

from typing import Any

import pytest

from shared.clusters.rivals import APPLIER, ARGO_CD, AUTOSCALER, FLUX, HELM, KEDA, find_rivals
from shared.model.checks import CheckResult, CheckStatus
from tests.unit.clusters.one_deployment import NAME, NAMESPACE, REPLICAS_FIELD, OneDeployment, written_by

OK, WARNING, FAILED = CheckStatus.OK, CheckStatus.WARNING, CheckStatus.FAILED


def found(cluster: OneDeployment, name: str, *written: dict[str, Any]) -> list[CheckResult]:
    results = find_rivals(cluster, cluster.deployment, written)  # type: ignore[arg-type]
    return [result for result in results if result.name == name]


def only(cluster: OneDeployment, name: str, *written: dict[str, Any]) -> CheckResult:
    (result,) = found(cluster, name, *written)
    return result


def scaler(name: str, *, target: str = NAME, owners: list[dict[str, str]] | None = None, **spec: Any) -> dict[str, Any]:
    target_reference = {"kind": "Deployment", "name": target}
    metadata = {"name": name, "namespace": NAMESPACE, "ownerReferences": owners or []}
    return {"metadata": metadata, "spec": {"scaleTargetRef": target_reference, "maxReplicas": 9, **spec}}


def test_a_deployment_that_nobody_else_writes_has_no_rivals() -> None:
    results = find_rivals(OneDeployment(), OneDeployment().deployment)  # type: ignore[arg-type]
    assert {result.name: result.status for result in results} == {AUTOSCALER: OK, KEDA: OK}


def test_an_autoscaler_leaves_a_stopped_deployment_alone() -> None:
    cluster = OneDeployment()
    cluster.others["horizontalpodautoscalers"] = [scaler("orders", minReplicas=2), scaler("other", target="payments")]
    result = only(cluster, AUTOSCALER)
    assert result.status is OK
    assert "orders (2 to 9 pods) leaves the Deployment alone" in result.detail


def test_an_autoscaler_that_may_go_to_zero_also_starts_from_zero() -> None:
    cluster = OneDeployment()
    cluster.others["horizontalpodautoscalers"] = [scaler("orders", minReplicas=0)]
    result = only(cluster, AUTOSCALER)
    assert result.status is FAILED
    assert "kubectl patch hpa orders -n scalar" in result.hint


def test_kedas_autoscaler_is_told_as_kedas_without_seeing_its_own_objects() -> None:
    cluster = OneDeployment()
    owner = {"kind": "ScaledObject", "name": "orders-load"}
    cluster.others["horizontalpodautoscalers"] = [scaler("keda-hpa-orders-load", owners=[owner])]
    cluster.denied.add("list scaledobjects")
    results = found(cluster, KEDA)
    assert [result.status for result in results] == [FAILED, WARNING]
    assert "kubectl annotate scaledobject orders-load -n scalar --overwrite autoscaling.keda.sh/paused=true" in results[0].hint


@pytest.mark.parametrize(
    ("annotations", "status"),
    [
        ({}, FAILED),
        ({"autoscaling.keda.sh/paused": "true"}, OK),
        ({"autoscaling.keda.sh/paused-replicas": "0"}, OK),
        ({"autoscaling.keda.sh/paused-replicas": "3"}, FAILED),
    ],
    ids=["running", "paused", "held at 0", "held at 3"],
)
def test_a_scaled_object_fights_unless_it_is_paused(annotations: dict[str, str], status: CheckStatus) -> None:
    cluster = OneDeployment()
    scaled = scaler("orders-load")
    del scaled["spec"]["scaleTargetRef"]["kind"]
    scaled["metadata"]["annotations"] = annotations
    cluster.others["scaledobjects"] = [scaled, scaler("other", target="payments")]
    assert only(cluster, KEDA).status is status


def test_what_may_not_be_looked_at_is_a_warning_that_names_the_right() -> None:
    cluster = OneDeployment()
    cluster.denied |= {"list horizontalpodautoscalers", "list scaledobjects"}
    for name, kind in ((AUTOSCALER, "horizontalpodautoscalers"), (KEDA, "scaledobjects")):
        result = only(cluster, name)
        assert result.status is WARNING
        assert f"Grant list on {kind}" in result.hint


@pytest.mark.parametrize(
    ("labels", "annotations", "name", "command"),
    [
        ({}, {"argocd.argoproj.io/tracking-id": "shop:apps/Deployment:scalar/orders"}, ARGO_CD, "argocd app set shop"),
        ({"argocd.argoproj.io/instance": "shop"}, {}, ARGO_CD, "argocd app set shop --sync-policy none"),
        (
            {"helm.toolkit.fluxcd.io/name": "orders", "helm.toolkit.fluxcd.io/namespace": "flux-system"},
            {},
            FLUX,
            "flux suspend helmrelease orders -n flux-system",
        ),
        ({"kustomize.toolkit.fluxcd.io/name": "apps"}, {}, FLUX, "flux suspend kustomization apps"),
    ],
    ids=["argo cd by annotation", "argo cd by label", "flux helm", "flux kustomize"],
)
def test_gitops_is_named_with_how_to_suspend_it(
    labels: dict[str, str], annotations: dict[str, str], name: str, command: str
) -> None:
    cluster = OneDeployment()
    cluster.deployment["metadata"] |= {"labels": labels, "annotations": annotations}
    result = only(cluster, name)
    assert result.status is WARNING
    assert command in result.hint


@pytest.mark.parametrize(
    ("manager", "name"), [("argocd-controller", ARGO_CD), ("argocd-application-controller", ARGO_CD), ("helm-controller", FLUX)]
)
def test_gitops_without_its_labels_is_known_by_the_name_it_writes_under(manager: str, name: str) -> None:
    cluster = OneDeployment()
    cluster.deployment["metadata"]["managedFields"] = [written_by(manager, {"f:metadata": {}})]
    assert only(cluster, name).status is WARNING


def test_helm_is_told_for_every_object_that_it_owns_and_is_no_obstacle() -> None:
    cluster = OneDeployment()
    helm = {"meta.helm.sh/release-name": "orders"}
    cluster.deployment["metadata"]["annotations"] = helm
    config_map = {"kind": "ConfigMap", "metadata": {"name": "orders-properties", "namespace": NAMESPACE, "annotations": helm}}
    results = found(cluster, HELM, config_map)
    assert [result.subject for result in results] == ["Deployment scalar/orders", "ConfigMap scalar/orders-properties"]
    assert {result.status for result in results} == {OK}


def test_a_chart_that_argo_cd_renders_is_not_told_as_helms() -> None:
    cluster = OneDeployment()
    cluster.deployment["metadata"]["labels"] = {"app.kubernetes.io/managed-by": "Helm"}
    assert found(cluster, HELM) == []


def test_a_field_held_by_server_side_apply_is_told_with_its_holder() -> None:
    cluster = OneDeployment()
    cluster.deployment["metadata"]["managedFields"] = [written_by("helm", REPLICAS_FIELD, operation="Apply")]
    result = only(cluster, APPLIER)
    assert result.detail == "helm at 2026-11-24T02:59:00Z holds spec.replicas by server-side apply."
    assert "--force-conflicts" in result.hint


def test_a_field_that_was_only_updated_is_nobodys_claim() -> None:
    cluster = OneDeployment()
    cluster.deployment["metadata"]["managedFields"] = [
        written_by("kubectl", REPLICAS_FIELD),
        written_by("scalar-backup", REPLICAS_FIELD, operation="Apply"),
    ]
    assert found(cluster, APPLIER) == []


def test_properties_held_by_server_side_apply_are_told_too() -> None:
    fields = {"f:data": {"f:database.properties": {}}}
    metadata = {
        "name": "orders-properties",
        "namespace": NAMESPACE,
        "managedFields": [written_by("helm", fields, operation="Apply")],
    }
    result = only(OneDeployment(), APPLIER, {"kind": "ConfigMap", "metadata": metadata})
    assert result.subject == "ConfigMap scalar/orders-properties"
