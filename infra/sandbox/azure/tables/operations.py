"""What each operation on entities does, inside a transaction of the store.

Sources: the pages of "Operations on entities" in the Table service REST API.
"""

from __future__ import annotations

import base64
import json
import re
from typing import Any, NamedTuple
from urllib.parse import unquote

from infra.sandbox.azure.tables import entities, filters
from infra.sandbox.azure.tables.batch import Answer
from infra.sandbox.azure.tables.entities import Property
from infra.sandbox.azure.tables.refusals import (
    TableRefusal,
    already_exists,
    condition_not_satisfied,
    invalid_input,
    resource_not_found,
    table_not_found,
)
from infra.sandbox.azure.tables.store import Entity, Store

MOST_PER_PAGE = 1000
JSON = "application/json;odata=minimalmetadata;streaming=true;charset=utf-8"
_PATH = re.compile(r"/([A-Za-z][A-Za-z0-9]{2,62})(?:\((?:PartitionKey='((?:[^']|'')*)',RowKey='((?:[^']|'')*)')?\))?")


class Target(NamedTuple):
    """What a path names: a table, or with keys an entity of it."""

    table: str
    partition: str | None
    row: str | None


class Request(NamedTuple):
    """`headers` have names in lower case."""

    method: str
    target: Target
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def operation(self) -> str:
        has_keys = self.target.row is not None
        match self.method:
            case "GET":
                return "get" if has_keys else "query"
            case "POST" if not has_keys:
                return "insert"
            case "PUT" if has_keys:
                return "update"
            case "PATCH" | "MERGE" if has_keys:
                return "merge"
            case "DELETE" if has_keys:
                return "delete"
        raise TableRefusal(405, "UnsupportedHttpVerb", "The resource doesn't support specified Http Verb.")


def target_of(path: str) -> Target:
    """`path` as it was sent, still quoted. Raises TableRefusal."""
    match = _PATH.fullmatch(unquote(path))
    if match is None:
        raise TableRefusal(400, "InvalidUri", "The requested URI does not represent any resource on the server.")
    keys = [None if key is None else key.replace("''", "'") for key in match.groups()[1:]]
    for key in keys:
        entities.check_key(key or "")
    return Target(match[1], keys[0], keys[1])


def perform(store: Store, request: Request, scanned_at_most: int) -> Answer:
    """Raises TableRefusal, after which the caller's transaction must be rolled back."""
    if not store.has_table(request.target.table):
        raise table_not_found()
    match request.operation:
        case "get":
            return _get(store, request)
        case "query":
            return _query(store, request, scanned_at_most)
        case "insert":
            return _insert(store, request)
        case "delete":
            return _delete(store, request)
    return _update(store, request)


def _get(store: Store, request: Request) -> Answer:
    found = _find(store, request.target)
    if found is None:
        raise resource_not_found()
    return Answer(200, {"Content-Type": JSON, "ETag": found.etag}, json.dumps(_written(found, _select(request))).encode())


def _query(store: Store, request: Request, scanned_at_most: int) -> Answer:
    """A page ends when it is full, and also when enough was looked at: it may then be empty and still not the last one."""
    top, select = _top(request), _select(request)
    wanted = filters.parse(request.query.get("$filter", ""))
    start = (_token(request, "NextPartitionKey"), _token(request, "NextRowKey"))
    page: list[dict[str, Any]] = []
    headers = {"Content-Type": JSON}
    for number, entity in enumerate(store.scan(request.target.table, wanted.partition, start)):
        if len(page) == top or number == scanned_at_most:
            headers["x-ms-continuation-NextPartitionKey"] = _as_token(entity.partition)
            headers["x-ms-continuation-NextRowKey"] = _as_token(entity.row)
            break
        if wanted.matches(_with_keys(entity)):
            page.append(_written(entity, select))
    return Answer(200, headers, json.dumps({"value": page}).encode())


def _insert(store: Store, request: Request) -> Answer:
    partition, row, properties = entities.read(_document(request))
    if partition is None or row is None:
        message = "The values are not specified for all properties in the entity."
        raise TableRefusal(400, "PropertiesNeedValue", message)
    entities.check_size(partition, row, properties)
    if store.get(request.target.table, partition, row):
        raise already_exists()
    entity = store.put(request.target.table, partition, row, properties)
    if request.headers.get("prefer") == "return-no-content":
        return Answer(204, {"ETag": entity.etag, "Preference-Applied": "return-no-content"})
    return Answer(201, {"Content-Type": JSON, "ETag": entity.etag}, json.dumps(_written(entity, [])).encode())


def _update(store: Store, request: Request) -> Answer:
    """Without If-Match also where there is no such entity (Insert Or Replace, Insert Or Merge)."""
    target = request.target
    assert target.partition is not None
    assert target.row is not None
    partition, row, properties = entities.read(_document(request))
    if (partition or target.partition, row or target.row) != (target.partition, target.row):
        raise invalid_input("The keys in the body are not those in the URI.")
    stored = _matching(store, request) if "if-match" in request.headers else _find(store, target)
    if request.operation == "merge" and stored:
        properties = {**stored.properties, **properties}
    entities.check_size(target.partition, target.row, properties)
    return Answer(204, {"ETag": store.put(target.table, target.partition, target.row, properties).etag})


def _delete(store: Store, request: Request) -> Answer:
    if "if-match" not in request.headers:
        message = "An HTTP header that's mandatory for this request is not specified: If-Match."
        raise TableRefusal(400, "MissingRequiredHeader", message)
    stored = _matching(store, request)
    store.delete(request.target.table, stored.partition, stored.row)
    return Answer(204)


def _matching(store: Store, request: Request) -> Entity:
    stored = _find(store, request.target)
    if stored is None:
        raise resource_not_found()
    if request.headers["if-match"] not in ("*", stored.etag):
        raise condition_not_satisfied()
    return stored


def _find(store: Store, target: Target) -> Entity | None:
    return store.get(target.table, target.partition or "", target.row or "")


def _with_keys(entity: Entity) -> dict[str, Property]:
    return {
        "PartitionKey": Property("Edm.String", entity.partition),
        "RowKey": Property("Edm.String", entity.row),
        "Timestamp": Property("Edm.DateTime", entity.timestamp),
        **entity.properties,
    }


def _written(entity: Entity, select: list[str]) -> dict[str, Any]:
    return entities.written(entity.partition, entity.row, entity.timestamp, entity.etag, entity.properties, select)


def _document(request: Request) -> Any:
    if not request.headers.get("content-type", "").startswith("application/json"):
        raise TableRefusal(415, "MediaTypeNotSupported", "The specified media type is not supported.")
    try:
        return json.loads(request.body)
    except ValueError as error:
        raise invalid_input() from error


def _top(request: Request) -> int:
    text = request.query.get("$top", str(MOST_PER_PAGE))
    if not text.isdecimal() or not 1 <= int(text) <= MOST_PER_PAGE:
        raise invalid_input()
    return int(text)


def _select(request: Request) -> list[str]:
    return [name.strip() for name in request.query.get("$select", "").split(",") if name.strip()]


def _as_token(key: str) -> str:
    coded = base64.urlsafe_b64encode(key.encode()).decode()
    return f"1!{len(coded)}!{coded}"


def _token(request: Request, name: str) -> str:
    try:
        return base64.urlsafe_b64decode(request.query[name].split("!")[2]).decode() if name in request.query else ""
    except (IndexError, ValueError) as error:
        raise invalid_input() from error
