"""The objects that the vendor's Helm charts create for a release of each of the four Scalar products.

Names, labels, ports and mounts are those of the charts in https://github.com/scalar-labs/helm-charts (tags of 2023 to 2026).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from infra.sandbox.cluster.api.strategic import strategic_merge

Object = dict[str, Any]


@dataclass(frozen=True)
class Chart:
    """What differs between the charts. Suffixes follow the release's full name."""

    name: str
    version: str
    app: str  # the label app.kubernetes.io/app
    suffix: str  # of Deployment and ConfigMap
    container: str
    config_map_suffix: str
    properties_key: str
    volume: str
    mount_directory: str
    ports: Mapping[str, int]  # name in the headless Service -> number
    admin_port: str  # which of them
    metrics_port: int
    grace_seconds: int
    own_secret_suffix: str | None  # the Secret that the chart itself makes for user name and password


CHARTS = {
    chart.name: chart
    for chart in (
        Chart(
            name="scalardb-cluster",
            version="1.11.0",
            app="scalardb-cluster",
            suffix="-node",
            container="scalardb-cluster-node",
            config_map_suffix="-node-properties",
            properties_key="scalardb-cluster-node.properties",
            volume="scalardb-cluster-database-properties-volume",
            mount_directory="/scalardb-cluster/node",
            ports={"scalardb-cluster": 60053},
            admin_port="scalardb-cluster",
            metrics_port=9080,
            grace_seconds=90,
            own_secret_suffix=None,
        ),
        Chart(
            name="scalardb",
            version="2.10.6",
            app="scalardb",
            suffix="",
            container="scalardb",
            config_map_suffix="-database-properties",
            properties_key="database.properties.tmpl",
            volume="scalardb-database-properties-volume",
            mount_directory="/scalardb/server",
            ports={"scalardb": 60051},
            admin_port="scalardb",
            metrics_port=8080,
            grace_seconds=60,
            own_secret_suffix="-secret",
        ),
        Chart(
            name="scalardl",
            version="4.12.0",
            app="ledger",
            suffix="-ledger",
            container="scalardl-ledger",
            config_map_suffix="-ledger-properties",
            properties_key="ledger.properties.tmpl",
            volume="scalardl-ledger-properties-volume",
            mount_directory="/scalar/ledger",
            ports={"scalardl": 50051, "scalardl-privileged": 50052, "scalardl-admin": 50053},
            admin_port="scalardl-admin",
            metrics_port=8080,
            grace_seconds=60,
            own_secret_suffix="-ledger",
        ),
        Chart(
            name="scalardl-audit",
            version="2.12.0",
            app="auditor",
            suffix="-auditor",
            container="scalardl-audit-auditor",
            config_map_suffix="-auditor-properties",
            properties_key="auditor.properties.tmpl",
            volume="scalardl-auditor-properties-volume",
            mount_directory="/scalar/auditor",
            ports={"scalardl-auditor": 40051, "scalardl-auditor-privileged": 40052, "scalardl-auditor-admin": 40053},
            admin_port="scalardl-auditor-admin",
            metrics_port=8080,
            grace_seconds=60,
            own_secret_suffix="-auditor",
        ),
    )
}


def full_name(chart_name: str, release_name: str, name_override: str = "", fullname_override: str = "") -> str:
    """The charts' `<fullname>`: the release's name alone when it contains the chart's, both joined when not."""
    name = name_override or chart_name
    full = fullname_override or (release_name if name in release_name else f"{release_name}-{name}")
    return full[:63].removesuffix("-")


def release_objects(
    product: str,
    release_name: str,
    namespace: str,
    properties: str,
    replicas: int,
    image: str,
    *,
    env: Mapping[str, str] | None = None,
    contact_points: str | None = None,
    credentials: tuple[str, str] | None = None,
    user_secret: tuple[str, Mapping[str, str]] | None = None,
    extra_ports: Mapping[str, int] | None = None,
    name_override: str = "",
    fullname_override: str = "",
    envoy_image: str | None = None,
    deployment_overrides: Mapping[str, Any] | None = None,
) -> list[Object]:
    """The objects of one Helm release, ready to be applied in this order.

    `product` is the chart's name: scalardb-cluster, scalardb, scalardl or scalardl-audit. `properties` is the text of its
    properties file. `env` are literals in the container's env. `contact_points` and `credentials` (user name, password)
    are given to the pods as the charts of ScalarDB Server and ScalarDL do, in HELM_SCALAR_DB_… variables.
    `user_secret` is the Secret that the values call `secretName`: its name and its data, all of it environment.
    `extra_ports` are added to the headless Service and the container, as a user does for a dedicated admin port.
    `envoy_image` adds the Envoy Deployment of the same release. `deployment_overrides` is a strategic merge patch of the
    product's Deployment, for everything else.

    Raises ValueError for an unknown product, or for credentials of a chart that makes no Secret.
    """
    chart = CHARTS.get(product)
    if chart is None:
        raise ValueError(f"There is no chart {product}. The charts are {', '.join(CHARTS)}.")
    if credentials and chart.own_secret_suffix is None:
        raise ValueError(f"The chart {product} makes no Secret of its own. Give `user_secret` instead of `credentials`.")
    release = _Release(
        chart, release_name, namespace, full_name(product, release_name, name_override, fullname_override), name_override
    )
    ports = {**chart.ports, **(extra_ports or {})}
    config_map = release.object("v1", "ConfigMap", chart.config_map_suffix, {"data": {chart.properties_key: properties}})
    secrets = _secrets(release, credentials, user_secret)
    pod_environment = _environment(release, contact_points, credentials, env or {})
    template = _pod_template(release, config_map, image, ports, pod_environment, user_secret)
    deployment = release.object(
        "apps/v1",
        "Deployment",
        chart.suffix,
        {"spec": {"replicas": replicas, "selector": {"matchLabels": release.selector}, "template": template}},
    )
    if deployment_overrides:
        deployment = strategic_merge(deployment, dict(deployment_overrides))
    services = [_headless_service(release, ports), _metrics_service(release)]
    envoy = _envoy(release_name, namespace, envoy_image) if envoy_image else []
    return [*secrets, config_map, *services, deployment, *envoy]


@dataclass(frozen=True)
class _Release:
    chart: Chart
    name: str
    namespace: str
    full_name: str
    name_override: str

    @property
    def selector(self) -> dict[str, str]:
        return _selector(self.name_override or self.chart.name, self.name, self.chart.app)

    def object(self, api_version: str, kind: str, suffix: str, content: Object) -> Object:
        labels = {**self.selector, **_helm_labels(self.chart.name, self.chart.version)}
        return _object(api_version, kind, self.full_name + suffix, self.namespace, labels, self.name, content)


def _selector(name: str, release_name: str, app: str) -> dict[str, str]:
    return {
        "app.kubernetes.io/name": name,
        "app.kubernetes.io/instance": release_name,
        "app.kubernetes.io/app": app,
    }


def _helm_labels(chart_name: str, version: str) -> dict[str, str]:
    return {
        "helm.sh/chart": f"{chart_name}-{version}",
        "app.kubernetes.io/version": version,
        "app.kubernetes.io/managed-by": "Helm",
    }


def _object(
    api_version: str, kind: str, name: str, namespace: str, labels: dict[str, str], release_name: str, content: Object
) -> Object:
    annotations = {"meta.helm.sh/release-name": release_name, "meta.helm.sh/release-namespace": namespace}
    metadata = {"name": name, "namespace": namespace, "labels": labels, "annotations": annotations}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **content}


def _secrets(
    release: _Release, credentials: tuple[str, str] | None, user_secret: tuple[str, Mapping[str, str]] | None
) -> list[Object]:
    secrets = []
    if credentials and release.chart.own_secret_suffix is not None:
        data = {"db-username": credentials[0], "db-password": credentials[1]}
        secrets.append(release.object("v1", "Secret", release.chart.own_secret_suffix, {"stringData": data}))
    if user_secret:
        name, entries = user_secret
        metadata = {"name": name, "namespace": release.namespace}  # not the chart's: no labels of the release
        secrets.append({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": dict(entries)})
    return secrets


def _environment(
    release: _Release, contact_points: str | None, credentials: tuple[str, str] | None, env: Mapping[str, str]
) -> list[Object]:
    variables: list[Object] = []
    if contact_points is not None:
        variables.append({"name": "HELM_SCALAR_DB_CONTACT_POINTS", "value": contact_points})
    if credentials:
        secret = f"{release.full_name}{release.chart.own_secret_suffix}"
        for variable, key in (("HELM_SCALAR_DB_USERNAME", "db-username"), ("HELM_SCALAR_DB_PASSWORD", "db-password")):
            variables.append({"name": variable, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}})
    return variables + [{"name": name, "value": value} for name, value in env.items()]


def _pod_template(
    release: _Release,
    config_map: Object,
    image: str,
    ports: Mapping[str, int],
    environment: list[Object],
    user_secret: tuple[str, Mapping[str, str]] | None,
) -> Object:
    chart, key = release.chart, release.chart.properties_key
    container: Object = {
        "name": chart.container,
        "image": image,
        "ports": [{"containerPort": port} for port in (*ports.values(), chart.metrics_port)],
        "volumeMounts": [{"name": chart.volume, "mountPath": f"{chart.mount_directory}/{key}", "subPath": key}],
        **_probes(ports[next(iter(chart.ports))]),
    }
    if environment:
        container["env"] = environment
    if user_secret:
        container["envFrom"] = [{"secretRef": {"name": user_secret[0]}}]
    checksum = hashlib.sha256(config_map["data"][key].encode()).hexdigest()
    return {
        "metadata": {"labels": release.selector, "annotations": {"checksum/config": checksum}},
        "spec": {
            "terminationGracePeriodSeconds": chart.grace_seconds,
            "containers": [container],
            "volumes": [{"name": chart.volume, "configMap": {"name": config_map["metadata"]["name"]}}],
        },
    }


def _probes(port: int) -> Object:
    """The charts have no readiness probe."""
    probe = {"exec": {"command": ["/usr/local/bin/grpc_health_probe", f"-addr=localhost:{port}"]}}
    return {
        "startupProbe": {**probe, "failureThreshold": 60, "periodSeconds": 5},
        "livenessProbe": {**probe, "failureThreshold": 3, "periodSeconds": 10},
    }


def _headless_service(release: _Release, ports: Mapping[str, int]) -> Object:
    listed = [{"name": name, "port": port, "targetPort": port, "protocol": "TCP"} for name, port in ports.items()]
    spec = {"type": "ClusterIP", "clusterIP": "None", "ports": listed, "selector": release.selector}
    return release.object("v1", "Service", "-headless", {"spec": spec})


def _metrics_service(release: _Release) -> Object:
    port = release.chart.metrics_port
    listed = [{"name": f"{release.chart.name}-prometheus", "port": port, "targetPort": port, "protocol": "TCP"}]
    spec = {"type": "ClusterIP", "ports": listed, "selector": release.selector}
    return release.object("v1", "Service", "-metrics", {"spec": spec})


def _envoy(release_name: str, namespace: str, image: str) -> list[Object]:
    """Envoy of the same release: its pods carry the release's instance label as well."""
    selector = _selector("envoy", release_name, "envoy")
    labels = {**selector, **_helm_labels("envoy", "2.7.0")}
    container = {"name": "envoy", "image": image, "ports": [{"containerPort": 60053}, {"containerPort": 9001}]}
    template = {"metadata": {"labels": selector}, "spec": {"containers": [container]}}
    deployment_spec = {"replicas": 1, "selector": {"matchLabels": selector}, "template": template}
    service_ports = [{"name": "envoy", "port": 60053, "targetPort": 60053, "protocol": "TCP"}]
    service_spec = {"type": "ClusterIP", "ports": service_ports, "selector": selector}
    name = f"{release_name}-envoy"
    return [
        _object("v1", "Service", name, namespace, labels, release_name, {"spec": service_spec}),
        _object("apps/v1", "Deployment", name, namespace, labels, release_name, {"spec": deployment_spec}),
    ]
