"""The gRPC service `rpc.Admin` of one pod: what Pause, Unpause and CheckPaused answer, by generation.

Interface: scalar-admin's `scalar-admin.proto`. The texts are the sandbox's own; the products' texts are no contract.
"""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import grpc.aio

from infra.sandbox.pods import wire
from infra.sandbox.pods.gate import DEFAULT_PAUSE_WAIT_SECONDS, Gate, PauseOutcome
from infra.sandbox.pods.wire import PauseRequest

SERVICE = "rpc.Admin"
_LOST_A_RACE = (PauseOutcome.GATE_OPEN, PauseOutcome.PAUSE_IN_PROGRESS)

Context = grpc.aio.ServicerContext[Any, bytes]


class Admin:
    """Answers for one gate. `latency_seconds` pass before a Pause takes effect, as behind a busy thread pool."""

    def __init__(self, gate: Gate, latency_seconds: float = 0.0) -> None:
        self.gate = gate
        self.latency_seconds = latency_seconds
        self._pauses: set[asyncio.Task[PauseOutcome]] = set()

    def handler(self) -> grpc.GenericRpcHandler[Any, bytes]:
        methods = {
            "Pause": grpc.unary_unary_rpc_method_handler(self.pause),
            "Unpause": grpc.unary_unary_rpc_method_handler(self.unpause),
        }
        if self.gate.generation.has_check_paused:
            methods["CheckPaused"] = grpc.unary_unary_rpc_method_handler(self.check_paused)
        return grpc.method_handlers_generic_handler(SERVICE, methods)

    async def pause(self, message: bytes, context: Context) -> bytes:
        request = await self._decode(message, context)
        limit_ms = request.max_pause_wait_ms
        generation = self.gate.generation
        if generation.refuses_empty_wait and request.wait_outstanding and limit_ms is not None and limit_ms <= 0:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "max_pause_wait_time must be greater than 0.")
        outcome = await self._without_noticing_the_client(request.wait_outstanding, limit_ms)
        if outcome is not PauseOutcome.PAUSED:
            await self._fail(outcome, context)
        return wire.EMPTY

    async def unpause(self, _: bytes, context: Context) -> bytes:
        self.gate.unpause()
        return wire.EMPTY

    async def check_paused(self, _: bytes, context: Context) -> bytes:
        return wire.encode_check_paused_response(not self.gate.is_open)

    async def _decode(self, message: bytes, context: Context) -> PauseRequest:
        try:
            return wire.decode_pause_request(message)
        except ValueError as error:
            await context.abort(grpc.StatusCode.INTERNAL, f"The bytes are not a PauseRequest: {error}")

    async def _without_noticing_the_client(self, wait_outstanding: bool, limit_ms: int | None) -> PauseOutcome:
        """The products do not look whether the client is still there, so a pause may take effect with nobody listening."""
        task = asyncio.create_task(self._take_effect(wait_outstanding, limit_ms))
        self._pauses.add(task)
        task.add_done_callback(self._pauses.discard)
        return await asyncio.shield(task)

    async def _take_effect(self, wait_outstanding: bool, limit_ms: int | None) -> PauseOutcome:
        await asyncio.sleep(self.latency_seconds)
        # The servers that accept a limit of 0 take it for "not given".
        wait_seconds = limit_ms / 1000 if limit_ms else DEFAULT_PAUSE_WAIT_SECONDS
        return await self.gate.pause(wait_outstanding, wait_seconds)

    async def _fail(self, outcome: PauseOutcome, context: Context) -> None:
        generation = self.gate.generation
        text = outcome.value if generation.explains else ""
        code = grpc.StatusCode.FAILED_PRECONDITION
        if generation.reason_domain is None:
            await context.abort(code, text)
        if outcome in _LOST_A_RACE:
            code = grpc.StatusCode.ABORTED
        status = wire.encode_status(code.value[0], text, reason=outcome.name, domain=generation.reason_domain)
        await context.abort(code, text, (("grpc-status-details-bin", status),))
