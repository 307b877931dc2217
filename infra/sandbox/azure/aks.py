"""AKS clusters as Resource Manager knows them, and the kubeconfigs that it hands out for them."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

import yaml

from infra.sandbox.azure.managed_identity import AKS_SERVER
from infra.sandbox.azure.refusals import RefusedError


@dataclass
class ManagedCluster:
    """`server` is where its API server is. `public_server` is the other name of a private cluster, empty where there is none.
    `has_entra`: integrated with Microsoft Entra. `exec_plugin`: sign-in by kubelogin, as since Kubernetes 1.24."""

    name: str
    resource_group: str
    server: str
    ca_pem: str
    public_server: str = ""
    has_entra: bool = True
    exec_plugin: bool = True

    def user_credential(self, server_fqdn: str, form: str) -> dict[str, Any]:
        """`server_fqdn` "public" wants the public name. Raises RefusedError where there is none."""
        if server_fqdn not in ("", "public"):
            raise RefusedError(400, "InvalidParameter", f"server-fqdn '{server_fqdn}' is not supported.")
        if server_fqdn and not self.public_server:
            raise RefusedError(400, "BadRequest", "The cluster has no public FQDN.")
        server = self.public_server if server_fqdn else self.server
        return self._kubeconfig("clusterUser", server, self._user(form))

    def admin_credential(self) -> dict[str, Any]:
        """Raises RefusedError: local accounts are disabled in every cluster here."""
        message = "Getting static credential is not allowed because this cluster is set to disable local accounts."
        raise RefusedError(400, "BadRequest", message)

    def _user(self, form: str) -> dict[str, Any]:
        if not self.has_entra:
            return {"client-certificate-data": _base64("certificate"), "client-key-data": _base64("key"), "token": "static"}
        if self.exec_plugin and form == "exec":
            arguments = ["get-token", "--login", "devicecode", "--server-id", AKS_SERVER]
            return {"exec": {"apiVersion": "client.authentication.k8s.io/v1beta1", "command": "kubelogin", "args": arguments}}
        return {"auth-provider": {"name": "azure", "config": {"apiserver-id": AKS_SERVER}}}

    def _kubeconfig(self, kind: str, server: str, user: dict[str, Any]) -> dict[str, Any]:
        user_name = f"{kind}_{self.resource_group}_{self.name}"
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {"name": self.name, "cluster": {"server": server, "certificate-authority-data": _base64(self.ca_pem)}}
            ],
            "contexts": [{"name": self.name, "context": {"cluster": self.name, "user": user_name}}],
            "current-context": self.name,
            "preferences": {},
            "users": [{"name": user_name, "user": user}],
        }
        return {"kubeconfigs": [{"name": kind, "value": _base64(yaml.safe_dump(document))}]}


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
