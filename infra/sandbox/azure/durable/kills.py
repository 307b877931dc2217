"""Wishes to SIGKILL the language worker while a function runs: to everything in it, a restart of the host."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass
class Kill:
    """`after_seconds` from the start of a matching invocation: 0, before it has done anything. Or `at_end`: when it has
    done everything and its answer is lost. `function` None matches every function."""

    function: str | None
    payload_contains: Any
    after_seconds: float
    times: int
    at_end: bool = False

    @classmethod
    def parse(cls, given: dict[str, Any]) -> Kill:
        """From the sandbox's API; ValueError says what is wrong."""
        known = {"function", "payload_contains", "after_seconds", "times", "at_end"}
        if unknown := set(given) - known:
            raise ValueError(f"Unknown field {', '.join(sorted(unknown))}. A kill has: {', '.join(sorted(known))}.")
        return cls(
            given.get("function"),
            given.get("payload_contains"),
            float(given.get("after_seconds", 0)),
            int(given.get("times", 1)),
            bool(given.get("at_end")),
        )

    def matches(self, function: str, payload: Any) -> bool:
        if self.function is not None and self.function.lower() != function.lower():
            return False
        return _contains(_decoded(payload), self.payload_contains)


class Kills:
    """Armed wishes; each is used up by as many invocations as it says."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._wishes: list[Kill] = []
        self.done: list[dict[str, Any]] = []
        """The kills that were carried out, oldest first: function, payload, pid."""

    def add(self, wish: Kill) -> None:
        with self._lock:
            self._wishes.append(wish)

    def at_start(self, function: str, payload: Any, pid: int) -> bool:
        """Whether the worker is to be killed before it is given this invocation."""
        return self._now(function, payload, pid, at_end=False)

    def at_end(self, function: str, payload: Any, pid: int) -> bool:
        """Whether the worker is to be killed before the answer to this invocation is heard."""
        return self._now(function, payload, pid, at_end=True)

    def in_between(
        self, function: str, payload: Any, pid: int, still_runs: Callable[[], bool], kill: Callable[[], None]
    ) -> None:
        """The invocation has been handed to the worker: kill it later, if it still runs then."""
        with self._lock:
            wishes = [wish for wish in self._wishes if wish.after_seconds > 0 and wish.matches(function, payload)]
        for wish in wishes:
            timer = threading.Timer(wish.after_seconds, self._carry_out, (wish, function, payload, pid, still_runs, kill))
            timer.daemon = True
            timer.start()

    def _now(self, function: str, payload: Any, pid: int, *, at_end: bool) -> bool:
        with self._lock:
            for wish in self._wishes:
                if wish.at_end == at_end and wish.after_seconds == 0 and wish.matches(function, payload):
                    self._use(wish, function, payload, pid)
                    return True
        return False

    def _carry_out(
        self, wish: Kill, function: str, payload: Any, pid: int, still_runs: Callable[[], bool], kill: Callable[[], None]
    ) -> None:
        with self._lock:
            if wish not in self._wishes or not still_runs():
                return  # the invocation ended first: the wish stays
            self._use(wish, function, payload, pid)
        kill()

    def _use(self, wish: Kill, function: str, payload: Any, pid: int) -> None:
        wish.times -= 1
        if wish.times <= 0:
            self._wishes.remove(wish)
        self.done.append({"function": function, "payload": _decoded(payload), "pid": pid})


def _decoded(payload: Any) -> Any:
    try:
        return json.loads(payload) if isinstance(payload, str) else payload
    except ValueError:
        return payload


def _contains(payload: Any, wanted: Any) -> bool:
    """Whether `wanted` is in `payload`: for objects, every wanted field, at any depth."""
    if isinstance(wanted, dict):
        return isinstance(payload, dict) and all(
            name in payload and _contains(payload[name], value) for name, value in wanted.items()
        )
    return wanted is None or bool(payload == wanted)
