"""The kubeconfig that AKS hands out for a cluster: of it, the API server's address and CA are taken, never a credential.

Source: Azure REST API, "Managed Clusters - List Cluster User Credentials"; Kubernetes, "kubeconfig (v1)".
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from shared.model.errors import Misconfigured


class ApiServer(NamedTuple):
    """`endpoint` is an https URL. `takes_entra_tokens`: the cluster is integrated with Microsoft Entra."""

    endpoint: str
    ca_pem: str
    takes_entra_tokens: bool

    @property
    def host(self) -> str:
        return urlsplit(self.endpoint).hostname or ""


def api_server(where: str, answer: object) -> ApiServer:
    """Reads the answer of listClusterUserCredential.

    Raises:
        Misconfigured: it holds no kubeconfig, or one without a usable server and CA.
    """
    try:
        return _api_server(_kubeconfig(answer))
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise Misconfigured(
            f"{where}: Azure returned a kubeconfig without a usable server and CA ({type(error).__name__}: {error}).",
            hint="Compare with az aks get-credentials --file - for the same cluster.",
        ) from error


def _kubeconfig(answer: Any) -> Mapping[str, Any]:
    import yaml  # comes with the kubernetes package

    text = base64.b64decode(answer["kubeconfigs"][0]["value"], validate=True).decode()
    try:
        document: Mapping[str, Any] = yaml.safe_load(text)
    except yaml.YAMLError as error:
        # Its own text would quote the kubeconfig, which may hold credentials.
        raise ValueError("it is not YAML") from error
    return document


def _api_server(kubeconfig: Mapping[str, Any]) -> ApiServer:
    context = _named(kubeconfig["contexts"], kubeconfig["current-context"])["context"]
    cluster = _named(kubeconfig["clusters"], context["cluster"])["cluster"]
    user = _named(kubeconfig["users"], context["user"])["user"]
    endpoint = str(cluster["server"])
    if not endpoint.startswith("https://"):
        raise ValueError("the server is no https URL")
    try:
        ca_pem = base64.b64decode(cluster["certificate-authority-data"], validate=True).decode("ascii")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise ValueError("the CA is not base64 of PEM text") from error
    # A cluster that is not integrated hands out a client certificate or a token of its own instead of a way to sign in.
    return ApiServer(endpoint, ca_pem, takes_entra_tokens="exec" in user or "auth-provider" in user)


def _named(items: list[Mapping[str, Any]], name: str) -> Mapping[str, Any]:
    for item in items:
        if item["name"] == name:
            return item
    raise ValueError("it names a context, cluster or user that it does not hold")
