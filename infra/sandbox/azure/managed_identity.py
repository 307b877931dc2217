"""The identity endpoint that App Service and Azure Functions give to the code that runs in them.

Protocol: https://learn.microsoft.com/azure/app-service/overview-managed-identity, "REST endpoint reference".
"""

from __future__ import annotations

import hmac
from collections.abc import Collection

from aiohttp import web

from infra.sandbox.azure.entra import Entra, Identity

API_VERSION = "2019-08-01"
AKS_SERVER = "6dae42f8-4368-4678-94ff-3960e28e3630"
RESOURCE_MANAGER_AUDIENCES = frozenset(
    {"https://management.azure.com", "https://management.azure.com/", "https://management.core.windows.net/"}
)
STORAGE, EVENT_GRID = "https://storage.azure.com", "https://eventgrid.azure.net"
RESOURCES = RESOURCE_MANAGER_AUDIENCES | {AKS_SERVER, STORAGE, f"{STORAGE}/", EVENT_GRID, f"{EVENT_GRID}/"}
"""For what tokens can be asked here; Entra knows no other application in this sandbox."""


class IdentityEndpoint:
    """`secret` is what IDENTITY_HEADER holds; `assigned` are the function app's identities, of which the first one is the
    system-assigned one. `resources` are those for which tokens can be asked; `asked` notes the resource of each request."""

    def __init__(self, entra: Entra, secret: str, assigned: Collection[Identity]) -> None:
        self._entra, self.secret = entra, secret
        self._assigned = list(assigned)
        self.resources = set(RESOURCES)
        self.asked: list[str] = []

    def assign(self, *identities: Identity) -> None:
        """Takes the place of all identities before."""
        self._assigned = list(identities)

    async def handle(self, http: web.Request) -> web.Response:
        query = http.query
        if not hmac.compare_digest(http.headers.get("X-IDENTITY-HEADER", ""), self.secret):
            return _refused(401, "X-IDENTITY-HEADER is missing or wrong")
        if query.get("api-version") != API_VERSION:
            return _refused(400, f"api-version must be {API_VERSION}")
        resource = query.get("resource", "")
        if resource not in self.resources:
            return _refused(400, f"AADSTS500011: The resource principal named {resource} was not found in the tenant.")
        identity = self._identity(query.get("client_id"))
        if identity is None:
            return _refused(400, "No User Assigned or Delegated Managed Identity found for specified ClientId/ResourceId.")
        self.asked.append(resource)
        token, ends_at = self._entra.token(identity, resource)
        return web.json_response(
            {
                "access_token": token,
                "expires_on": str(ends_at),
                "resource": resource,
                "token_type": "Bearer",
                "client_id": identity.client_id,
            }
        )

    def _identity(self, client_id: str | None) -> Identity | None:
        if client_id is None:
            return self._assigned[0] if self._assigned else None
        return next((each for each in self._assigned if each.client_id == client_id), None)


def _refused(status: int, message: str) -> web.Response:
    return web.json_response({"statusCode": status, "message": message}, status=status)
