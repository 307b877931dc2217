"""Long-running operations: accepted now, done or failed later, asked for under addresses of their own.

Source: https://learn.microsoft.com/azure/azure-resource-manager/management/async-operations.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from infra.sandbox.azure.arm.faults import Faults
from infra.sandbox.azure.arm.requests import SUBSCRIPTION, Answer, Request, Route
from infra.sandbox.azure.refusals import RefusedError

IN_PROGRESS, SUCCEEDED, FAILED = "InProgress", "Succeeded", "Failed"


@dataclass
class Operation:
    """`done` runs once, when the operation has succeeded, and gives what its result address answers; `broken` runs when it
    has failed. `subject` is the id of the resource that it is about."""

    method: str
    subject: str
    started_at: float
    ends_at: float
    done: Callable[[float], dict[str, Any] | None]
    broken: Callable[[str], None] | None = None
    error: dict[str, str] | None = None
    status: str = IN_PROGRESS
    result: dict[str, Any] | None = None
    id: str = field(default_factory=lambda: str(uuid.uuid4()))

    def settle(self, now: float) -> None:
        if self.status != IN_PROGRESS or self.ends_at > now:
            return
        if self.error is None:
            self.status = SUCCEEDED
            self.result = self.done(self.ends_at)
        else:
            self.status = FAILED
            if self.broken is not None:
                self.broken(self.error["message"])


@dataclass
class Operations:
    """Those of one resource provider. `retry_after_seconds` is what polls are told; 0 leaves the header out."""

    namespace: str
    faults: Faults
    retry_after_seconds: Callable[[], float]
    _all: dict[str, Operation] = field(default_factory=dict)

    def begin(
        self,
        request: Request,
        seconds: float,
        done: Callable[[float], dict[str, Any] | None],
        *,
        broken: Callable[[str], None] | None = None,
        location: str,
        subject: str = "",
    ) -> dict[str, str]:
        """Accepts an operation; the headers of the answer, both addresses absolute."""
        fault = self.faults.of_operation(request.method, request.path)
        operation = Operation(
            request.method,
            subject or request.path,
            request.now,
            request.now + seconds + (fault.delay_seconds if fault else 0),
            done,
            broken,
            {"code": fault.code, "message": fault.message} if fault and fault.code else None,
        )
        self._all[operation.id] = operation
        base = f"{request.origin}/subscriptions/{request.names['subscription']}/providers/{self.namespace}/locations"
        query = f"api-version={request.api_version}"
        place = location.replace(" ", "").lower()
        return {
            "Azure-AsyncOperation": f"{base}/{place}/operationsStatus/{operation.id}?{query}",
            "Location": f"{base}/{place}/operationResults/{operation.id}?{query}",
            **self._retry_after(),
        }

    def running(self, subject: str) -> Operation | None:
        """What is under way on a resource."""
        wanted = subject.lower()
        under_way = (each for each in self._all.values() if each.status == IN_PROGRESS)
        return next((each for each in under_way if each.subject.lower() == wanted), None)

    def settle(self, now: float) -> None:
        for operation in sorted(self._all.values(), key=lambda each: each.ends_at):
            operation.settle(now)

    def routes(self, api_versions: frozenset[str]) -> list[Route]:
        place = f"{SUBSCRIPTION}/{self.namespace}/locations/{{location}}"
        bodies = dict.fromkeys(api_versions)
        return [
            Route("GET", f"{place}/operationsStatus/{{operation}}", self._status, bodies),
            Route("GET", f"{place}/operationResults/{{operation}}", self._result, bodies),
        ]

    def _status(self, request: Request) -> Answer:
        operation = self._named(request)
        body: dict[str, Any] = {"name": operation.id, "status": operation.status, "startTime": utc(operation.started_at)}
        if operation.status == IN_PROGRESS:
            return Answer(200, body, self._retry_after())
        body["endTime"] = utc(operation.ends_at)
        if operation.error:
            body["error"] = operation.error
        return Answer(200, body)

    def _result(self, request: Request) -> Answer:
        operation = self._named(request)
        if operation.status == IN_PROGRESS:
            return Answer(202, None, {"Location": f"{request.origin}{request.path}?api-version={request.api_version}"})
        if operation.error:
            raise RefusedError(409, operation.error["code"], operation.error["message"])
        return Answer(204) if operation.result is None else Answer(200, operation.result)

    def _named(self, request: Request) -> Operation:
        found = self._all.get(request.names["operation"])
        if found is None:
            raise RefusedError(404, "OperationNotFound", f"Operation {request.names['operation']} could not be found.")
        return found

    def _retry_after(self) -> dict[str, str]:
        seconds = round(self.retry_after_seconds())
        return {"Retry-After": str(seconds)} if seconds else {}


def utc(moment: float) -> str:
    """As Resource Manager writes a moment, here with microseconds."""
    return dt.datetime.fromtimestamp(moment, dt.UTC).isoformat().replace("+00:00", "Z")


def seconds_of(text: Any, name: str) -> float:
    """The moment that a text names, in seconds since 1970. RefusedError when it names none; without an offset it is UTC."""
    try:
        moment = dt.datetime.fromisoformat(text)
    except (TypeError, ValueError):
        raise RefusedError(400, "BadRequest", f"{name} is {text!r}; it must be a moment in ISO 8601.") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)).timestamp()
