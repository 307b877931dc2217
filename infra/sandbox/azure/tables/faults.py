"""Bad days of the service: a refusal, an answer that is lost, somebody else who comes in between."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from infra.sandbox.azure.tables.refusals import TableRefusal


class AnswerLost(Exception):
    """The connection ends without an answer."""


@dataclass
class _Fault:
    """`calls_before` of its operation go well, then it happens `times`."""

    operation: str
    calls_before: int
    times: int
    refusal: TableRefusal | None = None
    headers: dict[str, str] = field(default_factory=dict)
    act: Callable[[], object] | None = None
    loses_answer: bool = False


class Faults:
    """Operations are called get, query, insert, update, merge, delete and batch. `nth` counts from the next call on."""

    def __init__(self) -> None:
        self._faults: list[_Fault] = []

    def refuse(
        self, operation: str, status: int, code: str, *, nth: int = 1, times: int = 1, headers: dict[str, str] | None = None
    ) -> None:
        """Nothing is done; the answer is this error."""
        refusal = TableRefusal(status, code, "As asked.")
        self._faults.append(_Fault(operation, nth - 1, times, refusal=refusal, headers=headers or {}))

    def lose_the_answer(self, operation: str, *, nth: int = 1, times: int = 1) -> None:
        """The work is done, and the connection ends without an answer."""
        self._faults.append(_Fault(operation, nth - 1, times, loses_answer=True))

    def meet_a_rival(self, operation: str, act: Callable[[], object], *, nth: int = 1, times: int = 1) -> None:
        """`act` happens before the call does; in another thread, because it may be a call itself."""
        self._faults.append(_Fault(operation, nth - 1, times, act=act))

    async def before(self, operation: str) -> _Fault | None:
        """The fault that is due, if any; it still has to be acted out where it loses an answer or refuses."""
        due = self._due(operation)
        if due and due.act:
            await asyncio.to_thread(due.act)
        return due

    def _due(self, operation: str) -> _Fault | None:
        for fault in self._faults:
            if fault.operation != operation:
                continue
            if fault.calls_before:
                fault.calls_before -= 1
                continue
            fault.times -= 1
            if not fault.times:
                self._faults.remove(fault)
            return fault
        return None
