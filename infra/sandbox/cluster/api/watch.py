"""Watches: every change after a version, as one JSON line each, seen through the watch's selectors.

Semantics: https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncGenerator
from typing import Any

from infra.sandbox.cluster.api import errors
from infra.sandbox.cluster.api.reads import concerns, selection
from infra.sandbox.cluster.api.requests import ResourceRequest
from infra.sandbox.cluster.api.selectors import ObjectTest
from infra.sandbox.cluster.api.store import Change, Store

_SHORTEST_DEFAULT_SECONDS = 1800  # a watch without timeoutSeconds ends after 30 to 60 minutes
_BOOKMARK_SECONDS = 60.0


class Watches:
    def __init__(self, store: Store) -> None:
        self._store = store

    @staticmethod
    def check(request: ResourceRequest) -> None:
        """Raises 400 for options that cannot be read; `events` would only do so when its first line is asked for."""
        selection(request)
        request.whole_number("resourceVersion")
        request.whole_number("timeoutSeconds")

    async def events(self, request: ResourceRequest) -> AsyncGenerator[bytes, None]:
        """Lines until the watch's own time is over. An expired version is an ERROR event: HTTP has said 200 already."""
        selected = selection(request)
        loop = asyncio.get_running_loop()
        seconds = request.whole_number("timeoutSeconds")
        default = random.uniform(_SHORTEST_DEFAULT_SECONDS, 2 * _SHORTEST_DEFAULT_SECONDS)
        ends_at = loop.time() + (default if seconds is None else seconds)
        changed = asyncio.Event()
        unsubscribe = self._store.subscribe(changed.set)
        try:
            seen = request.whole_number("resourceVersion") or 0
            if not seen:
                seen = self._store.version
                for line in self._present(request, selected):
                    yield line
            bookmark_at = loop.time() + _BOOKMARK_SECONDS
            while loop.time() < ends_at:
                changed.clear()
                if self._store.is_compacted(seen):
                    yield _expired_line(seen, self._store.version)
                    return
                for change in self._store.changes_after(seen):
                    seen = change.version
                    if concerns(request, change.key) and (seen_as := _line(change, selected)):
                        yield seen_as
                await _wait(changed, min(ends_at, bookmark_at) - loop.time())
                if request.flag("allowWatchBookmarks") and loop.time() >= min(bookmark_at, ends_at):
                    yield _bookmark(request, seen)
                    bookmark_at = loop.time() + _BOOKMARK_SECONDS
        finally:
            unsubscribe()

    def _present(self, request: ResourceRequest, selected: ObjectTest) -> list[bytes]:
        objects = self._store.objects(request.served)
        chosen = [stored for key, stored in objects if concerns(request, key) and selected(stored.document)]
        return [_event_line("ADDED", stored.encoded) for stored in chosen]


async def _wait(changed: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await changed.wait()
    except TimeoutError:
        return


def _line(change: Change, selected: ObjectTest) -> bytes | None:
    """What this watcher sees of a change: leaving the selection is DELETED, entering it is ADDED."""
    was = change.before is not None and selected(change.before.document)
    if change.after is None:
        return _event_line("DELETED", change.last.encoded) if was and change.last else None
    if selected(change.after.document):
        return _event_line("MODIFIED" if was else "ADDED", change.after.encoded)
    if not was or change.before is None:
        return None
    metadata = {**change.before.document["metadata"], "resourceVersion": str(change.version)}
    last = json.dumps({**change.before.document, "metadata": metadata}, separators=(",", ":"))
    return _event_line("DELETED", last.encode())


def _event_line(kind: str, encoded: bytes) -> bytes:
    return b'{"type":"' + kind.encode() + b'","object":' + encoded + b"}\n"


def _expired_line(asked: int, current: int) -> bytes:
    status: dict[str, Any] = errors.expired(f"too old resource version: {asked} ({current})").status()
    return _event_line("ERROR", json.dumps(status).encode())


def _bookmark(request: ResourceRequest, version: int) -> bytes:
    resource = request.served
    mark = {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": {"resourceVersion": str(version)}}
    return _event_line("BOOKMARK", json.dumps(mark).encode())
