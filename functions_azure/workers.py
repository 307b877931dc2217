"""Where steps run: threads of our own, with event loops and rooms that serve one step at a time, as a Lambda process does.

The Functions worker has one event loop, over which it talks to its host, and a pool of threads, on which the orchestrators
run. A step may wait for minutes and calls the catalog without awaiting; on either of them it would hold up a pause elsewhere.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Lock
from typing import Generic, TypeVar

R = TypeVar("R")
T = TypeVar("T")

MOST = 64
"""Threads: above what host.json lets the host hand over at once, so that no step ever waits here."""


class _Worker(Generic[R]):
    def __init__(self, rooms: R) -> None:
        self.rooms, self.loop, self.last_run = rooms, asyncio.new_event_loop(), ""


class Workers(Generic[R]):
    """Makes loops and rooms as they are needed, and keeps them: gRPC channels belong to a loop, and the pause, capture and
    resume of one window meet the same warm channels when they come to the same one."""

    def __init__(self, make_rooms: Callable[[], R]) -> None:
        self._make_rooms = make_rooms
        self._threads = ThreadPoolExecutor(MOST, thread_name_prefix="step")
        self._lock, self._idle = Lock(), list[_Worker[R]]()

    async def run(self, run: str, step: Callable[[R], Awaitable[T]]) -> T:
        """Carries out `step` with rooms of its own while it lasts; with those that `run` used last, if they are free."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._carry_out, run, step)

    def _carry_out(self, run: str, step: Callable[[R], Awaitable[T]]) -> T:
        with self._borrowed(run) as worker:
            return worker.loop.run_until_complete(_awaited(step(worker.rooms)))

    @contextmanager
    def _borrowed(self, run: str) -> Iterator[_Worker[R]]:
        with self._lock:
            same = (number for number, worker in enumerate(self._idle) if run and worker.last_run == run)
            worker = self._idle.pop(next(same, -1)) if self._idle else None
        if worker is None:
            worker = _Worker(self._make_rooms())
        try:
            yield worker
        finally:
            worker.last_run = run
            with self._lock:
                self._idle.append(worker)

    def close(self) -> None:
        """For a process that outlives its app; the Functions worker never does."""
        self._threads.shutdown()
        for worker in self._idle:
            worker.loop.close()


async def _awaited(answer: Awaitable[T]) -> T:
    return await answer
