"""What travels: the smallest WSGI answers, and AWS errors in the shape of each service's protocol."""

from __future__ import annotations

import functools
import io
import json
import re
import uuid
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

import botocore.loaders
import botocore.model

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Wsgi = Callable[[Environ, StartResponse], Iterable[bytes]]

_STATUS_TEXT = {200: "OK", 202: "Accepted", 400: "Bad Request", 403: "Forbidden", 404: "Not Found", 503: "Service Unavailable"}
_SIGNED_FOR = re.compile(r"Credential=[^/]+/\d{8}/[^/]+/([^/]+)/aws4_request")
# Services whose signing name is not the name of their boto3 client.
_CLIENT_OF_SIGNING_NAME = {"states": "stepfunctions", "monitoring": "cloudwatch", "email": "ses"}


def body_of(environ: Environ) -> bytes:
    """Read the request's body and put it back for whoever comes next."""
    body: bytes = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = io.BytesIO(body)
    return body


def answer(start_response: StartResponse, status: int, body: bytes, headers: Iterable[tuple[str, str]] = ()) -> list[bytes]:
    """Send one complete response."""
    line = f"{status} {_STATUS_TEXT.get(status, 'Status')}"
    start_response(line, [*headers, ("Content-Length", str(len(body)))])
    return [body]


def answer_json(start_response: StartResponse, status: int, value: Any) -> list[bytes]:
    """Send a value of the admin API."""
    return answer(start_response, status, json.dumps(value).encode(), [("Content-Type", "application/json")])


def service_of(environ: Environ) -> str | None:
    """The boto3 name of the service that a signed request is for; None for an unsigned one."""
    found = _SIGNED_FOR.search(environ.get("HTTP_AUTHORIZATION", ""))
    return None if found is None else _CLIENT_OF_SIGNING_NAME.get(found[1], found[1])


def operation_of(environ: Environ, service: str) -> str | None:
    """The API operation that a request calls, e.g. DescribeTable; None when it cannot be told."""
    if target := environ.get("HTTP_X_AMZ_TARGET"):
        return str(target.rpartition(".")[2])
    model = _model(service)
    if model is None:
        return None
    if model.protocol in ("query", "ec2"):
        form = parse_qs(body_of(environ).decode(errors="replace") or environ.get("QUERY_STRING", ""))
        return form.get("Action", [None])[0]
    path, method = environ.get("PATH_INFO", "/"), environ["REQUEST_METHOD"]
    for name in model.operation_names:
        http = model.operation_model(name).http
        if http["method"] == method and _path_pattern(http["requestUri"]).fullmatch(path):
            return str(name)
    return None


def parameters_of(service: str, operation: str) -> frozenset[str]:
    """The names of an operation's parameters in the API model."""
    model = _model(service)
    assert model is not None
    shape = model.operation_model(operation).input_shape
    return frozenset() if shape is None else frozenset(shape.members)


def error(service: str, code: str, message: str, status: int | None) -> tuple[int, list[tuple[str, str]], bytes]:
    """Status, headers and body of the error `code` as `service` sends it."""
    model = _model(service)
    if status is None:
        status = _status_of(model, code)
    request_id = str(uuid.uuid4())
    headers = [("x-amzn-RequestId", request_id)]
    protocol = "json" if model is None else model.protocol
    if protocol in ("query", "rest-xml", "ec2"):
        text = (
            f"<ErrorResponse><Error><Type>{'Sender' if status < 500 else 'Receiver'}</Type><Code>{escape(code)}</Code>"
            f"<Message>{escape(message)}</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>"
        )
        if protocol == "rest-xml":
            text = f"<Error><Code>{escape(code)}</Code><Message>{escape(message)}</Message></Error>"
        return status, [*headers, ("Content-Type", "text/xml")], text.encode()
    kind = f"com.amazonaws.dynamodb.v20120810#{code}" if service == "dynamodb" else code
    body = json.dumps({"__type": kind, "message": message, "Message": message}).encode()
    content_type = "application/json" if protocol == "rest-json" else "application/x-amz-json-1.0"
    return status, [*headers, ("x-amzn-ErrorType", code), ("Content-Type", content_type)], body


def _status_of(model: botocore.model.ServiceModel | None, code: str) -> int:
    if model is not None and code in model.shape_names:
        status = model.shape_for(code).metadata.get("error", {}).get("httpStatusCode")
        if status is not None:
            return int(status)
    if "Internal" in code or code == "ServiceFailure":
        return 500
    if "Unavailable" in code:
        return 503
    if model is not None and model.protocol == "rest-json" and ("Throttl" in code or "TooMany" in code):
        return 429
    return 400


@functools.cache
def _model(service: str) -> botocore.model.ServiceModel | None:
    loader = botocore.loaders.Loader()
    if service not in loader.list_available_services("service-2"):
        return None
    return botocore.model.ServiceModel(loader.load_service_model(service, "service-2"), service)


@functools.cache
def _path_pattern(request_uri: str) -> re.Pattern[str]:
    """`/schedules/{Name}` → a pattern; a greedy label `{Key+}` may hold slashes."""
    parts = re.split(r"(\{[^}]+\})", request_uri.partition("?")[0])
    text = "".join((".+" if part.endswith("+}") else "[^/]+") if part.startswith("{") else re.escape(part) for part in parts)
    return re.compile(text.rstrip("/") + "/?")
