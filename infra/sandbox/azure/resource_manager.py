"""Azure Resource Manager: who may do what, the way to the resource providers, and AKS's two ways to get a kubeconfig.

Source: Azure REST API, "Managed Clusters"; error codes as in "Common error codes in Azure Resource Manager".
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from infra.sandbox.azure.aks import ManagedCluster
from infra.sandbox.azure.arm import bodies
from infra.sandbox.azure.arm.faults import Faults
from infra.sandbox.azure.arm.requests import Answer, Provider, Request, Route, action_of
from infra.sandbox.azure.arm.rights import RoleAssignment, allowed
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
    """One subscription. `assignments` hold (object id, action) of the roles given to identities on clusters, such as
    ("…", "listClusterUserCredential"), `roles` those on everything else; `calls` note every request. `refuse_next` answers one
    request with an error, `faults` have more kinds of bad days. `providers` by their namespace in lower case;
    `audiences` of the tokens that it takes."""

    entra: Entra
    subscription: str
    resource_groups: set[str] = field(default_factory=set)
    clusters: dict[str, ManagedCluster] = field(default_factory=dict)
    assignments: set[tuple[str, str]] = field(default_factory=set)
    calls: list[Call] = field(default_factory=list)
    refuse_next: tuple[int, str, dict[str, str]] | None = None
    roles: list[RoleAssignment] = field(default_factory=list)
    faults: Faults = field(default_factory=Faults)
    providers: dict[str, Provider] = field(default_factory=dict)
    clock: Callable[[], float] = time.time
    audiences: set[str] = field(default_factory=lambda: set(RESOURCE_MANAGER_AUDIENCES))

    def add(self, cluster: ManagedCluster) -> None:
        self.resource_groups.add(cluster.resource_group.lower())
        self.clusters[f"{cluster.resource_group}/{cluster.name}".lower()] = cluster

    async def handle(self, http: web.Request) -> web.Response:
        self.calls.append(Call(http.method, http.path, dict(http.query)))
        if self.refuse_next:
            (status, code, headers), self.refuse_next = self.refuse_next, None
            return web.json_response({"error": {"code": code, "message": "As asked."}}, status=status, headers=headers)
        fault = self.faults.of_request(http.method, http.path)
        if fault is not None and fault.kind == "refuse":
            return _error(fault.status, fault.code, fault.message, fault.headers)
        content = await http.read()
        try:
            answer = self._answer(http, content)
        except TokenRefusedError as error:
            where = (
                f'Bearer authorization_uri="https://login.microsoftonline.com/{self.entra.tenant_id}", error="invalid_token"'
            )
            return _error(401, error.code, str(error), {"WWW-Authenticate": where})
        except RefusedError as error:
            return _error(error.status, error.code, str(error))
        if fault is not None:
            return _error(fault.status, fault.code, fault.message, fault.headers)
        if answer.body is None:
            return web.Response(status=answer.status, headers=answer.headers)
        return web.json_response(answer.body, status=answer.status, headers=answer.headers)

    def settle(self) -> None:
        """Ends the operations whose time has come."""
        now = self.clock()
        for provider in self.providers.values():
            provider.settle(now)

    def _answer(self, http: web.Request, content: bytes) -> Answer:
        scheme, _, token = http.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer":
            raise TokenRefusedError("AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing.")
        claims = self.entra.verified(token, self.audiences)
        namespace = http.path.rpartition("/providers/")[2].partition("/")[0].lower()
        if namespace in self.providers:
            return self._provided(self.providers[namespace], http, content, claims["oid"])
        return Answer(200, self._cluster_action(http, claims["oid"]))

    def _provided(self, provider: Provider, http: web.Request, content: bytes, object_id: str) -> Answer:
        version = http.query.get("api-version")
        if version is None:
            raise _missing_api_version()

        def may(action: str, path: str) -> bool:
            return allowed(self.roles, object_id, action, path)

        action = action_of(http.method, http.path)
        if not may(action, http.path):
            message = (
                f"The client with object id '{object_id}' does not have authorization to perform action '{action}' over scope "
                f"'{http.path}' or the scope is invalid."
            )
            raise RefusedError(403, "AuthorizationFailed", message)
        route, names = _found(provider, http.method, http.path)
        if version not in route.bodies:
            served = ", ".join(sorted(route.bodies))
            message = f"No registered resource provider found for API version '{version}'; the supported ones are {served}."
            raise RefusedError(400, "NoRegisteredProviderFound", message)
        self._check_place(names)
        provider.settle(self.clock())
        request = Request(
            http.method,
            http.path,
            dict(http.query),
            _body(content, route.bodies[version], http.method),
            object_id,
            f"{http.scheme}://{http.host}",
            self.clock(),
            may,
            names,
        )
        return route.handle(request)

    def _check_place(self, names: dict[str, str]) -> None:
        if names["subscription"].lower() != self.subscription.lower():
            message = f"The subscription '{names['subscription']}' could not be found."
            raise RefusedError(404, "SubscriptionNotFound", message)
        if "group" in names and names["group"].lower() not in self.resource_groups:
            raise RefusedError(404, "ResourceGroupNotFound", f"Resource group '{names['group']}' could not be found.")

    def _cluster_action(self, http: web.Request, object_id: str) -> dict[str, Any]:
        _check_api_version(http.query.get("api-version"))
        match = _ACTION.fullmatch(http.path)
        if match is None:
            raise RefusedError(404, "InvalidResourceType", f"The resource type could not be found: {http.path}.")
        subscription, resource_group, name, action = match.groups()
        self._authorize(object_id, action, http.path)
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
        self._check_place({"subscription": subscription, "group": resource_group})
        found = self.clusters.get(f"{resource_group}/{name}".lower())
        if found is None:
            what = f"Microsoft.ContainerService/managedClusters/{name}"
            message = f"The Resource '{what}' under resource group '{resource_group}' was not found."
            raise RefusedError(404, "ResourceNotFound", message)
        return found


def _check_api_version(version: str | None) -> None:
    if version is None:
        raise _missing_api_version()
    if version not in AKS_API_VERSIONS:
        served = ", ".join(sorted(AKS_API_VERSIONS))
        message = f"No registered resource provider found for API version '{version}'; the supported ones are {served}."
        raise RefusedError(400, "NoRegisteredProviderFound", message)


def _missing_api_version() -> RefusedError:
    message = "The api-version query parameter (?api-version=) is required for all requests."
    return RefusedError(400, "MissingApiVersionParameter", message)


def _found(provider: Provider, method: str, path: str) -> tuple[Route, dict[str, str]]:
    """The route and the named parts of the path."""
    fitting = [(route, names) for route in provider.routes if (names := route.match(path)) is not None]
    if not fitting:
        raise RefusedError(404, "InvalidResourceType", f"The resource type could not be found: {path}.")
    for route, names in fitting:
        if route.method == method:
            return route, names
    raise RefusedError(405, "MethodNotAllowed", f"{path} does not take {method}.")


def _body(content: bytes, model: type | None, method: str) -> dict[str, Any]:
    if model is None:
        if content.strip() not in (b"", b"{}"):
            raise RefusedError(400, "InvalidRequestContent", f"This {method} takes no body.")
        return {}
    try:
        given = json.loads(content or b"{}")
    except ValueError as error:
        raise RefusedError(400, "InvalidRequestContent", f"The request content was invalid: it is not JSON: {error}.") from None
    return bodies.checked(given, model)


def _error(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> web.Response:
    return web.json_response({"error": {"code": code, "message": message}}, status=status, headers=headers)
