"""The real API server that the contract is held against; its absence is told once, in the report's summary."""

from __future__ import annotations

from infra.sandbox.cluster.client import ClusterClient
from infra.sandbox.cluster.real_control_plane import RealControlPlane


def test_the_contract_is_held_against_a_real_api_server_too(real_api: RealControlPlane) -> None:
    client = ClusterClient(real_api.url, real_api.ca_pem, real_api.admin_token)
    version = client.call("GET", "/version")
    client.close()
    assert "sandbox" not in version["gitVersion"]
