"""`AksClusters` against a strict Resource Manager and Entra, with the real managed-identity credential of azure-identity, on an
API server that takes the tenant's tokens."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml
from azure.identity import ManagedIdentityCredential

from infra.sandbox.azure.aks import ManagedCluster
from infra.sandbox.azure.entra import Entra, Identity
from infra.sandbox.azure.managed_identity import AKS_SERVER
from infra.sandbox.azure.resource_manager import CLUSTER_ADMIN, CLUSTER_USER
from infra.sandbox.azure.server import SUBSCRIPTION, RunningAzure, running_azure
from infra.sandbox.cluster import process
from infra.sandbox.cluster.client import ClusterClient
from infra.sandbox.cluster.process import REAL, STAND_IN
from infra.sandbox.cluster.real_control_plane import ASSETS_VARIABLE, find_assets
from shared.clusters.aks import AksClusters, AzureCloud, open_aks
from shared.clusters.api import KubernetesApi
from shared.model.errors import Forbidden, Misconfigured, NotReady, Throttled, Unreachable
from shared.model.plan import AksCluster
from shared.model.records import replace

RBAC = Path(__file__).parents[3] / "infra" / "kubernetes" / "rbac.yaml"
CLUSTER = AksCluster(name="prod-japaneast", resource_group="rg-prod", subscription=SUBSCRIPTION)
NAMESPACE = "scalar"
BACKUP_GROUP = "5d1f0c0e-0000-4000-8000-000000000001"
PRIVATE_NAME = "https://prod-1234.privatelink.japaneast.azmk8s.io:443"


@dataclass
class World:
    """Azure with one AKS cluster, and a function app whose identity may list the cluster's user credential."""

    azure: RunningAzure
    identity: Identity
    managed: ManagedCluster
    admin: ClusterClient
    credential: ManagedIdentityCredential
    opened: list[KubernetesApi] = field(default_factory=list)

    @property
    def cloud(self) -> AzureCloud:
        return AzureCloud(self.azure.url, "https://management.azure.com/.default")

    def open(self, cluster: AksCluster = CLUSTER, **options: object) -> KubernetesApi:
        api = open_aks(cluster, self.credential, self.cloud, **options)  # type: ignore[arg-type]
        self.opened.append(api)
        return api

    def trust(self) -> None:
        self.admin.trust_entra(self.azure.entra.issuer, self.azure.entra.jwks())


@pytest.fixture(scope="module", params=[STAND_IN])
def api_server(request: pytest.FixtureRequest) -> Iterator[process.RunningCluster]:
    if request.param == REAL and find_assets() is None:
        pytest.skip(f"not held against a real control plane: {ASSETS_VARIABLE} names no folder with kube-apiserver and etcd")
    with process.start(CLUSTER.name, "http://127.0.0.1:9", api_only=True, control_plane=request.param) as running:
        admin = running.administrator()
        documents = list(yaml.safe_load_all(RBAC.read_text()))
        for document in documents:  # as the file says: the groups' object ids in place of the names
            for subject in document.get("subjects", ()):
                subject["name"] = BACKUP_GROUP if subject["name"] == "scalar-backup" else subject["name"]
        admin.apply(documents)
        admin.close()
        yield running


@pytest.fixture
def world(api_server: process.RunningCluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    entra = Entra()
    identity = entra.add(BACKUP_GROUP)
    with running_azure(entra, [identity]) as azure:
        managed = ManagedCluster(CLUSTER.name, CLUSTER.resource_group, api_server.url, api_server.ca_pem)
        azure.resource_manager.add(managed)
        azure.resource_manager.assignments.add((identity.object_id, CLUSTER_USER))
        for name, value in azure.environment().items():
            monkeypatch.setenv(name, value)
        admin = api_server.administrator()
        with ManagedIdentityCredential() as credential:
            world = World(azure, identity, managed, admin, credential)
            world.trust()
            yield world
            for api in world.opened:
                api.close()
        admin.close()


@pytest.mark.parametrize("api_server", [STAND_IN, REAL], indirect=True)
def test_the_managed_identity_reads_the_pods_with_the_rights_of_its_entra_group(world: World) -> None:
    api = world.open()
    assert api.list("pods", NAMESPACE, {}).items == ()
    assert not api.can_i("list", "secrets", NAMESPACE)
    (call,) = world.azure.resource_manager.calls
    assert (call.method, call.query) == ("POST", {"api-version": "2026-08-01"})
    assert call.path.endswith(f"/managedClusters/{CLUSTER.name}/{CLUSTER_USER}")
    assert world.azure.identity_endpoint.asked == ["https://management.azure.com", AKS_SERVER]


def test_the_credential_of_administrators_is_never_asked_for(world: World) -> None:
    world.azure.resource_manager.assignments.add((world.identity.object_id, CLUSTER_ADMIN))
    world.open().list("pods", NAMESPACE, {})
    assert not any(CLUSTER_ADMIN in call.path for call in world.azure.resource_manager.calls)


def test_an_identity_outside_the_group_is_known_and_may_nothing(world: World) -> None:
    stranger = world.azure.entra.add()
    world.azure.resource_manager.assignments.add((stranger.object_id, CLUSTER_USER))
    world.azure.identity_endpoint.assign(stranger)
    with pytest.raises(Forbidden, match=f'User "{stranger.object_id}" cannot list'):
        world.open().list("pods", NAMESPACE, {})


def test_a_user_assigned_identity_is_taken_by_its_client_id(world: World) -> None:
    second = world.azure.entra.add(BACKUP_GROUP)
    world.azure.resource_manager.assignments.add((second.object_id, CLUSTER_USER))
    world.azure.identity_endpoint.assign(world.identity, second)
    with ManagedIdentityCredential(client_id=second.client_id) as credential:
        api = open_aks(CLUSTER, credential, world.cloud)
        assert api.list("pods", NAMESPACE, {}).items == ()
        api.close()


def test_a_refused_token_is_replaced_past_the_credentials_own_cache(world: World) -> None:
    api = world.open()
    api.list("pods", NAMESPACE, {})
    world.azure.entra.roll_keys()
    world.trust()
    assert api.list("pods", NAMESPACE, {}).items == ()
    assert world.azure.identity_endpoint.asked.count(AKS_SERVER) == 2


def test_a_token_is_replaced_before_it_ends(world: World) -> None:
    world.azure.entra.token_seconds = 200
    api = world.open()
    api.list("pods", NAMESPACE, {})
    api.list("pods", NAMESPACE, {})
    assert world.azure.identity_endpoint.asked.count(AKS_SERVER) == 2


def test_one_token_serves_many_calls_while_it_is_good(world: World) -> None:
    api = world.open()
    for _ in range(3):
        api.list("pods", NAMESPACE, {})
    assert world.azure.identity_endpoint.asked.count(AKS_SERVER) == 1


def test_a_token_of_another_tenant_is_refused_with_what_to_do(world: World) -> None:
    other = Entra()
    world.admin.trust_entra(other.issuer, other.jwks())
    with pytest.raises(Forbidden, match="does not know who asks") as caught:
        world.open().list("pods", NAMESPACE, {})
    assert "Entra tenant" in caught.value.hint


def test_a_token_for_resource_manager_does_not_open_the_cluster(world: World) -> None:
    token, _ = world.azure.entra.token(world.identity, "https://management.azure.com")
    stranger = ClusterClient(world.admin.url, world.managed.ca_pem, token)
    answer = stranger.send("GET", f"/api/v1/namespaces/{NAMESPACE}/pods")
    stranger.close()
    assert answer.status == 401


@pytest.mark.parametrize("exec_plugin", [True, False], ids=["kubelogin", "auth-provider"])
def test_both_forms_of_kubeconfig_of_an_integrated_cluster_are_read(world: World, exec_plugin: bool) -> None:
    world.managed.exec_plugin = exec_plugin
    assert world.open().list("pods", NAMESPACE, {}).items == ()


def test_a_cluster_without_entra_is_refused_before_anything_is_sent_to_it(world: World) -> None:
    world.managed.has_entra = False
    with pytest.raises(Misconfigured, match="not integrated with Microsoft Entra") as caught:
        world.open()
    assert "--enable-aad" in caught.value.hint
    assert "static" not in str(caught.value)


def test_a_private_name_that_does_not_resolve_here_is_replaced_by_the_public_one(world: World) -> None:
    world.managed.public_server, world.managed.server = world.managed.server, PRIVATE_NAME
    api = world.open(resolves=lambda host: False)
    assert api.list("pods", NAMESPACE, {}).items == ()
    assert [call.query.get("server-fqdn") for call in world.azure.resource_manager.calls] == [None, "public"]


def test_a_private_name_that_resolves_is_used(world: World) -> None:
    world.managed.server = PRIVATE_NAME
    asked: list[str] = []
    world.open(resolves=lambda host: bool(asked.append(host)) or True)
    assert asked == ["prod-1234.privatelink.japaneast.azmk8s.io"]
    assert len(world.azure.resource_manager.calls) == 1


def test_a_private_cluster_without_a_public_name_says_what_to_link(world: World) -> None:
    world.managed.server = PRIVATE_NAME
    with pytest.raises(NotReady, match="does not resolve from here") as caught:
        world.open(resolves=lambda host: False)
    assert "private DNS zone" in caught.value.hint


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"name": "prod-osaka"}, "ResourceNotFound"),
        ({"resource_group": "rg-test"}, "ResourceGroupNotFound"),
        ({"subscription": "00000000-0000-0000-0000-000000000002"}, "SubscriptionNotFound"),
    ],
)
def test_a_cluster_that_is_not_there_is_told_with_azures_code(world: World, change: dict[str, str], code: str) -> None:
    with pytest.raises(NotReady, match=code):
        world.open(replace(CLUSTER, **change))


def test_without_the_azure_role_it_is_named(world: World) -> None:
    world.azure.resource_manager.assignments.clear()
    with pytest.raises(Forbidden, match="AuthorizationFailed") as caught:
        world.open()
    assert "Azure Kubernetes Service Cluster User Role" in caught.value.hint


def test_without_an_identity_it_is_said_that_one_is_missing(world: World) -> None:
    world.azure.identity_endpoint.assign()
    with pytest.raises(Misconfigured, match="no identity to ask Azure with") as caught:
        world.open()
    assert "managed identity" in caught.value.hint


def test_an_identity_taken_away_later_ends_in_the_clusters_refusal(world: World) -> None:
    api = world.open()
    api.list("pods", NAMESPACE, {})
    world.azure.identity_endpoint.assign()
    world.azure.entra.roll_keys()
    world.trust()
    with pytest.raises(Forbidden, match="401"):
        api.list("pods", NAMESPACE, {})


def test_throttling_tells_how_long_to_wait_and_is_not_waited_for_here(world: World) -> None:
    world.azure.resource_manager.refuse_next = (429, "TooManyRequests", {"Retry-After": "17"})
    begun = time.monotonic()
    with pytest.raises(Throttled) as caught:
        world.open()
    assert caught.value.retry_after_seconds == 17
    assert time.monotonic() - begun < 5
    assert len(world.azure.resource_manager.calls) == 1


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (500, "InternalServerError", Unreachable),
        (409, "OperationNotAllowed", NotReady),
        (400, "InvalidParameter", Misconfigured),
        (401, "InvalidAuthenticationToken", Forbidden),
    ],
)
def test_every_other_refusal_has_its_error(world: World, status: int, code: str, expected: type[Exception]) -> None:
    world.azure.resource_manager.refuse_next = (status, code, {})
    with pytest.raises(expected, match=rf"As asked \({code}, HTTP {status}\)"):
        world.open()


def test_a_resource_manager_that_nobody_runs_is_unreachable(world: World) -> None:
    cloud = AzureCloud("https://127.0.0.1:9", "https://management.azure.com/.default")
    with pytest.raises(Unreachable, match="Azure cannot be asked"):
        open_aks(CLUSTER, world.credential, cloud)


def test_a_certificate_of_another_ca_is_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    with pytest.raises(Unreachable, match="CERTIFICATE_VERIFY_FAILED"):
        world.open()


def test_a_cluster_is_asked_for_once_and_again_when_its_endpoint_has_gone(world: World) -> None:
    clusters = AksClusters(world.credential, world.cloud)
    assert clusters(CLUSTER) is clusters(CLUSTER)
    world.managed.server = "https://127.0.0.1:9"
    moved = AksClusters(world.credential, world.cloud)
    api = moved(CLUSTER)
    with pytest.raises(Unreachable):
        api.list("pods", NAMESPACE, {})
    world.managed.server = world.admin.url
    assert moved(CLUSTER) is not api
    moved(CLUSTER).list("pods", NAMESPACE, {})
    world.opened += [moved(CLUSTER), clusters(CLUSTER)]
