"""Bearer tokens for AKS: Microsoft Entra tokens for the application that stands for the API server of every AKS cluster.

Source: "Use kubelogin to authenticate in AKS" (the server application's id), Azure SDK "TokenCredential".
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from threading import Lock
from typing import TYPE_CHECKING

from shared.clusters.refusals import cut
from shared.model.errors import Misconfigured, Unreachable

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

SERVER_APPLICATION = "6dae42f8-4368-4678-94ff-3960e28e3630"
"""The same in every tenant and cloud."""
SCOPE = f"{SERVER_APPLICATION}/.default"
RENEWED_BEFORE_SECONDS = 300.0
"""How long before its end a token is replaced. azure-identity hands out a kept one until then, so asking earlier is no use."""


class EntraTokens:
    """The tokens for one cluster; asked for anew before they end, or when refused. `where` is how messages call the cluster."""

    def __init__(self, where: str, credential: TokenCredential, *, wall_clock: Callable[[], float] = time.time) -> None:
        self._where = where
        self._credential = credential
        # The wall clock, because a monotonic one may stand still while a function is frozen.
        self._wall_clock = wall_clock
        self._lock = Lock()
        self._token = ""
        self._ends_at = 0.0

    def token(self) -> str:
        """Raises:
        Misconfigured: Entra gives this identity no token, or there is no identity.
        Unreachable: the identity endpoint or Entra.
        """
        with self._lock:
            if not self._token or self._wall_clock() > self._ends_at - RENEWED_BEFORE_SECONDS:
                self._ask("")
            return self._token

    def renewed(self, rejected: str) -> str:
        """A token made after now; when another thread has already replaced `rejected`, that one. Raises like `token`.

        A credential that cannot leave its own cache (that of the Azure command line) keeps its token, and the caller learns
        once more that it is refused.
        """
        with self._lock:
            if self._token == rejected:
                # The form in which Entra itself asks for a fresh token; without it the credential's cache would answer.
                not_before = {"essential": True, "value": str(int(self._wall_clock()))}
                try:
                    self._ask(json.dumps({"access_token": {"nbf": not_before}}))
                except Misconfigured:
                    return rejected
            return self._token

    def _ask(self, claims: str) -> None:
        from azure.core.exceptions import AzureError, ClientAuthenticationError

        try:
            made = self._credential.get_token(SCOPE, claims=claims) if claims else self._credential.get_token(SCOPE)
        except ClientAuthenticationError as error:
            raise Misconfigured(
                f"{self._where}: Microsoft Entra gives no token for AKS: {cut(str(error))}.",
                hint="Give the function app a managed identity, and name it in AZURE_CLIENT_ID if there are several; on your "
                "own machine sign in with az login.",
            ) from error
        except AzureError as error:
            raise Unreachable(
                f"{self._where}: Microsoft Entra cannot be asked for a token: {cut(str(error))}.",
                hint="The same call may succeed later; from a VNet, login.microsoftonline.com must be reachable.",
            ) from error
        self._token, self._ends_at = made.token, float(made.expires_on)
