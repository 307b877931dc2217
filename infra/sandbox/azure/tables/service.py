"""The Table service of one storage account over HTTP: signing in, headers, tables, single operations and batches."""

from __future__ import annotations

import json
import re
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from urllib.parse import parse_qsl

from aiohttp import web

from infra.sandbox.azure.entra import Entra, TokenRefusedError
from infra.sandbox.azure.tables import batch
from infra.sandbox.azure.tables.batch import Answer
from infra.sandbox.azure.tables.faults import AnswerLost, Faults
from infra.sandbox.azure.tables.operations import JSON, MOST_PER_PAGE, Request, perform, target_of
from infra.sandbox.azure.tables.refusals import TableRefusal, invalid_input
from infra.sandbox.azure.tables.store import Store

AUDIENCES = frozenset({"https://storage.azure.com", "https://storage.azure.com/"})
CONTRIBUTOR, READER = "Storage Table Data Contributor", "Storage Table Data Reader"
_VERSION = re.compile(r"20(1[5-9]|2\d)-\d\d-\d\d")
_TABLE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]{2,62}")


@dataclass
class TableService:
    """`roles` hold (object id, role). `scanned_at_most` is how many entities one page of a query looks at; `calls` note the
    operations in their order."""

    entra: Entra
    store: Store
    roles: set[tuple[str, str]] = field(default_factory=set)
    faults: Faults = field(default_factory=Faults)
    scanned_at_most: int = MOST_PER_PAGE
    calls: list[str] = field(default_factory=list)

    async def handle(self, http: web.Request) -> web.StreamResponse:
        body = await http.read()
        try:
            answer = await self._answer(http, body)
        except TokenRefusedError as error:
            answer = _refused(TableRefusal(401, "InvalidAuthenticationInfo", str(error)), self._challenge())
        except TableRefusal as error:
            answer = _refused(error)
        except AnswerLost:
            assert http.transport is not None
            http.transport.abort()
            return web.Response(status=500)
        return _response(http, answer)

    async def _answer(self, http: web.Request, body: bytes) -> Answer:
        headers = {name.lower(): value for name, value in http.headers.items()}
        object_id = self._signed_in(headers)
        _check_headers(headers)
        path = http.rel_url.raw_path
        if path == "/Tables" or path.startswith("/Tables("):
            self._authorize(object_id, http.method)
            return self._tables(http.method, path, body)
        if path == "/$batch":
            operation, requests = "batch", None
        else:
            request = Request(http.method, target_of(path), dict(parse_qsl(http.query_string)), headers, body)
            operation, requests = request.operation, request
        self._authorize(object_id, http.method)
        self.calls.append(operation)
        fault = await self.faults.before(operation)
        if fault and fault.refusal:
            return _refused(fault.refusal, fault.headers)
        try:
            return self._single(requests) if requests else self._batch(headers, body)
        finally:
            if fault and fault.loses_answer:
                raise AnswerLost

    def _single(self, request: Request) -> Answer:
        with self.store.transaction():
            return perform(self.store, request, self.scanned_at_most)

    def _batch(self, headers: dict[str, str], body: bytes) -> Answer:
        requests = [_inner(part) for part in batch.read(headers.get("content-type", ""), body)]
        try:
            with self.store.transaction():
                _require_one_partition(requests)
                answers = [self._numbered(number, request) for number, request in enumerate(requests)]
        except TableRefusal as error:
            answers = [_refused(error)]
        content_type, content = batch.written(answers)
        return Answer(202, {"Content-Type": content_type}, content)

    def _numbered(self, number: int, request: Request) -> Answer:
        """As an operation of a batch, whose refusal says which one it was."""
        try:
            return perform(self.store, request, self.scanned_at_most)
        except TableRefusal as error:
            raise TableRefusal(error.status, error.code, f"{number}:{error.message}") from error

    def _tables(self, method: str, path: str, body: bytes) -> Answer:
        match method, path:
            case "GET", "/Tables":
                names = [{"TableName": name} for name in self.store.tables()]
                return Answer(200, {"Content-Type": JSON}, json.dumps({"value": names}).encode())
            case "POST", "/Tables":
                return self._create_table(str(json.loads(body).get("TableName", "")))
            case "DELETE", _:
                name = path.removeprefix("/Tables('").removesuffix("')")
                if not self.store.delete_table(name):
                    raise TableRefusal(404, "ResourceNotFound", "The specified resource does not exist.")
                return Answer(204)
        raise TableRefusal(405, "UnsupportedHttpVerb", "The resource doesn't support specified Http Verb.")

    def _create_table(self, name: str) -> Answer:
        if not _TABLE_NAME.fullmatch(name):
            raise TableRefusal(400, "InvalidResourceName", "The specifed resource name contains invalid characters.")
        if not self.store.create_table(name):
            raise TableRefusal(409, "TableAlreadyExists", "The table specified already exists.")
        return Answer(201, {"Content-Type": JSON}, json.dumps({"TableName": name}).encode())

    def _signed_in(self, headers: dict[str, str]) -> str:
        """The object id of the caller. Shared keys are disabled on this account."""
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if not scheme:
            raise TokenRefusedError("NoAuthenticationInformation", "Server failed to authenticate the request.")
        if scheme != "Bearer":
            message = "Key based authentication is not permitted on this storage account."
            raise TableRefusal(403, "KeyBasedAuthenticationNotPermitted", message)
        return str(self.entra.verified(token, AUDIENCES)["oid"])

    def _authorize(self, object_id: str, method: str) -> None:
        enough = (CONTRIBUTOR, READER) if method == "GET" else (CONTRIBUTOR,)
        if not any((object_id, role) in self.roles for role in enough):
            message = "This request is not authorized to perform this operation using this permission."
            raise TableRefusal(403, "AuthorizationPermissionMismatch", message)

    def _challenge(self) -> dict[str, str]:
        where = f"https://login.microsoftonline.com/{self.entra.tenant_id}/oauth2/authorize"
        return {"WWW-Authenticate": f"Bearer authorization_uri={where} resource_id=https://storage.azure.com"}


def _check_headers(headers: dict[str, str]) -> None:
    if "x-ms-date" not in headers and "date" not in headers:
        raise TableRefusal(400, "MissingRequiredHeader", "An HTTP header that's mandatory for this request is not specified.")
    if not _VERSION.fullmatch(headers.get("x-ms-version", "")):
        raise TableRefusal(400, "InvalidHeaderValue", "The value for one of the HTTP headers is not in the correct format.")
    if "json" not in headers.get("accept", ""):
        raise TableRefusal(415, "AtomFormatNotSupported", "Atom format is not supported.")


def _inner(part: batch.Part) -> Request:
    return Request(part.method, target_of(part.path), dict(parse_qsl(part.query)), part.headers, part.body)


def _require_one_partition(requests: list[Request]) -> None:
    """And no entity twice."""
    keys = [_keys(request) for request in requests]
    if len({(table, partition) for table, partition, _ in keys}) > 1:
        message = "0:All commands in a batch must operate on same entity group."
        raise TableRefusal(400, "CommandsInBatchActOnDifferentPartitions", message)
    if len({*keys}) < len(keys):
        message = "0:The batch request contains multiple changes with same row key. An entity can appear only once."
        raise TableRefusal(400, "InvalidDuplicateRow", message)


def _keys(request: Request) -> tuple[str, str, str]:
    table, partition, row = request.target
    if partition is not None and row is not None:
        return table.lower(), partition, row
    try:
        document = json.loads(request.body)
        return table.lower(), str(document["PartitionKey"]), str(document["RowKey"])
    except (ValueError, KeyError, TypeError) as error:
        raise invalid_input() from error


def _refused(refusal: TableRefusal, headers: dict[str, str] | None = None) -> Answer:
    now = datetime.now(UTC)
    value = f"{refusal.message}\nRequestId:{uuid.uuid4()}\nTime:{now.isoformat()}"
    document = {"odata.error": {"code": refusal.code, "message": {"lang": "en-US", "value": value}}}
    return Answer(refusal.status, {"Content-Type": JSON, **(headers or {})}, json.dumps(document).encode())


def _response(http: web.Request, answer: Answer) -> web.Response:
    headers = {
        **answer.headers,
        "x-ms-request-id": str(uuid.uuid4()),
        "x-ms-version": http.headers.get("x-ms-version", ""),
        "Date": format_datetime(datetime.now(UTC), usegmt=True),
    }
    return web.Response(status=answer.status, headers=headers, body=answer.body)
