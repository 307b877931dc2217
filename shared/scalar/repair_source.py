"""What a repair of a release's schema is run with, found in its Deployment: the properties that it reads, and their secrets."""

from __future__ import annotations

from shared.model.errors import NotReady
from shared.model.plan import Release
from shared.model.schema_repair import RepairSource
from shared.scalar.cluster_reader import ClusterReader
from shared.scalar.mounted_properties import find_properties
from shared.scalar.products import SCALARDL_AUDITOR, SCALARDL_LEDGER
from shared.scalar.workload import find_deployment

_SCHEMA_TYPES = {SCALARDL_LEDGER.app: "ledger", SCALARDL_AUDITOR.app: "auditor"}
_TEMPLATE = "{{"


def find_repair_source(reader: ClusterReader, release: Release) -> RepairSource:
    """Also while the release has no pods.

    Raises:
        NotReady: its Deployment or its properties were not found.
        Unreachable, Throttled, Forbidden: the cluster.
    """
    product, deployment = find_deployment(reader, release)
    place = find_properties(deployment, product)
    namespace, pod = deployment["metadata"]["namespace"], deployment["spec"]["template"]["spec"]
    text = ((reader.get("configmaps", namespace, place.config_map) or {}).get("data") or {}).get(place.key)
    if text is None:
        raise NotReady(
            f"{release.key}: ConfigMap {place.config_map}, key {place.key} does not exist.",
            hint="Bring it back with helm upgrade.",
        )
    return RepairSource(
        namespace=namespace,
        title=product.title,
        schema_type=_SCHEMA_TYPES.get(product.app, ""),
        config_map=place.config_map,
        key=place.key,
        container_image=str(place.container.get("image") or ""),
        is_template=_TEMPLATE in text,
        environment=tuple(place.container.get("env") or ()),
        environment_from=tuple(place.container.get("envFrom") or ()),
        pull_secrets=tuple(item["name"] for item in pod.get("imagePullSecrets") or ()),
        tolerations=tuple(pod.get("tolerations") or ()),
        node_selector=pod.get("nodeSelector") or {},
    )
