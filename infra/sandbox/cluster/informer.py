"""A local copy of all objects of one resource, kept up to date by list and watch."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from infra.sandbox.cluster.api.resources import Resource
from infra.sandbox.cluster.api_client import ApiClient, ApiFailureError

Document = dict[str, Any]
Name = tuple[str, str]  # namespace ("" for cluster-wide resources) and name
Handler = Callable[[Document | None, Document | None], None]  # before, after

_RESUME_SECONDS = 0.2  # pause after a broken watch, so that a server that is away is not hammered
_CATCH_UP_SECONDS = 10.0
_log = logging.getLogger(__name__)


def name_of(document: Document) -> Name:
    return document["metadata"].get("namespace", ""), document["metadata"]["name"]


class Informer:
    """`objects` maps names to documents that nobody may change."""

    def __init__(self, client: ApiClient, resource: Resource) -> None:
        self.resource = resource
        self.objects: dict[Name, Document] = {}
        self._client = client
        self._handlers: list[Handler] = []
        self._version = 0
        self._moved = asyncio.Condition()

    def on_change(self, handler: Handler) -> None:
        """Calls `handler(before, after)` for every change; None stands for an object that is not there."""
        self._handlers.append(handler)

    async def run(self) -> None:
        """Follows the API until cancelled, over broken watches and expired versions."""
        listed = False
        while True:
            try:
                if not listed:
                    await self._relist()
                    listed = True
                await self._follow()
            except ApiFailureError as error:
                if error.status == 410:
                    listed = False
                    continue
                _log.info("%s: %s; going on from version %d", self.resource.qualified, error, self._version)
                await asyncio.sleep(_RESUME_SECONDS)

    async def caught_up_with(self, written: Document) -> None:
        """Waits until the copy has seen a write, so that the next decision does not repeat it.

        Comparing versions as numbers is how etcd makes them. Raises TimeoutError when the watch does not deliver.
        """
        version = int(written["metadata"]["resourceVersion"])
        async with asyncio.timeout(_CATCH_UP_SECONDS), self._moved:
            await self._moved.wait_for(lambda: self._version >= version)

    async def _relist(self) -> None:
        answer = await self._client.list_objects(self.resource)
        # Items of a list do not say what they are.
        identity = {"apiVersion": self.resource.api_version, "kind": self.resource.kind}
        present = {name_of(document): {**identity, **document} for document in answer["items"]}
        before, self.objects = self.objects, present
        for name in before.keys() | present.keys():
            if before.get(name) != present.get(name):
                self._tell(before.get(name), present.get(name))
        await self._move_to(answer["metadata"]["resourceVersion"])

    async def _follow(self) -> None:
        async for event in self._client.watch(self.resource, str(self._version)):
            document = event["object"]
            if event["type"] != "BOOKMARK":
                name = name_of(document)
                before = self.objects.get(name)
                if event["type"] == "DELETED":
                    self.objects.pop(name, None)
                    self._tell(document, None)
                else:
                    self.objects[name] = document
                    self._tell(before, document)
            await self._move_to(document["metadata"]["resourceVersion"])

    def _tell(self, before: Document | None, after: Document | None) -> None:
        for handler in self._handlers:
            handler(before, after)

    async def _move_to(self, version: str) -> None:
        async with self._moved:
            self._version = int(version)
            self._moved.notify_all()
