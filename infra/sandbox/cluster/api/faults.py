"""Faults on demand: an error status, a slow answer or a reset connection for requests that match."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from infra.sandbox.cluster.api import errors
from infra.sandbox.cluster.api.errors import ApiError
from infra.sandbox.cluster.api.requests import ResourceRequest

_REASONS = {
    401: "Unauthorized", 403: "Forbidden", 404: "NotFound", 409: "Conflict", 410: "Expired", 422: "Invalid",
    429: "TooManyRequests", 500: "InternalError", 503: "ServiceUnavailable", 504: "Timeout",
}  # fmt: skip


@dataclass
class Fault:
    """What goes wrong for the next `times` requests that match every named field; None matches all."""

    verb: str | None = None
    resource: str | None = None  # as in RBAC, for example "deployments/scale"
    namespace: str | None = None
    name: str | None = None
    user: str | None = None
    status: int | None = None
    retry_after: int | None = None  # seconds
    delay_seconds: float = 0.0
    reset: bool = False
    times: int = 1

    def matches(self, request: ResourceRequest, user: str) -> bool:
        wanted = (self.verb, self.resource, self.namespace, self.name, self.user)
        given = (request.verb, request.rbac_resource, request.namespace, request.name, user)
        return self.times > 0 and all(want in (None, have) for want, have in zip(wanted, given, strict=True))

    def error(self) -> ApiError | None:
        """The refusal that this fault stands for, if it is one."""
        if self.status is None:
            return None
        message = f"fault on demand: status {self.status}"
        return ApiError(self.status, _REASONS.get(self.status, "InternalError"), message, retry_after_seconds=self.retry_after)


class Faults:
    def __init__(self) -> None:
        self._waiting: list[Fault] = []

    def add(self, body: Any) -> None:
        """Adds the fault that a JSON object describes. Raises 400 for one that does nothing or that has unknown fields."""
        try:
            fault = Fault(**body)
        except TypeError as error:
            raise errors.bad_request(f"a fault has the fields {', '.join(Fault.__annotations__)}: {error}") from error
        if fault.status is None and not fault.reset and not fault.delay_seconds:
            raise errors.bad_request("a fault needs status, delay_seconds or reset")
        self._waiting.append(fault)

    def clear(self) -> None:
        self._waiting.clear()

    def take(self, request: ResourceRequest, user: str) -> Fault | None:
        """The first fault that matches, used up by one."""
        fault = next((each for each in self._waiting if each.matches(request, user)), None)
        if fault is not None:
            fault.times -= 1
            self._waiting = [each for each in self._waiting if each.times > 0]
        return fault
