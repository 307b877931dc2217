"""The multipart form of an entity group transaction.

Source: "Performing entity group transactions": one batch with one changeset (or one query), at most 100 operations
on entities of one table and one partition, at most 4 MiB; the first operation that fails is the only one that is answered, with
its index.
"""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import urlsplit

from infra.sandbox.azure.tables.refusals import TableRefusal, invalid_input

MOST_OPERATIONS = 100
MOST_BYTES = 4 * 1024 * 1024
_BOUNDARY = re.compile(r'multipart/mixed;\s*boundary="?([^";]+)"?', re.IGNORECASE)


class Part(NamedTuple):
    """One request inside the batch. `path` is still quoted; header names are in lower case."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Answer:
    """One response."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


_REASONS = {
    201: "Created",
    204: "No Content",
    400: "Bad Request",
    404: "Not Found",
    409: "Conflict",
    412: "Precondition Failed",
}


def read(content_type: str, body: bytes) -> list[Part]:
    """The requests of the changeset. Raises TableRefusal."""
    if len(body) > MOST_BYTES:
        raise TableRefusal(
            413, "RequestBodyTooLarge", "The request body is too large and exceeds the maximum permissible limit."
        )
    changesets = _split(content_type, body)
    if len(changesets) != 1:
        raise invalid_input("A batch request holds one changeset.")
    headers, content = _headed(changesets[0])
    parts = [_request(each) for each in _split(headers.get("content-type", ""), content)]
    if not parts:
        raise invalid_input("The changeset is empty.")
    if len(parts) > MOST_OPERATIONS:
        message = f"The batch request operation exceeds the maximum {MOST_OPERATIONS} changes per change set."
        raise invalid_input(message)
    return parts


def written(answers: list[Answer]) -> tuple[str, bytes]:
    """Content type and body of the answer to a batch."""
    batch, changeset = f"batchresponse_{uuid.uuid4()}", f"changesetresponse_{uuid.uuid4()}"
    lines = [f"--{batch}", f"Content-Type: multipart/mixed; boundary={changeset}", ""]
    for answer in answers:
        lines += [f"--{changeset}", "Content-Type: application/http", "Content-Transfer-Encoding: binary", ""]
        lines += [f"HTTP/1.1 {answer.status} {_REASONS.get(answer.status, 'Answer')}"]
        lines += [f"{name}: {value}" for name, value in answer.headers.items()]
        lines += ["", answer.body.decode(), ""]
    lines += [f"--{changeset}--", f"--{batch}--", ""]
    return f"multipart/mixed; boundary={batch}", "\r\n".join(lines).encode()


def _split(content_type: str, body: bytes) -> list[bytes]:
    match = _BOUNDARY.match(content_type)
    if match is None:
        raise invalid_input("The content type is not multipart/mixed with a boundary.")
    pieces = (b"\r\n" + body).split(b"\r\n--" + match[1].encode())
    if len(pieces) < 2 or not pieces[-1].startswith(b"--"):
        raise invalid_input("The multipart body does not end with its boundary.")
    return [piece.removeprefix(b"\r\n") for piece in pieces[1:-1]]


def _headed(piece: bytes) -> tuple[dict[str, str], bytes]:
    head, _, content = piece.partition(b"\r\n\r\n")
    lines = [line.partition(b":") for line in head.split(b"\r\n") if line]
    return {name.decode().strip().lower(): value.decode().strip() for name, _, value in lines}, content


def _request(piece: bytes) -> Part:
    headers, content = _headed(piece)
    if headers.get("content-type") != "application/http" or headers.get("content-transfer-encoding") != "binary":
        raise invalid_input("A part of a changeset is application/http in binary.")
    line, _, rest = content.partition(b"\r\n")
    try:
        method, url, version = line.decode().split(" ")
    except ValueError as error:
        raise invalid_input() from error
    if version != "HTTP/1.1" or method not in ("POST", "PUT", "PATCH", "MERGE", "DELETE"):
        raise invalid_input(f"{method} is not possible in a changeset.")
    # A request without headers has its empty line first.
    inner, body = ({}, rest[2:]) if rest.startswith(b"\r\n") else _headed(rest)
    split = urlsplit(url)
    return Part(method, split.path, split.query, inner, body)
