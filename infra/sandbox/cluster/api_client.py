"""The asyncio client that controllers and node use: plain HTTPS with a bearer token, nothing of this cluster's own server.

Calls do not retry: their callers are loops that look again at the world.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Any, Self

import aiohttp

from infra.sandbox.cluster.api.resources import Resource

MERGE_PATCH = "application/merge-patch+json"
_CALL_TIMEOUT = aiohttp.ClientTimeout(total=15, connect=5)
_WATCH_SECONDS = 300
_WATCH_TIMEOUT = aiohttp.ClientTimeout(total=None, connect=5, sock_read=_WATCH_SECONDS + 15)
_LINE_LIMIT_BYTES = 8 * 1024 * 1024  # one object; a ConfigMap alone may have one megabyte


class ApiFailureError(Exception):
    """An answer that is no success. `status` is the HTTP status, 0 when there was no answer at all."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(f"{status} {reason}: {message}")
        self.status, self.reason = status, reason


class ApiClient:
    """Use as an async context manager."""

    def __init__(self, url: str, ca_pem: str, token: str) -> None:
        self._url, self._ca_pem, self._token = url, ca_pem, token

    async def __aenter__(self) -> Self:
        tls = ssl.create_default_context(cadata=self._ca_pem)
        connector = aiohttp.TCPConnector(ssl=tls, limit=0)
        headers = {"Authorization": f"Bearer {self._token}"}
        self._session = aiohttp.ClientSession(connector=connector, headers=headers, read_bufsize=_LINE_LIMIT_BYTES)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._session.close()

    async def get(self, resource: Resource, namespace: str | None, name: str) -> dict[str, Any]:
        return await self._call("GET", resource.path(namespace, name))

    async def list_objects(self, resource: Resource) -> dict[str, Any]:
        """The whole list, in all namespaces."""
        return await self._call("GET", resource.path())

    async def create(
        self, resource: Resource, namespace: str | None, body: dict[str, Any], *, binding_of: str | None = None
    ) -> dict[str, Any]:
        """Creates an object, or, with `binding_of`, the Binding of that pod."""
        path = resource.path(namespace, binding_of, "binding" if binding_of else None)
        return await self._call("POST", path, body)

    async def patch(
        self,
        resource: Resource,
        namespace: str | None,
        name: str,
        patch: dict[str, Any],
        *,
        subresource: str | None = None,
    ) -> dict[str, Any]:
        """A merge patch."""
        path = resource.path(namespace, name, subresource)
        return await self._call("PATCH", path, patch, content_type=MERGE_PATCH)

    async def delete(self, resource: Resource, document: dict[str, Any], *, grace_seconds: int | None = None) -> None:
        """Deletes exactly this object, not a later one of the same name."""
        metadata = document["metadata"]
        options: dict[str, Any] = {"preconditions": {"uid": metadata["uid"]}, "propagationPolicy": "Background"}
        if grace_seconds is not None:
            options["gracePeriodSeconds"] = grace_seconds
        await self._call("DELETE", resource.path(metadata.get("namespace"), metadata["name"]), options)

    async def watch(self, resource: Resource, version: str) -> AsyncIterator[dict[str, Any]]:
        """Events after `version`, in all namespaces, until the server ends the watch. Raises ApiFailureError."""
        query = {
            "watch": "1",
            "resourceVersion": version,
            "timeoutSeconds": str(_WATCH_SECONDS),
            "allowWatchBookmarks": "true",
        }
        try:
            url = self._url + resource.path()
            async with self._session.get(url, params=query, timeout=_WATCH_TIMEOUT) as response:
                await _check(response)
                async for line in response.content:
                    event = json.loads(line)
                    if event["type"] == "ERROR":
                        status = event["object"]
                        raise ApiFailureError(status.get("code", 500), status.get("reason", ""), status.get("message", ""))
                    yield event
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise ApiFailureError(0, "ConnectionLost", f"watch of {resource.qualified}: {error!r}") from error

    async def _call(
        self, method: str, path: str, body: dict[str, Any] | None = None, content_type: str = "application/json"
    ) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": content_type} if body is not None else {}
        try:
            async with self._session.request(
                method, self._url + path, data=data, headers=headers, timeout=_CALL_TIMEOUT
            ) as response:
                await _check(response)
                answer: dict[str, Any] = await response.json()
                return answer
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise ApiFailureError(0, "ConnectionLost", f"{method} {path}: {error!r}") from error


async def _check(response: aiohttp.ClientResponse) -> None:
    if response.status < 400:
        return
    text = await response.text()
    try:
        status = json.loads(text)
        raise ApiFailureError(response.status, status.get("reason", ""), status.get("message", ""))
    except ValueError as error:
        raise ApiFailureError(response.status, "NoStatus", text[:256]) from error
