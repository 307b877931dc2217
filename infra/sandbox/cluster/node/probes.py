"""Probes, reduced to what tells a living server from a dead one: a TCP connection to the pod's port.

`grpc_health_probe` of the Scalar charts, tcpSocket, httpGet and grpc probes are all performed this way.
"""

from __future__ import annotations

import asyncio
import re
from typing import Any

_EAGER_SECONDS = 0.1  # between tries until the first success: a sandbox's pods start faster than a probe's usual period
_GRPC_HEALTH_PROBE = re.compile(r"grpc_health_probe\b.*-addr[= ]\S*?:(\d+)")


class ProbeUnsupportedError(Exception):
    """A probe that cannot be reduced to a port."""


class Probe:
    """One probe of a container. Raises ProbeUnsupportedError when it has no port."""

    def __init__(self, specification: dict[str, Any], container: dict[str, Any], address: str) -> None:
        self._port = _port(specification, container)
        self._address = address
        self._timeout_seconds = specification["timeoutSeconds"]
        self.period_seconds = float(specification["periodSeconds"])
        self.initial_delay_seconds = float(specification.get("initialDelaySeconds", 0))
        self.failure_threshold = specification["failureThreshold"]

    async def succeeds(self) -> bool:
        try:
            async with asyncio.timeout(self._timeout_seconds):
                _, writer = await asyncio.open_connection(self._address, self._port)
        except (OSError, TimeoutError):
            return False
        writer.transport.abort()
        return True

    async def first_success(self) -> bool:
        """Tries eagerly for as long as the threshold allows, failureThreshold × periodSeconds; whether it succeeded."""
        allowed = self.initial_delay_seconds + self.failure_threshold * self.period_seconds
        ends_at = asyncio.get_running_loop().time() + allowed
        while asyncio.get_running_loop().time() < ends_at:
            if await self.succeeds():
                return True
            await asyncio.sleep(min(_EAGER_SECONDS, self.period_seconds))
        return False

    async def failure(self) -> None:
        """Returns when the probe has failed failureThreshold times in a row."""
        await asyncio.sleep(self.initial_delay_seconds)
        failures = 0
        while failures < self.failure_threshold:
            await asyncio.sleep(self.period_seconds)
            failures = 0 if await self.succeeds() else failures + 1


def _port(specification: dict[str, Any], container: dict[str, Any]) -> int:
    command = " ".join((specification.get("exec") or {}).get("command") or [])
    if match := _GRPC_HEALTH_PROBE.search(command):
        return int(match[1])
    for kind in ("grpc", "tcpSocket", "httpGet"):
        if kind in specification:
            port = specification[kind]["port"]
            named = {each.get("name"): each["containerPort"] for each in container.get("ports") or []}
            if port in named or str(port).isdecimal():
                return int(named.get(port, port))
    raise ProbeUnsupportedError(
        f"container {container['name']}: the node performs grpc_health_probe, grpc, tcpSocket and httpGet probes "
        f"on a port, not {command or sorted(specification)}"
    )
