"""Microsoft Entra: identities, the tokens that it signs for them, and the keys by which others verify these tokens.

Claims: https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

TOKEN_SECONDS = 86_400
"""A managed identity's token lives a day: https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/"""
ALGORITHM = "RS256"


class TokenRefusedError(Exception):
    """Why a token was not accepted; `code` is the one that Resource Manager answers with."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Identity:
    """A managed identity. `groups` are object ids of Entra groups."""

    client_id: str
    object_id: str
    groups: frozenset[str] = frozenset()


@dataclass
class Entra:
    """One tenant. `token_seconds` is how long new tokens live."""

    tenant_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    token_seconds: float = TOKEN_SECONDS
    identities: dict[str, Identity] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.roll_keys()

    @property
    def issuer(self) -> str:
        return f"https://sts.windows.net/{self.tenant_id}/"

    def roll_keys(self) -> None:
        """New signing keys: every token made before is worthless."""
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._key_id = uuid.uuid4().hex

    def jwks(self) -> dict[str, Any]:
        """The public keys, as a JSON Web Key Set."""
        public: dict[str, Any] = json.loads(RSAAlgorithm.to_jwk(self._key.public_key()))
        return {"keys": [public | {"kid": self._key_id, "use": "sig", "alg": ALGORITHM}]}

    def add(self, *groups: str) -> Identity:
        """A new managed identity that is a member of these groups."""
        identity = Identity(str(uuid.uuid4()), str(uuid.uuid4()), frozenset(groups))
        self.identities[identity.client_id] = identity
        return identity

    def token(self, identity: Identity, audience: str) -> tuple[str, int]:
        """A signed token and when it ends, in seconds since 1970."""
        now = int(time.time())
        ends_at = int(now + self.token_seconds)
        claims = {
            "iss": self.issuer,
            "aud": audience,
            "tid": self.tenant_id,
            "appid": identity.client_id,
            "oid": identity.object_id,
            "sub": identity.object_id,
            "groups": sorted(identity.groups),
            "iat": now,
            "nbf": now,
            "exp": ends_at,
            "uti": uuid.uuid4().hex,
        }
        return jwt.encode(claims, self._key, ALGORITHM, {"kid": self._key_id}), ends_at

    def verified(self, token: str, audiences: Collection[str]) -> dict[str, Any]:
        """The claims of a token of this tenant for one of the audiences. Raises TokenRefusedError."""
        try:
            claims: dict[str, Any] = jwt.decode(
                token, self._key.public_key(), [ALGORITHM], issuer=self.issuer, audience=[*audiences]
            )
        except jwt.ExpiredSignatureError as error:
            raise TokenRefusedError(
                "ExpiredAuthenticationToken", "The access token expiry UTC time is earlier than now."
            ) from error
        except jwt.InvalidAudienceError as error:
            message = f"The access token has been obtained for a wrong audience; allowed: {', '.join(audiences)}."
            raise TokenRefusedError("InvalidAuthenticationTokenAudience", message) from error
        except jwt.PyJWTError as error:
            raise TokenRefusedError("InvalidAuthenticationToken", f"The access token is invalid: {error}.") from error
        return claims
