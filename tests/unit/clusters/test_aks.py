"""What AKS hands out, read without Azure: kubeconfigs of every kind, and the life of a token."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError, ServiceRequestError

from shared.clusters.aks.kubeconfig import api_server
from shared.clusters.aks.tokens import RENEWED_BEFORE_SECONDS, SCOPE, EntraTokens
from shared.model.errors import Misconfigured, Unreachable

CA_PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
NOW = 1_000_000.0


def base64_of(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def kubeconfig(**cluster: Any) -> dict[str, Any]:
    details = {"server": "https://prod.hcp.azmk8s.io:443", "certificate-authority-data": base64_of(CA_PEM), **cluster}
    return {
        "clusters": [{"name": "other", "cluster": {}}, {"name": "prod", "cluster": details}],
        "contexts": [{"name": "prod-context", "context": {"cluster": "prod", "user": "clusterUser"}}],
        "current-context": "prod-context",
        "users": [{"name": "clusterUser", "user": {"exec": {"command": "kubelogin"}}}],
    }


def answer(document: Any) -> dict[str, Any]:
    return {"kubeconfigs": [{"name": "clusterUser", "value": base64_of(yaml.safe_dump(document))}]}


def test_server_and_ca_are_those_of_the_current_context() -> None:
    found = api_server("AKS cluster prod", answer(kubeconfig()))
    assert (found.endpoint, found.host, found.ca_pem) == ("https://prod.hcp.azmk8s.io:443", "prod.hcp.azmk8s.io", CA_PEM)


@pytest.mark.parametrize(
    "bad",
    [
        None,
        {},
        {"kubeconfigs": []},
        {"kubeconfigs": [{"value": "%%%"}]},
        {"kubeconfigs": [{"value": base64_of("a: [")}]},
        {"kubeconfigs": [{"value": base64_of("just text")}]},
        answer(kubeconfig(server="http://prod.hcp.azmk8s.io")),
        answer(kubeconfig(**{"certificate-authority-data": "not base64"})),
        answer(kubeconfig() | {"current-context": "gone"}),
        answer(kubeconfig() | {"users": []}),
    ],
    ids=["none", "empty", "no configs", "no base64", "no yaml", "text", "http", "bad ca", "no context", "no user"],
)
def test_an_answer_without_a_usable_kubeconfig_is_refused_with_the_way_to_compare(bad: Any) -> None:
    with pytest.raises(Misconfigured, match="AKS cluster prod: Azure returned a kubeconfig without") as caught:
        api_server("AKS cluster prod", bad)
    assert "az aks get-credentials" in caught.value.hint


def test_a_kubeconfig_that_cannot_be_read_is_not_quoted() -> None:
    secret = {"kubeconfigs": [{"value": base64_of("token: s3cr3t-t0ken: [")}]}
    with pytest.raises(Misconfigured) as caught:
        api_server("AKS cluster prod", secret)
    assert "s3cr3t" not in str(caught.value)


class Credential:
    """Hands out what it is given, errors included; `asked` notes the claims of each request."""

    def __init__(self, *answers: AccessToken | Exception) -> None:
        self._answers: Iterator[AccessToken | Exception] = iter(answers)
        self.asked: list[Any] = []

    def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        assert scopes == (SCOPE,)
        self.asked.append(json.loads(options["claims"]) if "claims" in options else None)
        made = next(self._answers)
        if isinstance(made, Exception):
            raise made
        return made


def tokens(credential: Credential, now: list[float]) -> EntraTokens:
    return EntraTokens("AKS cluster prod", credential, wall_clock=lambda: now[0])  # type: ignore[arg-type]


def test_a_token_is_kept_until_shortly_before_its_end() -> None:
    now = [NOW]
    credential = Credential(AccessToken("one", int(NOW) + 3600), AccessToken("two", int(NOW) + 9000))
    source = tokens(credential, now)
    assert source.token() == "one"
    now[0] = NOW + 3600 - RENEWED_BEFORE_SECONDS
    assert source.token() == "one"
    now[0] += 1
    assert source.token() == "two"


def test_a_refused_token_is_replaced_by_one_made_after_the_refusal() -> None:
    credential = Credential(AccessToken("one", int(NOW) + 3600), AccessToken("two", int(NOW) + 3600))
    source = tokens(credential, [NOW])
    assert source.renewed(source.token()) == "two"
    assert credential.asked == [None, {"access_token": {"nbf": {"essential": True, "value": "1000000"}}}]


def test_a_token_that_another_thread_has_replaced_is_not_asked_for_again() -> None:
    source = tokens(Credential(AccessToken("one", int(NOW) + 3600)), [NOW])
    source.token()
    assert source.renewed("an older one") == "one"


def test_a_credential_that_cannot_renew_keeps_its_token() -> None:
    credential = Credential(AccessToken("one", int(NOW) + 3600), ClientAuthenticationError("Run az login --claims-challenge"))
    source = tokens(credential, [NOW])
    assert source.renewed(source.token()) == "one"


def test_no_identity_and_no_network_are_told_apart() -> None:
    with pytest.raises(Misconfigured, match="gives no token for AKS: no identity"):
        tokens(Credential(ClientAuthenticationError("no identity")), [NOW]).token()
    with pytest.raises(Unreachable, match="cannot be asked for a token: no route"):
        tokens(Credential(ServiceRequestError("no route")), [NOW]).token()


def test_importing_aks_imports_no_sdk() -> None:
    code = "import sys, shared.clusters.aks; print({'azure', 'kubernetes', 'yaml', 'requests'} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    assert result.stdout.strip() == "set()"
