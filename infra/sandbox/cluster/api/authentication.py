"""Who is asking: a static admin token, EKS tokens mapped by access entries, Entra tokens, impersonation, or nobody."""

from __future__ import annotations

import hmac
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass

from infra.sandbox.cluster.api import errors
from infra.sandbox.cluster.api.eks_tokens import PREFIX, EksTokens, TokenRefusedError
from infra.sandbox.cluster.api.entra_tokens import EntraTokenRefusedError, EntraTokens

AUTHENTICATED = "system:authenticated"
_ASSUMED_ROLE = re.compile(r"arn:(aws[a-z-]*):sts::(\d+):assumed-role/([^/]+)/(.+)")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class User:
    name: str
    groups: frozenset[str]


@dataclass(frozen=True)
class AccessEntry:
    """The groups that an IAM role is a member of. https://docs.aws.amazon.com/eks/latest/userguide/access-entries.html"""

    role_arn: str
    groups: frozenset[str]


ADMIN = User("admin", frozenset({"system:masters", AUTHENTICATED}))
ANONYMOUS = User("system:anonymous", frozenset({"system:unauthenticated"}))


class Authentication:
    def __init__(self, admin_token: str, eks_tokens: EksTokens) -> None:
        self._admin_token, self._eks_tokens = admin_token, eks_tokens
        self._entries: dict[str, AccessEntry] = {}
        self._entra_tokens: EntraTokens | None = None

    def trust(self, entra_tokens: EntraTokens) -> None:
        """From now on the cluster is an AKS cluster that is integrated with this tenant, with the keys that it has now."""
        self._entra_tokens = entra_tokens

    def grant(self, entry: AccessEntry) -> None:
        """Creates or replaces the access entry of a role."""
        self._entries[_role_without_path(entry.role_arn)] = entry

    def is_admin_token(self, authorization: str) -> bool:
        return hmac.compare_digest(authorization.encode(), f"Bearer {self._admin_token}".encode())

    async def user(self, authorization: str) -> User:
        """The sender of an Authorization header. Raises 401 for one that names nobody."""
        if not authorization:
            return ANONYMOUS
        if self.is_admin_token(authorization):
            return ADMIN
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer":
            raise errors.unauthorized()
        if self._entra_tokens is not None:
            return _known_to_entra(token, self._entra_tokens)
        if not token.startswith(PREFIX):
            raise errors.unauthorized()
        try:
            arn = await self._eks_tokens.caller_arn(token)
        except TokenRefusedError as error:
            _log.warning("EKS token refused: %s", error)
            raise errors.unauthorized() from error
        return self._mapped(arn)

    def _mapped(self, arn: str) -> User:
        match = _ASSUMED_ROLE.fullmatch(arn)
        principal = f"arn:{match[1]}:iam::{match[2]}:role/{match[3]}" if match else arn
        entry = self._entries.get(principal)
        if entry is None:
            _log.warning("no access entry for %s: sign-in refused", principal)
            raise errors.unauthorized()
        return User(arn, entry.groups | {AUTHENTICATED})


def _known_to_entra(token: str, entra_tokens: EntraTokens) -> User:
    try:
        object_id, groups = entra_tokens.subject(token)
    except EntraTokenRefusedError as error:
        _log.warning("Entra token refused: %s", error)
        raise errors.unauthorized() from error
    return User(object_id, groups | {AUTHENTICATED})


def impersonated(headers: Mapping[str, str], groups: list[str]) -> User | None:
    """The user that the Impersonate- headers name, None without them. The right to do so is checked elsewhere."""
    name = headers.get("Impersonate-User")
    if name is None:
        return None
    return User(name, frozenset(groups) | {AUTHENTICATED})


def _role_without_path(role_arn: str) -> str:
    """An assumed-role ARN does not say the role's path, so entries are found without it."""
    head, separator, name = role_arn.partition(":role/")
    return f"{head}{separator}{name.rpartition('/')[2]}"
