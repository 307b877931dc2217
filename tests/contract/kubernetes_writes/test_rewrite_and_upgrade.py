"""Rewritten endpoints of releases as the charts install them, and what a later `helm upgrade` with the old values does."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from infra.sandbox.cluster.api.resources import CONFIG_MAPS, DEPLOYMENTS
from infra.sandbox.cluster.charts import release_objects
from infra.sandbox.cluster.client import KubernetesError
from shared.clusters.patches import MERGE_PATCH
from shared.model.checks import CheckStatus
from shared.model.endpoint_change import EndpointChange, check_drift
from shared.model.errors import Conflict
from shared.model.plan import EksCluster, Release
from shared.model.secret_text import SecretText
from shared.model.storage import ReleaseStorage
from shared.scalar.endpoint_rewrite import Rewritten, apply_rewrite
from shared.scalar.endpoint_sources import find_sources
from shared.scalar.releases import ReleasesInClusters
from shared.system_clock import SystemClock
from tests.contract.kubernetes_writes.conftest import Kube

URL, PASSWORD = "scalar.db.contact_points", "scalar.db.password"
OLD, NEW = "jdbc:postgresql://old:5432/", "jdbc:postgresql://restored:5432/"
APPLY_PATCH = "application/apply-patch+yaml"


class Installed:
    """A release of a chart in a test's namespace, stopped."""

    def __init__(self, kube: Kube, product: str, **values: Any) -> None:
        self.kube = kube
        self.release = Release(
            cluster=EksCluster(name="prod", region="eu-west-1"), namespace=kube.namespace, helm_release="orders"
        )
        self.objects = release_objects(product, "orders", kube.namespace, replicas=3, image="image:1", **values)
        kube.admin.apply(self.objects)
        (self.deployment,) = (item["metadata"]["name"] for item in self.objects if item["kind"] == "Deployment")
        kube.admin.scale(kube.namespace, self.deployment, 0)

    def rewrite(self, **wanted: str) -> Rewritten:
        values = {f"scalar.db.{name}": SecretText(value) for name, value in wanted.items()}
        return apply_rewrite(self.kube.api, find_sources(self.kube.api, self.release, values))

    def upgrade_with_helm_3(self) -> None:
        """With unchanged values, Helm's three-way merge sets every field of its manifest that the cluster has otherwise."""
        self.kube.admin.apply(self.objects)

    @property
    def storage(self) -> ReleaseStorage:
        (storage,) = ReleasesInClusters(lambda _: self.kube.api, SystemClock()).storage([self.release])
        return storage

    @property
    def template(self) -> dict[str, Any]:
        found: dict[str, Any] = self.kube.admin.get(DEPLOYMENTS, self.kube.namespace, self.deployment)["spec"]["template"]
        return found


def on_jdbc(url: str) -> str:
    return f"# storage\nscalar.db.storage=jdbc\n{URL}={url}\n{PASSWORD}=${{env:SCALAR_DB_PASSWORD}}\n"


TEMPLATE = (
    "scalar.db.storage=jdbc\n"
    f'{URL}={{{{ default .Env.HELM_SCALAR_DB_CONTACT_POINTS "" }}}}\n'
    f'{PASSWORD}={{{{ default .Env.HELM_SCALAR_DB_PASSWORD "" }}}}\n'
)


def in_a_line(kube: Kube) -> Installed:
    return Installed(
        kube, "scalardb-cluster", properties=on_jdbc(OLD), user_secret=("credentials", {"SCALAR_DB_PASSWORD": "old"})
    )


def in_the_users_secret(kube: Kube) -> Installed:
    secret = {"SCALAR_DB_CONTACT_POINTS": OLD, "SCALAR_DB_PASSWORD": "old"}
    properties = on_jdbc("${env:SCALAR_DB_CONTACT_POINTS}")
    return Installed(kube, "scalardb-cluster", properties=properties, user_secret=("credentials", secret))


def in_the_pod_template(kube: Kube) -> Installed:
    return Installed(kube, "scalardl", properties=TEMPLATE, contact_points=OLD, credentials=("me", "old"))


@pytest.mark.parametrize("install", [in_a_line, in_the_users_secret, in_the_pod_template])
def test_a_release_leads_to_the_new_endpoint_and_back_again_wherever_the_chart_keeps_it(kube: Kube, install: Any) -> None:
    installed = install(kube)
    rewritten = installed.rewrite(contact_points=NEW, password="n3w")
    assert installed.storage.storages[0].contact_point == NEW
    apply_rewrite(kube.api, rewritten.undo)
    assert installed.storage.storages[0].contact_point == OLD


def test_what_we_wrote_is_recorded_under_our_name(kube: Kube) -> None:
    installed = in_a_line(kube)
    installed.rewrite(contact_points=NEW, password="n3w")
    for kind, name in (("configmaps", "orders-scalardb-cluster-node-properties"), ("secrets", "credentials")):
        found = kube.api.get(kind, kube.namespace, name)
        assert found is not None
        managers = {entry["manager"] for entry in found["metadata"].get("managedFields", ())}
        assert ("scalar-backup" in managers) is kube.records_managers


def test_somebody_elses_edit_between_finding_and_writing_is_a_conflict_that_names_them(kube: Kube) -> None:
    installed = in_a_line(kube)
    plan = find_sources(kube.api, installed.release, {URL: SecretText(NEW)})
    (changed,) = plan.objects
    theirs = {"data": {"scalardb-cluster-node.properties": on_jdbc("jdbc:theirs")}}
    kube.api.patch(changed.kind, kube.namespace, changed.name, theirs, content_type=MERGE_PATCH, field_manager="kubectl-edit")
    with pytest.raises(Conflict, match="last by kubectl-edit" if kube.records_managers else "last by somebody else"):
        apply_rewrite(kube.api, plan)
    assert installed.storage.storages[0].contact_point == "jdbc:theirs"


@pytest.mark.parametrize("install", [in_a_line, in_the_users_secret, in_the_pod_template])
def test_a_helm_3_upgrade_with_the_old_values_is_found_as_drift(kube: Kube, install: Any) -> None:
    installed = install(kube)
    installed.rewrite(contact_points=NEW, password="n3w")
    change = EndpointChange(
        release=installed.release.key, storage="default", old=OLD, new=NEW, run="r", changed_at=datetime.now(UTC)
    )
    assert [result.status for result in check_drift([change], [installed.storage])] == [CheckStatus.OK]
    installed.upgrade_with_helm_3()
    assert [result.status for result in check_drift([change], [installed.storage])] == [CheckStatus.FAILED]


def test_a_helm_3_upgrade_leads_back_without_touching_the_pod_template(kube: Kube) -> None:
    """So no pod is restarted, and nothing but the check shows it."""
    installed = in_a_line(kube)
    installed.rewrite(contact_points=NEW)
    before = installed.template
    installed.upgrade_with_helm_3()
    assert installed.template == before
    assert installed.storage.storages[0].contact_point == OLD


@pytest.mark.parametrize("kube", ["real"], indirect=True)
def test_a_helm_4_upgrade_with_the_old_values_stops_and_names_us(kube: Kube) -> None:
    """Helm 4 applies on the server, which the sandbox's API server does not do."""
    name, data = "properties", {"x.properties": on_jdbc(OLD)}
    manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}
    path, query = CONFIG_MAPS.path(kube.namespace, name), {"fieldManager": "helm"}
    kube.admin.call("PATCH", path, manifest, content_type=APPLY_PATCH, query=query)
    new = {"data": {"x.properties": on_jdbc(NEW)}}
    kube.api.patch("configmaps", kube.namespace, name, new, content_type=MERGE_PATCH)
    with pytest.raises(KubernetesError, match=r'conflict with "scalar-backup".*x\.properties') as raised:
        kube.admin.call("PATCH", path, manifest, content_type=APPLY_PATCH, query=query)
    assert raised.value.status == 409
