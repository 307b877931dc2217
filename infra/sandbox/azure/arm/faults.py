"""Bad days on demand: requests that are refused or whose answer is lost, operations that fail later or end late."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import Any

KINDS = ("refuse", "lose", "operation")


@dataclass
class Fault:
    """`kind` refuse: answered with `status` and `code`, nothing is done. lose: done, then answered with `status` and `code`.
    operation: accepted; the operation takes `delay_seconds` more and, with a `code`, ends as Failed.

    `method` None is any; `path_contains` is compared without regard to case.
    """

    kind: str
    path_contains: str = ""
    method: str | None = None
    status: int = 500
    code: str = ""
    message: str = "As asked of the sandbox."
    times: int = 1
    retry_after_seconds: int = 0
    delay_seconds: float = 0.0

    @classmethod
    def parse(cls, given: dict[str, Any]) -> Fault:
        """From the admin API; ValueError says what is wrong."""
        known = {each.name for each in fields(cls)}
        if unknown := set(given) - known:
            raise ValueError(f"Unknown field {', '.join(sorted(unknown))}. A fault has: {', '.join(sorted(known))}.")
        if given.get("kind") not in KINDS:
            raise ValueError(f"A fault's kind must be one of {', '.join(KINDS)}, it is {given.get('kind')!r}.")
        if given["kind"] != "operation" and not given.get("code"):
            raise ValueError("A fault that refuses a request or loses its answer needs the code to answer with.")
        return cls(**given)

    @property
    def headers(self) -> dict[str, str]:
        return {"Retry-After": str(self.retry_after_seconds)} if self.retry_after_seconds else {}


@dataclass
class Faults:
    """What is armed; each is used up by as many requests as it says."""

    _armed: list[Fault] = field(default_factory=list)

    def arm(self, fault: Fault) -> None:
        self._armed.append(fault)

    def left(self) -> list[dict[str, Any]]:
        return [asdict(fault) for fault in self._armed]

    def clear(self) -> None:
        self._armed.clear()

    def of_request(self, method: str, path: str) -> Fault | None:
        return self._take(("refuse", "lose"), method, path)

    def of_operation(self, method: str, path: str) -> Fault | None:
        return self._take(("operation",), method, path)

    def _take(self, kinds: tuple[str, ...], method: str, path: str) -> Fault | None:
        for fault in self._armed:
            matches = fault.method in (None, method) and fault.path_contains.lower() in path.lower()
            if fault.kind in kinds and matches:
                fault.times -= 1
                if fault.times <= 0:
                    self._armed.remove(fault)
                return fault
        return None
