"""Azure Resource Manager: who may do what, and AKS's two ways to get a kubeconfig.

Source: Azure REST API, "Managed Clusters"; error codes as in "Common error codes in Azure Resource Manager".
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from infra.sandbox.azure.aks import ManagedCluster
from infra.sandbox.azure.entra import Entra, TokenRefusedError
from infra.sandbox.azure.managed_identity import RESOURCE_MANAGER_AUDIENCES
from infra.sandbox.azure.refusals import RefusedError

AKS_API_VERSIONS = frozenset({"2025-10-01", "2026-08-01"})
CLUSTER_USER, CLUSTER_ADMIN = "listClusterUserCredential", "listClusterAdminCredential"
_ACTION = re.compile(
    r"/subscriptions/([^/]+)/resourceGroups/([^/]+)/providers/Microsoft\.ContainerService/managedClusters/([^/]+)/(\w+)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Call:
    method: str
    path: str
    query: dict[str, str]


@dataclass
class ResourceManager:
    """One subscription. `assignments` hold (object id, action) of the roles given to identities, such as
    ("…", "listClusterUserCredential"); `calls` note every request. `refuse_next` answers one request with an error."""

    entra: Entra
    subscription: str
    resource_groups: set[str] = field(default_factory=set)
    clusters: dict[str, ManagedCluster] = field(default_factory=dict)
    assignments: set[tuple[str, str]] = field(default_factory=set)
    calls: list[Call] = field(default_factory=list)
    refuse_next: tuple[int, str, dict[str, str]] | None = None

    def add(self, cluster: ManagedCluster) -> None:
        self.resource_groups.add(cluster.resource_group.lower())
        self.clusters[f"{cluster.resource_group}/{cluster.name}".lower()] = cluster

    async def handle(self, http: web.Request) -> web.Response:
        self.calls.append(Call(http.method, http.path, dict(http.query)))
        if self.refuse_next:
            (status, code, headers), self.refuse_next = self.refuse_next, None
            return web.json_response({"error": {"code": code, "message": "As asked."}}, status=status, headers=headers)
        try:
            answer = self._answer(http)
        except TokenRefusedError as error:
            where = (
                f'Bearer authorization_uri="https://login.microsoftonline.com/{self.entra.tenant_id}", error="invalid_token"'
            )
            return _error(401, error.code, str(error), {"WWW-Authenticate": where})
        except RefusedError as error:
            return _error(error.status, error.code, str(error))
        return web.json_response(answer)

    def _answer(self, http: web.Request) -> dict[str, Any]:
        scheme, _, token = http.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer":
            raise TokenRefusedError("AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing.")
        claims = self.entra.verified(token, RESOURCE_MANAGER_AUDIENCES)
        _check_api_version(http.query.get("api-version"))
        match = _ACTION.fullmatch(http.path)
        if match is None:
            raise RefusedError(404, "InvalidResourceType", f"The resource type could not be found: {http.path}.")
        subscription, resource_group, name, action = match.groups()
        self._authorize(claims["oid"], action, http.path)
        cluster = self._cluster(subscription, resource_group, name)
        if http.method != "POST":
            raise RefusedError(405, "MethodNotAllowed", f"{action} is an action: it takes POST, not {http.method}.")
        if action.lower() == CLUSTER_ADMIN.lower():
            return cluster.admin_credential()
        return cluster.user_credential(http.query.get("server-fqdn", ""), http.query.get("format", "exec"))

    def _authorize(self, object_id: str, action: str, scope: str) -> None:
        """Before it is said whether the resource exists, as Azure does it."""
        known = {CLUSTER_USER.lower(), CLUSTER_ADMIN.lower()}
        if action.lower() not in known or not any(
            (who, what.lower()) == (object_id, action.lower()) for who, what in self.assignments
        ):
            raise RefusedError(
                403,
                "AuthorizationFailed",
                f"The client with object id '{object_id}' does not have authorization to perform action "
                f"'Microsoft.ContainerService/managedClusters/{action}/action' over scope '{scope.rpartition('/')[0]}' or the "
                "scope is invalid.",
            )

    def _cluster(self, subscription: str, resource_group: str, name: str) -> ManagedCluster:
        if subscription.lower() != self.subscription.lower():
            raise RefusedError(404, "SubscriptionNotFound", f"The subscription '{subscription}' could not be found.")
        if resource_group.lower() not in self.resource_groups:
            raise RefusedError(404, "ResourceGroupNotFound", f"Resource group '{resource_group}' could not be found.")
        found = self.clusters.get(f"{resource_group}/{name}".lower())
        if found is None:
            what = f"Microsoft.ContainerService/managedClusters/{name}"
            message = f"The Resource '{what}' under resource group '{resource_group}' was not found."
            raise RefusedError(404, "ResourceNotFound", message)
        return found


def _check_api_version(version: str | None) -> None:
    if version is None:
        message = "The api-version query parameter (?api-version=) is required for all requests."
        raise RefusedError(400, "MissingApiVersionParameter", message)
    if version not in AKS_API_VERSIONS:
        served = ", ".join(sorted(AKS_API_VERSIONS))
        message = f"No registered resource provider found for API version '{version}'; the supported ones are {served}."
        raise RefusedError(400, "NoRegisteredProviderFound", message)


def _error(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> web.Response:
    return web.json_response({"error": {"code": code, "message": message}}, status=status, headers=headers)
