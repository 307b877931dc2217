"""The Invoke operation of Lambda, answered by the real handlers instead of moto.

https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
"""

from __future__ import annotations

import base64
import re
import uuid
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import unquote

from infra.sandbox.aws import wire
from infra.sandbox.aws.functions import Functions

_INVOKE = re.compile(r"/2015-03-31/functions/(?P<name>[^/]+)/invocations/?")
_LARGEST_ASYNCHRONOUS_PAYLOAD = 1_048_576
_LARGEST_PAYLOAD = 6 * 1_048_576
_TAIL_BYTES = 4096

FindFunction = Callable[[str], tuple[dict[str, Any], int | None] | None]
"""Configuration and, when it is configured, MaximumRetryAttempts of a function by name; None when there is none."""


class InvokeApi:
    """WSGI: answers Invoke, forwards the rest."""

    def __init__(self, app: wire.Wsgi, functions: Functions, find: FindFunction) -> None:
        self._app, self._functions, self._find = app, functions, find

    def __call__(self, environ: wire.Environ, start_response: wire.StartResponse) -> Iterable[bytes]:
        match = _INVOKE.fullmatch(environ.get("PATH_INFO", ""))
        if match is None or environ["REQUEST_METHOD"] != "POST":
            return self._app(environ, start_response)
        payload = wire.body_of(environ)
        name = unquote(match["name"]).split(":function:")[-1].split(":")[0]
        found = self._find(name)
        if found is None:
            return _refuse(start_response, "ResourceNotFoundException", f"Function not found: {name}", 404)
        asynchronous = environ.get("HTTP_X_AMZ_INVOCATION_TYPE") == "Event"
        if len(payload) > (_LARGEST_ASYNCHRONOUS_PAYLOAD if asynchronous else _LARGEST_PAYLOAD):
            return _refuse(start_response, "RequestTooLargeException", f"{len(payload)} byte payload is too large", 413)
        function, retries = found
        request_id = str(uuid.uuid4())
        if asynchronous:
            self._functions.invoke_asynchronously(function, payload, request_id, retries)
            return wire.answer(start_response, 202, b"", [("x-amzn-RequestId", request_id)])
        outcome = self._functions.invoke(function, payload)
        headers = [
            ("Content-Type", "application/json"),
            # Without a request id moto's interpreter fails with KeyError and skips every Catch.
            ("x-amzn-RequestId", request_id),
            ("X-Amz-Executed-Version", "$LATEST"),
        ]
        if outcome.function_error:
            headers.append(("X-Amz-Function-Error", outcome.function_error))
        if environ.get("HTTP_X_AMZ_LOG_TYPE") == "Tail":
            tail = "\n".join(self._functions.log(function["FunctionName"])[-100:]).encode()[-_TAIL_BYTES:]
            headers.append(("X-Amz-Log-Result", base64.b64encode(tail).decode()))
        return wire.answer(start_response, 200, outcome.payload, headers)


def _refuse(start_response: wire.StartResponse, code: str, message: str, status: int) -> list[bytes]:
    status, headers, body = wire.error("lambda", code, message, status)
    return wire.answer(start_response, status, body, headers)
