"""Azure Kubernetes Service clusters: where their API server is, and how to sign in to it with the function's own identity.

Works with local accounts disabled: the credential that AKS hands out is only read for server and CA, and the one for
administrators is never asked for.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import closing
from threading import Lock
from typing import TYPE_CHECKING

from shared.clusters.aks.kubeconfig import ApiServer, api_server
from shared.clusters.aks.resource_manager import PUBLIC_CLOUD, AzureCloud, ResourceManager
from shared.clusters.aks.tokens import EntraTokens
from shared.clusters.api import KubernetesApi
from shared.model.errors import Misconfigured, NotReady
from shared.model.plan import AksCluster

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

PRIVATE_ZONE = ".privatelink."
"""In the name of a private cluster's API server, which only resolves where its private DNS zone is linked."""


def has_address(host: str) -> bool:
    """Whether the name resolves from here. Takes at most as long as the system's resolver tries."""
    try:
        return bool(socket.getaddrinfo(host, 443, type=socket.SOCK_STREAM))
    except socket.gaierror:
        return False


class AksClusters:
    """Opens clusters, each once per process. A cluster whose endpoint could not be reached is asked for again: one that was
    created anew under its old name has another endpoint and another CA."""

    def __init__(self, credential: TokenCredential, cloud: AzureCloud = PUBLIC_CLOUD) -> None:
        self._credential, self._cloud = credential, cloud
        self._lock = Lock()
        self._opened: dict[str, KubernetesApi] = {}

    def __call__(self, cluster: AksCluster) -> KubernetesApi:
        """Raises what `open_aks` raises."""
        with self._lock:
            opened = self._opened.get(cluster.key)
            if opened is not None and not opened.endpoint_failed:
                return opened
            # The old one is not closed: another thread may still be using it.
            self._opened[cluster.key] = open_aks(cluster, self._credential, self._cloud)
            return self._opened[cluster.key]


def open_aks(
    cluster: AksCluster,
    credential: TokenCredential,
    cloud: AzureCloud = PUBLIC_CLOUD,
    *,
    resolves: Callable[[str], bool] = has_address,
) -> KubernetesApi:
    """Finds the cluster's endpoint and CA. Connects and signs in with the first call, not here.

    Raises:
        NotReady: there is no such cluster, or it is being changed.
        Forbidden: the identity may not list the cluster's user credential.
        Misconfigured: there is no identity, or the cluster is not integrated with Microsoft Entra.
        Throttled, Unreachable: Azure Resource Manager.
    """
    where = f"AKS cluster {cluster.name} ({cluster.resource_group})"
    with closing(ResourceManager(credential, cloud)) as azure:
        found = _find(where, cluster, azure, resolves)
    if not found.takes_entra_tokens:
        raise Misconfigured(
            f"{where}: the cluster is not integrated with Microsoft Entra, so it accepts no token of the function's identity.",
            hint=f"az aks update --resource-group {cluster.resource_group} --name {cluster.name} --enable-aad; it cannot be "
            "taken back, and every other user of the cluster then signs in with Entra as well.",
        )
    return KubernetesApi(
        found.endpoint,
        found.ca_pem,
        EntraTokens(where, credential),
        name=where,
        sign_in_hint=(
            "The identity must be of the cluster's Entra tenant. Its rights come from infra/kubernetes/rbac.yaml, bound to the "
            "object id of an Entra group that it is a member of; a new membership counts from the next token on."
        ),
    )


def _find(where: str, cluster: AksCluster, azure: ResourceManager, resolves: Callable[[str], bool]) -> ApiServer:
    """A private cluster's private name is of no use where its DNS zone is not linked; most have a public name for the same
    private address."""
    found = api_server(where, azure.user_credential(where, cluster))
    if PRIVATE_ZONE not in found.host or resolves(found.host):
        return found
    try:
        return api_server(where, azure.user_credential(where, cluster, server_fqdn="public"))
    except (Misconfigured, NotReady) as error:
        raise NotReady(
            f"{where}: the private name of its API server, {found.host}, does not resolve from here, and it has no public one.",
            hint="Link the cluster's private DNS zone to the function's VNet, or az aks update --enable-public-fqdn.",
        ) from error
