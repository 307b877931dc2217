"""Bearer tokens for EKS: a presigned GetCallerIdentity that names the cluster, made without a request and without an STS
client, whose service model takes a hundred times longer to load than the signing.

Source: aws-iam-authenticator, "API Authorization from Outside a Cluster"; the same bytes as `aws eks get-token`.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from threading import Lock
from typing import TYPE_CHECKING

from shared.model.errors import Misconfigured

if TYPE_CHECKING:
    from botocore.credentials import Credentials, ReadOnlyCredentials

CLUSTER_HEADER = "x-k8s-aws-id"
TOKEN_PREFIX = "k8s-aws-v1."  # noqa: S105 - the prefix says only what kind of token follows
URL_SECONDS = 60
"""What the URL says of its own expiry. The authenticator takes 15 minutes from the signing, whatever stands here."""
MAX_AGE_SECONDS = 600.0
"""When a token is replaced, well before its 15 minutes are over."""


class EksTokens:
    """The tokens of one cluster; made anew when old or refused. Credentials are read again for each, as they rotate."""

    def __init__(
        self,
        cluster: str,
        region: str,
        sts_host: str,
        credentials: Credentials,
        *,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._cluster = cluster
        self._region = region
        self._sts_host = sts_host
        self._credentials = credentials
        # The wall clock, because a monotonic one may stand still while a function is frozen.
        self._wall_clock = wall_clock
        self._lock = Lock()
        self._token = ""
        self._made_at = 0.0

    def token(self) -> str:
        with self._lock:
            if not self._token or not 0 <= self._wall_clock() - self._made_at <= MAX_AGE_SECONDS:
                self._make()
            return self._token

    def renewed(self, rejected: str) -> str:
        """A newer token; when another thread has already replaced `rejected`, that one."""
        with self._lock:
            if self._token == rejected:
                self._make()
            return self._token

    def _make(self) -> None:
        from botocore.exceptions import BotoCoreError

        try:
            frozen = self._credentials.get_frozen_credentials()
        except BotoCoreError as error:
            raise Misconfigured(
                f"EKS cluster {self._cluster}: the AWS credentials for the token cannot be read: {error}.",
                hint="Check the function's role, or the profile.",
            ) from error
        self._made_at = self._wall_clock()
        self._token = signed_token(self._cluster, self._region, self._sts_host, frozen)


def signed_token(cluster: str, region: str, sts_host: str, credentials: ReadOnlyCredentials) -> str:
    """The cluster's name is signed as a header, so that a token for one cluster opens no other."""
    from botocore.auth import SigV4QueryAuth
    from botocore.awsrequest import AWSRequest

    url = f"https://{sts_host}/?Action=GetCallerIdentity&Version=2011-06-15"
    request = AWSRequest("GET", url, headers={CLUSTER_HEADER: cluster})
    SigV4QueryAuth(credentials, "sts", region, expires=URL_SECONDS).add_auth(request)
    return TOKEN_PREFIX + base64.urlsafe_b64encode(request.url.encode()).decode().rstrip("=")
