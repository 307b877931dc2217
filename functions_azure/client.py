"""The app's own engine, as the host describes it to a function that asks for the durable client.

The extension's address on this machine is used, not the SDK's client: a start that replaces nothing, and errors by their names.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

from shared.executions.durable import DurableExecutions, InstanceStatus, ManagementApi


class Binding(NamedTuple):
    """`text` is what the host hands over: addresses of the management API, with placeholders."""

    text: str
    management: ManagementApi

    def executions(self) -> DurableExecutions:
        return DurableExecutions(self.management)

    async def start_once(self, orchestrator: str, instance: str, given: Mapping[str, Any]) -> bool:
        """See `ManagementApi.start_once`."""
        return await asyncio.to_thread(self.management.start_once, orchestrator, instance, given)

    async def start(self, orchestrator: str, instance: str, given: Mapping[str, Any]) -> None:
        """See `ManagementApi.start`: replaces an instance that has ended."""
        await asyncio.to_thread(self.management.start, orchestrator, instance, given)

    async def raise_event(self, instance: str, event: str) -> None:
        """See `ManagementApi.raise_event`."""
        await asyncio.to_thread(self.management.raise_event, instance, event, {})

    async def purge(self, before: datetime) -> int:
        """See `ManagementApi.purge`."""
        return await asyncio.to_thread(self.management.purge, before)

    async def status(self, instance: str) -> InstanceStatus | None:
        return await asyncio.to_thread(self.management.status, instance)


def binding_of(text: str) -> Binding:
    return Binding(text, _management(str(json.loads(text)["rpcBaseUrl"])))


@cache
def _management(url: str) -> ManagementApi:
    return ManagementApi(url)
