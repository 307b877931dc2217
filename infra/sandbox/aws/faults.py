"""Failures on demand: the next calls of an operation answer an error of AWS, or answer late."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from infra.sandbox.aws import wire


@dataclass
class Fault:
    """`operation` None: any operation of the service. `code` None: only delayed. `status` None: the API model's."""

    service: str
    operation: str | None
    code: str | None
    message: str
    times: int
    delay_seconds: float
    status: int | None

    @classmethod
    def parse(cls, given: dict[str, Any]) -> Fault:
        """From the admin API; ValueError says what is wrong."""
        known = {"service", "operation", "code", "message", "times", "delay_seconds", "status"}
        if unknown := set(given) - known:
            raise ValueError(f"Unknown field {', '.join(sorted(unknown))}. A fault has: {', '.join(sorted(known))}.")
        if not given.get("service"):
            raise ValueError("A fault needs a service: the boto3 name of it, for example dynamodb or stepfunctions.")
        if not given.get("code") and not given.get("delay_seconds"):
            raise ValueError("A fault needs a code (the error to answer), or delay_seconds, or both.")
        return cls(
            service=given["service"],
            operation=given.get("operation"),
            code=given.get("code"),
            message=given.get("message", "Injected by the sandbox"),
            times=int(given.get("times", 1)),
            delay_seconds=float(given.get("delay_seconds", 0)),
            status=given.get("status"),
        )


class Faults:
    """WSGI: answers what is armed, forwards the rest."""

    def __init__(self, app: wire.Wsgi) -> None:
        self._app = app
        self._lock = threading.Lock()
        self._armed: list[Fault] = []

    def arm(self, fault: Fault) -> None:
        with self._lock:
            self._armed.append(fault)

    def left(self) -> list[dict[str, Any]]:
        """What is still armed, for the admin API."""
        with self._lock:
            return [dict(vars(fault)) for fault in self._armed]

    def clear(self) -> None:
        with self._lock:
            self._armed.clear()

    def __call__(self, environ: wire.Environ, start_response: wire.StartResponse) -> Iterable[bytes]:
        fault = self._next(environ) if self._armed else None
        if fault is None:
            return self._app(environ, start_response)
        time.sleep(fault.delay_seconds)
        if fault.code is None:
            return self._app(environ, start_response)
        wire.body_of(environ)  # an unread body would be taken for the next request of the connection
        status, headers, body = wire.error(fault.service, fault.code, fault.message, fault.status)
        return wire.answer(start_response, status, body, headers)

    def _next(self, environ: wire.Environ) -> Fault | None:
        service = wire.service_of(environ)
        if service is None:
            return None
        with self._lock:
            of_service = [fault for fault in self._armed if fault.service == service]
        if not of_service:
            return None
        operation = wire.operation_of(environ, service)
        with self._lock:
            for fault in of_service:
                if fault in self._armed and fault.operation in (None, operation):
                    fault.times -= 1
                    if fault.times <= 0:
                        self._armed.remove(fault)
                    return fault
        return None
