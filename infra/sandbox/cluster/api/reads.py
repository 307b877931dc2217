"""Lists: selection, consistent pages and reading at a version. Bodies are joined from JSON that was encoded once."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
from dataclasses import dataclass
from typing import Any

from infra.sandbox.cluster.api import errors
from infra.sandbox.cluster.api.requests import ResourceRequest
from infra.sandbox.cluster.api.selectors import ObjectTest, field_selector, label_selector
from infra.sandbox.cluster.api.store import Key, Store, Stored

FUTURE_VERSION_WAIT_SECONDS = 3.0  # how long a real server holds a request for a version that it has not seen yet
_PAGE_EXPIRED = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without "
    "the continue parameter, or use the continue token in this response to go on with an inconsistent list."
)


@dataclass(frozen=True)
class _Page:
    """From where a list goes on. `version` is None when the rest may be inconsistent with the pages before."""

    version: int | None
    after: str

    def token(self) -> str:
        text = json.dumps({"v": "meta.k8s.io/v1", "rv": -1 if self.version is None else self.version, "start": self.after})
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


class Lists:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def read(self, request: ResourceRequest) -> bytes:
        """The encoded list. Raises 400, 410 Expired or, after three seconds, 504 for a version of the future."""
        selected = selection(request)
        page = self._page(request)
        version = await self._version(request, page)
        everything = self._store.objects(request.served, version)
        found = [(key, stored) for key, stored in everything if concerns(request, key) and selected(stored.document)]
        if page:
            found = [(key, stored) for key, stored in found if key.order > page.after]
        shown, metadata = self._limited(request, found, self._store.version if version is None else version)
        return _encoded_list(request, shown, metadata)

    async def wait_for(self, version: int) -> None:
        """Waits until the store has reached `version`. Raises 504 with Retry-After."""
        if version <= self._store.version:
            return
        reached = asyncio.Event()
        unsubscribe = self._store.subscribe(lambda: reached.set() if self._store.version >= version else None)
        try:
            await asyncio.wait_for(reached.wait(), FUTURE_VERSION_WAIT_SECONDS)
        except TimeoutError as error:
            raise errors.version_in_the_future(version, self._store.version) from error
        finally:
            unsubscribe()

    def chosen(self, request: ResourceRequest) -> list[Key]:
        """The keys that a collection request's selectors choose."""
        selected = selection(request)
        objects = self._store.objects(request.served)
        return [key for key, stored in objects if concerns(request, key) and selected(stored.document)]

    def _page(self, request: ResourceRequest) -> _Page | None:
        text = request.query.get("continue")
        if not text:
            return None
        try:
            token = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
            page = _Page(None if token["rv"] < 0 else token["rv"], token["start"])
        except (binascii.Error, ValueError, KeyError, TypeError) as error:
            raise errors.bad_request(f"continue key is not valid: {error}") from error
        if page.version is not None and self._store.is_compacted(page.version):
            raise errors.expired(_PAGE_EXPIRED, _Page(None, page.after).token())
        return page

    async def _version(self, request: ResourceRequest, page: _Page | None) -> int | None:
        """The version to read at; None is the present one."""
        asked = request.whole_number("resourceVersion")
        match = request.query.get("resourceVersionMatch")
        if match and (asked is None or match not in ("Exact", "NotOlderThan") or page):
            raise errors.bad_request("resourceVersionMatch is Exact or NotOlderThan, with a resourceVersion and no continue")
        if page:
            return page.version
        if asked is not None:
            await self.wait_for(asked)
        if asked and (match == "Exact" or (match is None and request.query.get("limit"))):
            if self._store.is_compacted(asked):
                raise errors.expired("The resourceVersion for the provided list is too old.")
            return asked
        return None

    @staticmethod
    def _limited(
        request: ResourceRequest, found: list[tuple[Key, Stored]], version: int
    ) -> tuple[list[tuple[Key, Stored]], dict[str, Any]]:
        metadata: dict[str, Any] = {"resourceVersion": str(version)}
        limit = request.whole_number("limit") or 0
        if request.query.get("resourceVersion") == "0" or not 0 < limit < len(found):
            return found, metadata  # version "0" is answered from a cache, which does not page
        shown = found[:limit]
        metadata["continue"] = _Page(version, shown[-1][0].order).token()
        if not request.query.get("labelSelector") and not request.query.get("fieldSelector"):
            metadata["remainingItemCount"] = len(found) - limit
        return shown, metadata


def selection(request: ResourceRequest) -> ObjectTest:
    """The test that the request's selectors make. Raises 400 for one that cannot be parsed."""
    try:
        by_label = label_selector(request.query.get("labelSelector", ""))
        by_field = field_selector(request.query.get("fieldSelector", ""), request.served)
    except ValueError as error:
        raise errors.bad_request(str(error)) from error
    return lambda document: by_label(document["metadata"].get("labels") or {}) and by_field(document)


def concerns(request: ResourceRequest, key: Key) -> bool:
    """Whether the object lies in the namespace and has the name that the request asks for, if it does."""
    if key.resource != request.served or (request.name is not None and key.name != request.name):
        return False
    return not request.served.namespaced or request.namespace in (None, key.namespace)


def _encoded_list(request: ResourceRequest, shown: list[tuple[Key, Stored]], metadata: dict[str, Any]) -> bytes:
    resource = request.served
    head = {"kind": f"{resource.kind}List", "apiVersion": resource.api_version, "metadata": metadata}
    items = b",".join(stored.encoded_as_item for _, stored in shown)
    return json.dumps(head)[:-1].encode() + b', "items": [' + items + b"]}"
