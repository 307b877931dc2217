"""Opens a pod's gRPC ports; many pods may run in one process, each on an address of its own in 127.0.0.0/8."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import grpc
import grpc.aio

from infra.sandbox.pods.admin import Admin
from infra.sandbox.pods.gate import Gate
from infra.sandbox.pods.generations import Generation

# Without this, a second server on the same address and port would start too, and take half of the connections.
_OPTIONS = (("grpc.so_reuseport", 0),)


class PortInUse(RuntimeError):
    """A port of the pod cannot be opened."""


@dataclass
class Pod:
    """A running Admin port. `admin.latency_seconds` may be changed while it runs."""

    target: str
    gate: Gate
    admin: Admin
    _server: grpc.aio.Server

    async def stop(self, grace_seconds: float = 0.0) -> None:
        await self._server.stop(grace_seconds)


async def start(
    address: str,
    port: int,
    generation: Generation,
    *,
    credentials: grpc.ServerCredentials | None = None,
    latency_seconds: float = 0.0,
) -> Pod:
    """Serves the Admin service of `generation` at `address:port` (0: any free port). Raises PortInUse."""
    gate = Gate(generation)
    admin = Admin(gate, latency_seconds)
    server, bound_port = await listen(address, port, credentials, admin.handler())
    return Pod(f"{address}:{bound_port}", gate, admin, server)


async def listen(
    address: str, port: int, credentials: grpc.ServerCredentials | None, *handlers: grpc.GenericRpcHandler[Any, Any]
) -> tuple[grpc.aio.Server, int]:
    """A gRPC server with these services, or with none: then every call is answered UNIMPLEMENTED. Raises PortInUse."""
    server = grpc.aio.server(handlers=handlers, options=_OPTIONS)
    target = f"{address}:{port}"
    try:
        bound_port = server.add_secure_port(target, credentials) if credentials else server.add_insecure_port(target)
    except RuntimeError as error:
        raise PortInUse(
            f"Cannot listen on {target}: {error}. Probably another pod has this address; give each pod its own."
        ) from error
    await server.start()
    return server, bound_port
