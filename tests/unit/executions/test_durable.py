"""Orchestrations over the management API, against a server that answers as the extension does."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from shared.executions.durable import DurableExecutions, ManagementApi
from shared.model.errors import Conflict, Forbidden, InvalidRequest, Misconfigured, Throttled, Unreachable

GIVEN = {"action": "restore", "plan": "orders-prod", "run": "r-1"}


class Extension:
    """`instances` by id: state and input. `answer`, when set, is what every request gets."""

    def __init__(self) -> None:
        self.instances: dict[str, tuple[str, Any]] = {}
        self.answer: tuple[int, dict[str, str], str] | None = None
        self.requests: list[tuple[str, str, str]] = []
        self.queries: list[str] = []

    def respond(self, method: str, path: str, body: str, key: str) -> tuple[int, dict[str, str], str]:
        self.requests.append((method, path, key))
        if self.answer:
            return self.answer
        parts = path.strip("/").split("/")[1:]
        if method == "GET":
            if parts[1] not in self.instances:
                return 404, {}, ""
            state, given = self.instances[parts[1]]
            shown = {"instanceId": parts[1], "name": "restore", "runtimeStatus": state, "input": given,
                     "createdTime": "2026-11-23T18:00:00Z"}  # fmt: skip
            return 202 if state == "Running" else 200, {}, json.dumps(shown)
        if parts[0] == "orchestrators":
            if self.instances.get(parts[2], ("", None))[0] == "Running":
                return 409, {}, "An Orchestration instance with the status Running already exists."
            self.instances[parts[2]] = ("Running", json.loads(body))
            return 202, {}, "{}"
        return (202, {}, "") if parts[1] in self.instances else (404, {}, "")


@pytest.fixture
def extension() -> Extension:
    return Extension()


@pytest.fixture
def url(extension: Extension) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            key = self.headers.get("x-functions-key") or ""
            path, _, query = self.path.partition("?")
            extension.queries.append(query)
            code, headers, text = extension.respond(self.command, path, body, key)
            self.send_response(code)
            for name, value in (headers | {"Content-Length": str(len(text.encode()))}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text.encode())

        do_GET = do_POST = do_DELETE = do  # noqa: N815 - http.server's names

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/durabletask"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_restore_is_started_once_and_found_again(url: str, extension: Extension) -> None:
    executions = DurableExecutions(ManagementApi(url))
    assert executions.start_restore("r-1", GIVEN).id == "r-1"
    assert executions.start_restore("r-1", GIVEN).id == "r-1"
    assert [path for method, path, _ in extension.requests if method == "POST"] == ["/durabletask/orchestrators/restore/r-1"]
    assert extension.instances["r-1"] == ("Running", GIVEN)


def test_an_input_that_a_client_sent_as_text_is_the_same_input(url: str, extension: Extension) -> None:
    extension.instances["r-1"] = ("Running", json.dumps(GIVEN))
    assert DurableExecutions(ManagementApi(url)).start_restore("r-1", GIVEN).id == "r-1"


@pytest.mark.parametrize("known", [("Running", {"run": "another"}), ("Completed", GIVEN), ("Terminated", GIVEN)])
def test_another_input_or_an_instance_that_is_over_is_a_conflict_and_never_replaced(
    url: str, extension: Extension, known: tuple[str, Any]
) -> None:
    extension.instances["r-1"] = known
    with pytest.raises(Conflict, match="r-1"):
        DurableExecutions(ManagementApi(url)).start_restore("r-1", GIVEN)
    assert extension.instances["r-1"] == known


def test_start_once_says_whether_it_was_this_call(url: str, extension: Extension) -> None:
    management = ManagementApi(url)
    assert management.start_once("backup", "b-1", {"plan": "p"})
    extension.instances["b-1"] = ("Completed", {})
    assert not management.start_once("backup", "b-1", {"plan": "p"})


@pytest.mark.parametrize("name", ["a/b", "", "x" * 101, "what?"])
def test_a_name_that_cannot_be_an_id_is_refused_before_it_is_sent(url: str, extension: Extension, name: str) -> None:
    with pytest.raises(InvalidRequest):
        ManagementApi(url).start("backup", name, {})
    assert extension.requests == []


def test_the_key_travels_in_a_header_and_in_no_address(url: str, extension: Extension) -> None:
    ManagementApi(url, key="secret").status("r-1")
    assert extension.requests == [("GET", "/durabletask/instances/r-1", "secret")]


def test_a_purge_names_a_time_and_what_has_ended_and_finds_nothing_the_second_time(url: str, extension: Extension) -> None:
    extension.answer = (200, {}, '{"instancesDeleted": 7}')
    assert ManagementApi(url).purge(datetime(2026, 10, 24, 3, 17, tzinfo=UTC)) == 7
    assert extension.requests == [("DELETE", "/durabletask/instances", "")]
    assert extension.queries == [
        "createdTimeFrom=2018-01-01T00:00:00Z&createdTimeTo=2026-10-24T03:17:00Z&runtimeStatus=Completed,Failed,Terminated"
    ]
    extension.answer = (404, {}, "")
    assert ManagementApi(url).purge(datetime(2026, 10, 24, 3, 17, tzinfo=UTC)) == 0


def test_an_event_for_an_instance_that_does_not_exist_is_a_conflict(url: str) -> None:
    with pytest.raises(Conflict, match="no such instance"):
        ManagementApi(url).raise_event("r-1", "cancel", {})


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ((401, {}, ""), Forbidden),
        ((400, {}, "no such function"), Misconfigured),
        ((410, {}, ""), Conflict),
        ((500, {}, "An Orchestration instance with the status Running already exists."), Conflict),
        ((500, {}, "boom"), Unreachable),
    ],
)
def test_every_refusal_has_its_name(url: str, extension: Extension, answer: Any, error: type[Exception]) -> None:
    extension.answer = answer
    with pytest.raises(error):
        ManagementApi(url).start("backup", "b-1", {})


def test_throttling_says_when_to_come_back(url: str, extension: Extension) -> None:
    extension.answer = (429, {"Retry-After": "7"}, "")
    with pytest.raises(Throttled) as caught:
        ManagementApi(url).start("backup", "b-1", {})
    assert caught.value.retry_after_seconds == 7


def test_nobody_at_the_address_is_unreachable() -> None:
    with pytest.raises(Unreachable):
        ManagementApi("http://127.0.0.1:1/").status("r-1")
