"""Microsoft Entra tokens, checked as the API server of an AKS cluster does: by the tenant's keys, for its own application.

Source: Kubernetes, "OpenID Connect Tokens"; AKS takes the object id as user name and the object ids of groups as groups.
"""

from __future__ import annotations

from typing import Any

AKS_SERVER = "6dae42f8-4368-4678-94ff-3960e28e3630"
ALGORITHM = "RS256"


class EntraTokenRefusedError(Exception):
    """Why a token was not accepted. The client only learns 401; the reason goes to the server's log."""


class EntraTokens:
    """Of one tenant: `issuer` as in its tokens, `jwks` its public keys."""

    def __init__(self, issuer: str, jwks: dict[str, Any]) -> None:
        from jwt import PyJWKSet  # only clusters that trust a tenant need it

        self._issuer = issuer
        self._keys = {key.key_id: key for key in PyJWKSet.from_dict(jwks).keys}

    def subject(self, token: str) -> tuple[str, frozenset[str]]:
        """Object id and groups of whom the token is for. Raises EntraTokenRefusedError."""
        import jwt

        try:
            key = self._keys.get(jwt.get_unverified_header(token).get("kid", ""))
            if key is None:
                raise EntraTokenRefusedError("not signed with a key that the tenant has now")
            claims = jwt.decode(token, key.key, [ALGORITHM], issuer=self._issuer, audience=AKS_SERVER)
        except jwt.PyJWTError as error:
            raise EntraTokenRefusedError(str(error)) from error
        return str(claims["oid"]), frozenset(claims.get("groups") or ())
