"""The loop that every controller is: names whose object may need something, worked off one after the other."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from infra.sandbox.cluster.api_client import ApiFailureError
from infra.sandbox.cluster.informer import Name

_FIRST_RETRY_SECONDS, _LONGEST_RETRY_SECONDS = 0.05, 5.0
_log = logging.getLogger(__name__)


class ReconcileQueue:
    """A name that is added while it waits is worked off once; one that failed comes again later."""

    def __init__(self, reconcile: Callable[[Name], Awaitable[None]]) -> None:
        self._reconcile = reconcile
        self._waiting: dict[Name, None] = {}
        self._failures: dict[Name, int] = {}
        self._filled = asyncio.Event()

    def add(self, name: Name) -> None:
        self._waiting[name] = None
        self._filled.set()

    async def run(self) -> None:
        while True:
            await self._filled.wait()
            name = next(iter(self._waiting))
            del self._waiting[name]
            if not self._waiting:
                self._filled.clear()
            await self._try(name)

    async def _try(self, name: Name) -> None:
        try:
            await self._reconcile(name)
            self._failures.pop(name, None)
        except (ApiFailureError, TimeoutError) as error:
            # Conflicts are normal: somebody else wrote first, and the next look sees it.
            failures = self._failures[name] = self._failures.get(name, 0) + 1
            seconds = min(_FIRST_RETRY_SECONDS * 2 ** (failures - 1), _LONGEST_RETRY_SECONDS)
            _log.info("%s/%s: %r; again in %.2f s", *name, error, seconds)
            asyncio.get_running_loop().call_later(seconds, self.add, name)
