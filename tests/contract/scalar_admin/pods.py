"""Pods for the tests of the Admin client: a gate behind a real gRPC server that can be told how to answer a Pause, and when."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import grpc
import grpc.aio

from infra.sandbox.pods import server
from infra.sandbox.pods.generations import Generation
from infra.sandbox.pods.wire import PauseRequest, decode_pause_request, encode_check_paused_response, encode_status
from shared.model.pods import AdminTarget
from shared.scalar.admin import AdminClient

_addresses = (f"127.31.{number // 250}.{number % 250 + 1}" for number in itertools.count())


class WallClock:
    """The machine's own clock, which a test may put forward."""

    def __init__(self) -> None:
        self.ahead_seconds = 0.0

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.ahead_seconds)

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time() + self.ahead_seconds

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class ScriptedPod:
    """Serves the Admin interface. `on_pause` decides what a Pause does; by default it closes the gate and says OK.

    `closed` is the gate. `pauses`, `unpauses` and `peers` tell what arrived, and over which connections.
    """

    def __init__(self, name: str, without: tuple[str, ...] = ()) -> None:
        self.name = name
        self.closed = False
        self.pauses: list[PauseRequest] = []
        self.unpauses = 0
        self.peers: set[str] = set()
        self.on_pause: Callable[[grpc.aio.ServicerContext], Awaitable[None]] = self.close_gate
        self.on_unpause: Callable[[grpc.aio.ServicerContext], Awaitable[None]] = self.open_gate
        self.target: AdminTarget | None = None
        self._without = without
        self._server: grpc.aio.Server | None = None
        self._later: set[asyncio.Task[None]] = set()

    async def start(
        self, credentials: grpc.ServerCredentials | None = None, services: bool = True, at: AdminTarget | None = None
    ) -> ScriptedPod:
        """`at` is where it was before; by default at a new address."""
        handlers = [self._handler()] if services else []
        self._server = grpc.aio.server(handlers=handlers, options=[("grpc.so_reuseport", 0)])
        host, port = (at.host, at.port) if at else (next(_addresses), 0)
        add = (
            self._server.add_insecure_port(f"{host}:{port}")
            if credentials is None
            else self._server.add_secure_port(f"{host}:{port}", credentials)
        )
        await self._server.start()
        self.target = AdminTarget(pod=self.name, uid=f"uid-{self.name}", host=host, port=add, port_source="the test")
        return self

    async def stop(self) -> None:
        for task in self._later:
            task.cancel()
        await self._server.stop(0)

    async def close_gate(self, _: grpc.aio.ServicerContext) -> None:
        self.closed = True

    async def open_gate(self, _: grpc.aio.ServicerContext) -> None:
        self.closed = False

    def answers(self, code: grpc.StatusCode, reason: str = "", *, closes: bool = False) -> None:
        """A Pause fails with this status; newer servers give a reason. `closes`: although the gate was closed."""

        async def pause(context: grpc.aio.ServicerContext) -> None:
            self.closed = self.closed or closes
            trailers = ()
            if reason:
                status = encode_status(code.value[0], "for people", reason=reason, domain="com.scalar.db.cluster.admin")
                trailers = (("grpc-status-details-bin", status),)
            await context.abort(code, "for people", trailers)

        self.on_pause = pause

    def closes_later(self, seconds: float, code: grpc.StatusCode | None) -> None:
        """The Pause takes effect after `seconds` whoever still listens; `code` is answered at once (None: no answer yet)."""

        async def take_effect() -> None:
            await asyncio.sleep(seconds)
            self.closed = True

        async def pause(context: grpc.aio.ServicerContext) -> None:
            task = asyncio.create_task(take_effect())
            self._later.add(task)
            if code:
                await context.abort(code, "the connection broke")
            await asyncio.shield(task)

        self.on_pause = pause

    def _handler(self) -> grpc.GenericRpcHandler:
        methods = {
            "Pause": grpc.unary_unary_rpc_method_handler(self._pause, decode_pause_request),
            "Unpause": grpc.unary_unary_rpc_method_handler(self._unpause),
            "CheckPaused": grpc.unary_unary_rpc_method_handler(self._check_paused),
        }
        return grpc.method_handlers_generic_handler(
            "rpc.Admin", {name: method for name, method in methods.items() if name not in self._without}
        )

    async def _pause(self, request: PauseRequest, context: grpc.aio.ServicerContext) -> bytes:
        self.pauses.append(request)
        self.peers.add(context.peer())
        await self.on_pause(context)
        return b""

    async def _unpause(self, _: bytes, context: grpc.aio.ServicerContext) -> bytes:
        self.unpauses += 1
        self.peers.add(context.peer())
        await self.on_unpause(context)
        return b""

    async def _check_paused(self, _: bytes, context: grpc.aio.ServicerContext) -> bytes:
        self.peers.add(context.peer())
        return encode_check_paused_response(self.closed)


def dead_target(name: str = "dead") -> AdminTarget:
    """An address where nobody listens."""
    return AdminTarget(pod=name, uid=f"uid-{name}", host=next(_addresses), port=60053, port_source="the test")


@asynccontextmanager
async def running(*pods: ScriptedPod):
    """Starts the pods; gives their targets."""
    try:
        yield [(await pod.start()).target for pod in pods]
    finally:
        await asyncio.gather(*(pod.stop() for pod in pods if pod.target))


@asynccontextmanager
async def running_generation(generation: Generation):
    """A pod of the sandbox that behaves like this generation of servers; gives its gate and its target, named pod-0."""
    host = next(_addresses)
    pod = await server.start(host, 0, generation)
    port = int(pod.target.rpartition(":")[2])
    try:
        yield pod.gate, AdminTarget(pod="pod-0", uid="uid-0", host=host, port=port, port_source="the test")
    finally:
        await pod.stop()


@asynccontextmanager
async def admin_client(clock: WallClock | None = None, **settings):
    """A client with short times; `settings` are those of AdminClient."""
    client = AdminClient(clock or WallClock(), **({"call_timeout_seconds": 1.0, "slack_seconds": 0.2} | settings))
    try:
        yield client
    finally:
        await client.close()
