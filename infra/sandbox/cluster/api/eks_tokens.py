"""EKS bearer tokens: a presigned GetCallerIdentity URL, checked as aws-iam-authenticator checks it.

Format and limits: pkg/token/token.go of kubernetes-sigs/aws-iam-authenticator.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import re
import xml.etree.ElementTree as ElementTree
from datetime import UTC, datetime, timedelta
from urllib.parse import SplitResult, parse_qsl, urlsplit

import aiohttp
from yarl import URL

from infra.sandbox.cluster.api.clock import Clock

PREFIX = "k8s-aws-v1."
CLUSTER_HEADER = "x-k8s-aws-id"
MAX_AGE = timedelta(minutes=15)
_MAX_LENGTH = 4096
_STS_HOST = re.compile(r"sts(-fips)?(\.[a-z0-9-]+)?\.amazonaws\.com(\.cn)?")
_PARAMETERS = frozenset(
    {"action", "version", "x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-expires", "x-amz-security-token",
     "x-amz-signature", "x-amz-signedheaders"}
)  # fmt: skip
_STS_TIMEOUT = aiohttp.ClientTimeout(total=10)
_CACHE_SECONDS = 60.0


class TokenRefusedError(Exception):
    """Why a token was not accepted. The client only learns 401; the reason goes to the server's log."""


class EksTokens:
    """Turns a token into the ARN of its signer by asking the STS at `identity_url`."""

    def __init__(self, cluster_name: str, identity_url: str, clock: Clock) -> None:
        self._cluster_name, self._identity_url, self._clock = cluster_name, identity_url.rstrip("/"), clock
        self._session: aiohttp.ClientSession | None = None
        self._verified: dict[bytes, tuple[float, str]] = {}  # digest of the token -> (forget at, ARN)

    async def caller_arn(self, token: str) -> str:
        """The ARN that STS names for the signer. Raises TokenRefusedError."""
        url, signed_at = presigned_url(token)
        self._check_age(signed_at)
        digest, now = hashlib.sha256(token.encode()).digest(), asyncio.get_running_loop().time()
        self._verified = {each: entry for each, entry in self._verified.items() if entry[0] > now}
        if digest not in self._verified:
            self._verified[digest] = (now + _CACHE_SECONDS, await self._ask_sts(url))
        return self._verified[digest][1]

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    def _check_age(self, signed_at: datetime) -> None:
        age = self._clock.now() - signed_at
        if age > MAX_AGE:
            raise TokenRefusedError(f"signed {age} ago, longer than {MAX_AGE}: sign a new token")
        if age < -MAX_AGE:
            raise TokenRefusedError(f"signed {-age} in the future: the signer's clock is wrong")

    async def _ask_sts(self, url: SplitResult) -> str:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=_STS_TIMEOUT)
        # The signature covers the Host header and the cluster's name, so both are sent as the signer meant them.
        headers = {CLUSTER_HEADER: self._cluster_name, "Host": url.netloc}
        # `encoded`: the query must stay as it is to the letter, because it is what was signed.
        where = URL(f"{self._identity_url}{url.path or '/'}?{url.query}", encoded=True)
        try:
            async with self._session.get(where, headers=headers) as response:
                body = await response.text()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise TokenRefusedError(f"STS at {self._identity_url} did not answer: {error!r}") from error
        if response.status != 200:
            raise TokenRefusedError(f"STS at {self._identity_url} answered {response.status}: the signature does not count")
        return _arn(body)


def presigned_url(token: str) -> tuple[SplitResult, datetime]:
    """The URL inside a token and the time it was signed. Raises TokenRefusedError for anything that is not one."""
    if len(token) > _MAX_LENGTH:
        raise TokenRefusedError(f"longer than {_MAX_LENGTH} characters")
    text = token.removeprefix(PREFIX)
    try:
        url = urlsplit(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True).decode())
    except (binascii.Error, ValueError) as error:
        raise TokenRefusedError(f"no base64url of a URL: {error}") from error
    if url.scheme != "https" or not _STS_HOST.fullmatch(url.netloc) or url.path not in ("", "/"):
        raise TokenRefusedError(f"no https URL of an STS host: {url.scheme}://{url.netloc}{url.path}")
    pairs = parse_qsl(url.query, keep_blank_values=True)
    query = {name.lower(): value for name, value in pairs}
    if unknown := sorted(set(query) - _PARAMETERS):
        raise TokenRefusedError(f"query parameters that no presigned GetCallerIdentity has: {', '.join(unknown)}")
    if len(query) != len(pairs):
        raise TokenRefusedError("a query parameter occurs twice")
    if query.get("action") != "GetCallerIdentity":
        raise TokenRefusedError(f"the action is {query.get('action')}, not GetCallerIdentity")
    if CLUSTER_HEADER not in query.get("x-amz-signedheaders", "").lower().split(";"):
        raise TokenRefusedError(f"{CLUSTER_HEADER} is not among the signed headers: the token is bound to no cluster")
    return url, _signing_time(query)


def _signing_time(query: dict[str, str]) -> datetime:
    expires = query.get("x-amz-expires", "")
    if not expires.isdecimal() or int(expires) > MAX_AGE.total_seconds():
        raise TokenRefusedError(f"X-Amz-Expires is {expires!r}: it must be at most {MAX_AGE.total_seconds():.0f} seconds")
    try:
        return datetime.strptime(query.get("x-amz-date", ""), "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError as error:
        raise TokenRefusedError(f"X-Amz-Date is {query.get('x-amz-date')!r}, not a time like 20260301T040506Z") from error


def _arn(body: str) -> str:
    try:
        found = ElementTree.fromstring(body).find(".//{*}Arn")
    except ElementTree.ParseError as error:
        raise TokenRefusedError("STS answered something that is no XML") from error
    if found is None or not found.text:
        raise TokenRefusedError("STS answered without an Arn")
    return found.text
