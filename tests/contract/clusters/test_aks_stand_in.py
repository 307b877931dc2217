"""The stand-ins for Azure are as strict as Azure: what would be refused there is refused here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import urllib3

from infra.sandbox.azure.aks import ManagedCluster
from infra.sandbox.azure.entra import Entra
from infra.sandbox.azure.managed_identity import AKS_SERVER
from infra.sandbox.azure.resource_manager import CLUSTER_ADMIN, CLUSTER_USER
from infra.sandbox.azure.server import SUBSCRIPTION, RunningAzure, running_azure

ARM = "https://management.azure.com"
CLUSTER = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.ContainerService/managedClusters/prod"
VERSION = "api-version=2026-08-01"


@pytest.fixture(scope="module")
def azure() -> Iterator[RunningAzure]:
    entra = Entra()
    identity = entra.add()
    with running_azure(entra, [identity]) as azure:
        azure.resource_manager.add(ManagedCluster("prod", "rg", "https://prod.hcp.azmk8s.io:443", "pem"))
        azure.resource_manager.assignments |= {(identity.object_id, action) for action in (CLUSTER_USER, CLUSTER_ADMIN)}
        yield azure


def token(azure: RunningAzure, audience: str = ARM) -> str:
    return azure.entra.token(next(iter(azure.entra.identities.values())), audience)[0]


def ask(azure: RunningAzure, method: str, target: str, bearer: str | None) -> tuple[int, str]:
    headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
    with urllib3.PoolManager(ca_certs=str(azure.ca_file), retries=False, timeout=5) as pool:
        response = pool.request(method, azure.url + target, headers=headers)
    return response.status, response.json().get("error", {}).get("code", "")


@pytest.mark.parametrize(
    "path", [f"{CLUSTER}/{CLUSTER_USER}", f"{CLUSTER}/{CLUSTER_USER}".upper()], ids=["as is", "upper case"]
)
def test_a_proper_request_is_answered_whatever_the_case_of_its_path(azure: RunningAzure, path: str) -> None:
    assert ask(azure, "POST", f"{path}?{VERSION}", token(azure)) == (200, "")


@pytest.mark.parametrize(
    ("method", "target", "expected"),
    [
        ("POST", f"{CLUSTER}/{CLUSTER_USER}", (400, "MissingApiVersionParameter")),
        ("POST", f"{CLUSTER}/{CLUSTER_USER}?api-version=2026-08", (400, "NoRegisteredProviderFound")),
        ("GET", f"{CLUSTER}/{CLUSTER_USER}?{VERSION}", (405, "MethodNotAllowed")),
        ("POST", f"{CLUSTER}?{VERSION}", (404, "InvalidResourceType")),
        ("POST", f"{CLUSTER}/listAnything?{VERSION}", (403, "AuthorizationFailed")),
        ("POST", f"{CLUSTER}/{CLUSTER_ADMIN}?{VERSION}", (400, "BadRequest")),
        ("POST", f"{CLUSTER}/{CLUSTER_USER}?{VERSION}&server-fqdn=public", (400, "BadRequest")),
        ("POST", f"{CLUSTER}/{CLUSTER_USER}?{VERSION}&server-fqdn=other", (400, "InvalidParameter")),
    ],
)
def test_resource_manager_refuses(azure: RunningAzure, method: str, target: str, expected: tuple[int, str]) -> None:
    assert ask(azure, method, target, token(azure)) == expected


def test_tokens_are_checked_for_presence_audience_signature_and_end(azure: RunningAzure) -> None:
    target = f"{CLUSTER}/{CLUSTER_USER}?{VERSION}"
    assert ask(azure, "POST", target, None) == (401, "AuthenticationFailed")
    assert ask(azure, "POST", target, token(azure, AKS_SERVER)) == (401, "InvalidAuthenticationTokenAudience")
    other = Entra(tenant_id=azure.entra.tenant_id)
    forged, _ = other.token(other.add(), ARM)
    assert ask(azure, "POST", target, forged) == (401, "InvalidAuthenticationToken")
    azure.entra.token_seconds = -1
    ended = token(azure)
    azure.entra.token_seconds = 3600
    assert ask(azure, "POST", target, ended) == (401, "ExpiredAuthenticationToken")


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({}, 200),
        ({"api-version": "2017-09-01"}, 400),
        ({"resource": "https://vault.azure.net"}, 400),
        ({"resource": f"{AKS_SERVER}/.default"}, 400),
        ({"client_id": "11111111-1111-1111-1111-111111111111"}, 400),
    ],
    ids=["proper", "api-version", "unknown resource", "a scope for a resource", "unknown identity"],
)
def test_the_identity_endpoint_refuses_what_app_service_refuses(
    azure: RunningAzure, change: dict[str, str], status: int
) -> None:
    query: dict[str, Any] = {"api-version": "2019-08-01", "resource": AKS_SERVER, **change}
    with urllib3.PoolManager(retries=False, timeout=5) as pool:
        response = pool.request("GET", azure.identity_url, fields=query, headers={"X-IDENTITY-HEADER": azure.identity_secret})
        without = pool.request("GET", azure.identity_url, fields=query)
    assert (response.status, without.status) == (status, 401)
