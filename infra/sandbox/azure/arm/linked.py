"""Rights on other resources that a request names: linked access checks, such as joining a subnet or assigning an identity.

Source: https://learn.microsoft.com/azure/azure-resource-manager/troubleshooting/ (LinkedAuthorizationFailed).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from infra.sandbox.azure.arm.requests import Request
from infra.sandbox.azure.refusals import RefusedError

JOIN_BY_SERVICE_ENDPOINT = "Microsoft.Network/virtualNetworks/subnets/joinViaServiceEndpoint/action"
JOIN_SUBNET = "Microsoft.Network/virtualNetworks/subnets/join/action"
JOIN_DNS_ZONE = "Microsoft.Network/privateDnsZones/join/action"
ASSIGN_IDENTITY = "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action"


def require(request: Request, action: str, resource_ids: Iterable[str]) -> None:
    """RefusedError for the first resource on which the caller lacks the right."""
    for resource_id in resource_ids:
        if not request.may(action, resource_id):
            raise RefusedError(
                403,
                "LinkedAuthorizationFailed",
                f"The client with object id '{request.object_id}' has permission to write on scope '{request.path}'; however, "
                f"it does not have permission to perform action '{action}' on the linked scope '{resource_id}'.",
            )


def require_identities(request: Request) -> None:
    """For the user-assigned identities that the body names."""
    identity: Mapping[str, Any] = request.body.get("identity") or {}
    require(request, ASSIGN_IDENTITY, identity.get("userAssignedIdentities") or {})
