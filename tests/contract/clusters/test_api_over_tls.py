"""`KubernetesApi` against a real HTTPS server that misbehaves: what is repeated, for how long, and what the error says."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from shared.clusters import connection
from shared.clusters.api import KubernetesApi
from shared.clusters.watch import WatchStream
from shared.model.errors import (
    BackupError,
    Forbidden,
    HistoryExpired,
    InvalidRequest,
    Misconfigured,
    Throttled,
    Unreachable,
)
from shared.model.kubernetes import WatchEvent
from tests.contract.clusters.odd_server import Call, OddServer, odd_server

SECRET = "secret-token"


class Tokens:
    """Counts renewals; the token tells how many there were."""

    def __init__(self) -> None:
        self.renewals = 0

    def token(self) -> str:
        return f"{SECRET}-{self.renewals}"

    def renewed(self, rejected: str) -> str:
        assert rejected == self.token()
        self.renewals += 1
        return self.token()


class World:
    """A server, and a client of it whose sleeps are noted instead of slept."""

    def __init__(self, stack: ExitStack, directory: Path) -> None:
        self._stack = stack
        self._directory = directory
        self.slept: list[float] = []
        self.tokens = Tokens()

    def serve(self, answer: Callable[[Call], None]) -> KubernetesApi:
        self.server: OddServer = self._stack.enter_context(odd_server(self._directory, answer))
        return self.client(self.server.url, self.server.ca_pem)

    def client(self, url: str, ca_pem: str) -> KubernetesApi:
        api = KubernetesApi(
            url, ca_pem, self.tokens, name="cluster prod", sign_in_hint="create an access entry.", sleep=self.slept.append
        )
        self._stack.callback(api.close)
        return api


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with ExitStack() as stack:
        yield World(stack, tmp_path)


def pod(name: str, version: int = 1) -> dict[str, object]:
    return {"metadata": {"name": name, "resourceVersion": str(version)}}


def page(*names: str, version: str = "7", following: str = "") -> dict[str, object]:
    metadata = {"resourceVersion": version} | ({"continue": following} if following else {})
    return {"kind": "PodList", "metadata": metadata, "items": [pod(name) for name in names]}


def in_turn(*answers: Callable[[Call], None]) -> Callable[[Call], None]:
    """The n-th request gets the n-th answer; the last one repeats."""
    return lambda call: answers[min(call.number, len(answers)) - 1](call)


def listing(*names: str, **more: str) -> Callable[[Call], None]:
    return lambda call: call.answer(200, page(*names, **more))


def refusing(status: int, message: str = "no", **headers: str) -> Callable[[Call], None]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda call: call.refuse(status, message, named)


def list_pods(api: KubernetesApi) -> list[str]:
    return [item["metadata"]["name"] for item in api.list("pods", "scalar", {}).items]


def test_the_request_carries_the_token_and_asks_for_pages_of_500(world: World) -> None:
    api = world.serve(listing("a"))
    api.list("pods", "scalar", {"app.kubernetes.io/instance": "orders", "app.kubernetes.io/app": "ledger"})
    call = world.server.calls[0]
    assert call.path == "/api/v1/namespaces/scalar/pods"
    assert call.query == {
        "limit": "500",
        "labelSelector": "app.kubernetes.io/app=ledger,app.kubernetes.io/instance=orders",
    }
    assert call.headers["Authorization"] == f"Bearer {SECRET}-0"


def test_a_long_list_is_read_page_by_page_and_keeps_the_first_pages_version(world: World) -> None:
    api = world.serve(in_turn(listing("a", following="x=/1"), listing("b", following="x2"), listing("c")))
    result = api.list("pods", "scalar", {})
    assert [item["metadata"]["name"] for item in result.items] == ["a", "b", "c"]
    assert result.resource_version == "7"
    assert [call.query.get("continue") for call in world.server.calls] == [None, "x=/1", "x2"]


def test_a_snapshot_that_expires_while_paging_restarts_the_list_once(world: World) -> None:
    api = world.serve(in_turn(listing("old", following="x"), refusing(410), listing("a", following="y"), listing("b")))
    assert list_pods(api) == ["a", "b"]


def test_a_snapshot_that_expires_twice_is_history_expired(world: World) -> None:
    api = world.serve(in_turn(listing("a", following="x"), refusing(410), listing("a", following="y"), refusing(410)))
    with pytest.raises(HistoryExpired):
        list_pods(api)
    assert len(world.server.calls) == 4


def test_an_object_that_does_not_exist_is_none(world: World) -> None:
    api = world.serve(refusing(404, 'deployments.apps "orders" not found'))
    assert api.get("deployments", "scalar", "orders") is None
    assert world.server.calls[0].path == "/apis/apps/v1/namespaces/scalar/deployments/orders"


@pytest.mark.parametrize(
    ("status", "body"), [(404, "404 page not found"), (200, "<html>Sign in</html>"), (200, "[1]"), (302, "moved"), (200, "{}")]
)
def test_something_that_is_not_a_kubernetes_api_is_misconfigured(world: World, status: int, body: str) -> None:
    api = world.serve(lambda call: call.answer(status, body, {"Location": "https://login.example/"}))
    with pytest.raises(Misconfigured, match="Something other than the Kubernetes API"):
        api.list("pods", "scalar", {}) if body == "{}" else api.get("pods", "scalar", "a")
    assert len(world.server.calls) == 1


def test_a_throttled_call_waits_as_long_as_the_server_asks_and_succeeds(world: World) -> None:
    api = world.serve(in_turn(refusing(429, Retry_After="2"), refusing(429, Retry_After="1"), listing("a")))
    assert list_pods(api) == ["a"]
    assert world.slept == [2.0, 1.0]


def test_a_server_that_fails_is_asked_three_times_with_growing_pauses(world: World) -> None:
    api = world.serve(refusing(503, "etcdserver: leader changed"))
    with pytest.raises(Unreachable, match=r"cannot list pods in namespace scalar: etcdserver: leader changed \(HTTP 503\)"):
        list_pods(api)
    assert len(world.server.calls) == 3
    assert world.slept == [0.2, 0.4]


def test_throttling_that_does_not_end_is_throttled(world: World) -> None:
    api = world.serve(refusing(429, "too many requests", Retry_After="1"))
    with pytest.raises(Throttled) as caught:
        list_pods(api)
    assert (len(world.server.calls), caught.value.retry_after_seconds) == (3, 1.0)


def test_a_long_retry_after_is_handed_to_the_caller_instead_of_waited_for(world: World) -> None:
    api = world.serve(refusing(429, Retry_After="60"))
    with pytest.raises(Throttled) as caught:
        list_pods(api)
    assert (len(world.server.calls), world.slept, caught.value.retry_after_seconds) == (1, [], 60.0)


def test_a_refused_token_is_renewed_once(world: World) -> None:
    api = world.serve(in_turn(refusing(401, "Unauthorized"), listing("a")))
    assert list_pods(api) == ["a"]
    assert [call.headers["Authorization"] for call in world.server.calls] == [f"Bearer {SECRET}-0", f"Bearer {SECRET}-1"]


def test_a_token_that_stays_refused_is_forbidden_with_the_way_to_sign_in(world: World) -> None:
    api = world.serve(refusing(401, "Unauthorized"))
    with pytest.raises(Forbidden, match=r"does not know who asks: Unauthorized \(401\)\. create an access entry\."):
        list_pods(api)
    assert len(world.server.calls) == 2


def test_a_missing_right_is_told_in_the_servers_words_with_the_file_that_grants_it(world: World) -> None:
    sentence = 'pods is forbidden: User "backup" cannot list resource "pods" in API group "" in the namespace "scalar"'
    api = world.serve(refusing(403, sentence))
    with pytest.raises(Forbidden) as caught:
        list_pods(api)
    assert sentence in caught.value.message
    assert "infra/kubernetes/rbac.yaml" in caught.value.hint
    assert len(world.server.calls) == 1


def test_a_bad_request_is_an_invalid_request(world: World) -> None:
    with pytest.raises(InvalidRequest, match="unable to parse"):
        list_pods(world.serve(refusing(400, "unable to parse requirement")))


def test_long_answers_are_cut_and_tokens_never_shown(world: World) -> None:
    api = world.serve(lambda call: call.answer(403, f"{'x' * 5000}"))
    with pytest.raises(Forbidden) as caught:
        list_pods(api)
    assert len(caught.value.message) < 400
    assert SECRET not in str(caught.value)


def test_a_cut_connection_is_tried_again(world: World) -> None:
    api = world.serve(in_turn(Call.cut, listing("a")))
    assert list_pods(api) == ["a"]


def test_a_connection_that_is_cut_each_time_is_unreachable_but_its_endpoint_has_not_failed(world: World) -> None:
    api = world.serve(Call.cut)
    with pytest.raises(Unreachable, match="cut"):
        list_pods(api)
    assert len(world.server.calls) == 3
    assert not api.endpoint_failed


def test_a_slow_answer_is_unreachable_after_the_time_out_and_not_repeated(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "READ_SECONDS", 0.1)
    api = world.serve(lambda call: world.server.released.wait(30) and None)
    began = time.monotonic()
    with pytest.raises(Unreachable, match=r"timed out.*overloaded"):
        list_pods(api)
    assert time.monotonic() - began < 5
    assert len(world.server.calls) == 1


def test_an_endpoint_where_nobody_listens_is_unreachable_and_counts_as_failed(world: World) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        api = world.client(f"https://127.0.0.1:{unused.getsockname()[1]}", world.serve(listing()) and world.server.ca_pem)
        with pytest.raises(Unreachable, match=r"Connection refused.*security group"):
            list_pods(api)
    assert api.endpoint_failed


def test_a_certificate_of_another_ca_is_refused_before_the_token_is_sent(world: World, tmp_path: Path) -> None:
    world.serve(listing("a"))
    (tmp_path / "other").mkdir()
    with odd_server(tmp_path / "other", listing()) as other:
        api = world.client(world.server.url, other.ca_pem)
        with pytest.raises(Unreachable, match="not from the cluster's CA"):
            list_pods(api)
    assert api.endpoint_failed
    assert world.server.calls == []


def test_connections_are_kept_between_calls(world: World) -> None:
    api = world.serve(listing("a"))
    for _ in range(3):
        list_pods(api)
    assert len({call.client_port for call in world.server.calls}) == 1


def test_connections_that_were_idle_for_long_are_not_trusted(world: World, tmp_path: Path) -> None:
    now = 1000.0
    world.serve(listing("a"))
    with_clock = connection.Connection(world.server.url, world.server.ca_pem, world.tokens, name="prod", wall_clock=lambda: now)
    request = connection.Request("GET", "/version", "read the version")
    with_clock.send(request)
    now += connection.IDLE_SECONDS + 1
    with_clock.send(request)
    with_clock.close()
    assert len({call.client_port for call in world.server.calls}) == 2


def test_the_api_is_asked_for_rights_in_its_own_terms(world: World) -> None:
    api = world.serve(lambda call: call.answer(201, {"status": {"allowed": call.number == 1}}))
    assert api.can_i("get", "pods/portforward", "scalar")
    assert not api.can_i("list", "deployments", "scalar", name="orders")
    asked = [json.loads(call.body)["spec"]["resourceAttributes"] for call in world.server.calls]
    assert asked == [
        {"verb": "get", "resource": "pods", "subresource": "portforward", "namespace": "scalar"},
        {"verb": "list", "group": "apps", "resource": "deployments", "namespace": "scalar", "name": "orders"},
    ]


def test_the_version_is_the_control_planes(world: World) -> None:
    api = world.serve(lambda call: call.answer(200, {"gitVersion": "v1.33.1-eks-3abbec1"}))
    assert api.server_version() == "v1.33.1-eks-3abbec1"


def streaming(*steps: Callable[[Call], None]) -> Callable[[Call], None]:
    def answer(call: Call) -> None:
        call.begin_stream()
        for step in steps:
            step(call)

    return answer


def event(kind: str, name: str, version: int) -> Callable[[Call], None]:
    return lambda call: call.send_event(kind, pod(name, version))


def watch(api: KubernetesApi, seconds: int = 30) -> WatchStream:
    return api.watch("pods", "scalar", {"app": "ledger"}, "41", seconds)


def names(events: list[WatchEvent]) -> list[tuple[str, str]]:
    return [(item.type, item.object["metadata"]["name"]) for item in events]


def test_a_watch_passes_every_event_on_bookmarks_included(world: World) -> None:
    api = world.serve(streaming(event("ADDED", "a", 42), event("BOOKMARK", "", 50), event("DELETED", "a", 51), Call.end_stream))
    assert names([*watch(api, 0)]) == [("ADDED", "a"), ("BOOKMARK", ""), ("DELETED", "a")]
    assert world.server.calls[0].query == {
        "labelSelector": "app=ledger",
        "watch": "true",
        "resourceVersion": "41",
        "timeoutSeconds": "0",
        "allowWatchBookmarks": "true",
    }


def test_an_event_may_arrive_in_pieces_and_several_at_once(world: World) -> None:
    lines = b"".join(json.dumps({"type": "ADDED", "object": pod(name)}).encode() + b"\n" for name in ("é", "b", "c"))
    pieces = [lines[:30], lines[30:31], lines[31:]]
    api = world.serve(streaming(*(lambda call, piece=piece: call.send_chunk(piece) for piece in pieces), Call.end_stream))
    assert names([*watch(api, 0)]) == [("ADDED", "é"), ("ADDED", "b"), ("ADDED", "c")]


def test_an_expired_version_is_history_expired_as_a_status(world: World) -> None:
    with pytest.raises(HistoryExpired, match=r"too old resource version: 41"):
        watch(world.serve(refusing(410, "too old resource version: 41 (99)")))


@pytest.mark.parametrize(
    ("code", "expected"), [(410, HistoryExpired), (429, Throttled), (403, Forbidden), (500, Unreachable), (None, Unreachable)]
)
def test_an_error_inside_the_stream_is_raised_after_the_events_before_it(
    world: World, code: int | None, expected: type[BackupError]
) -> None:
    status = {"kind": "Status", "message": "over"} | ({"code": code} if code else {})
    api = world.serve(streaming(event("ADDED", "a", 42), lambda call: call.send_event("ERROR", status), Call.end_stream))
    stream = watch(api)
    assert names([next(stream)]) == [("ADDED", "a")]
    with pytest.raises(expected, match="over"):
        next(stream)


def test_a_stream_that_is_cut_is_unreachable_and_keeps_the_events_before(world: World) -> None:
    stream = watch(world.serve(streaming(event("ADDED", "a", 42), Call.cut)))
    assert names([next(stream)]) == [("ADDED", "a")]
    with pytest.raises(Unreachable, match="cannot watch pods in namespace scalar"):
        next(stream)


def test_a_stream_that_is_cut_within_an_event_does_not_deliver_half_of_it(world: World) -> None:
    stream = watch(world.serve(streaming(lambda call: call.send_chunk(b'{"type": "ADD'), Call.cut)))
    with pytest.raises(Unreachable):
        next(stream)


def test_a_stream_that_ends_before_its_time_is_not_taken_for_silence(world: World) -> None:
    stream = watch(world.serve(streaming(event("ADDED", "a", 42), Call.end_stream)), seconds=30)
    next(stream)
    with pytest.raises(Unreachable, match="before its time"):
        next(stream)


def test_a_line_that_is_no_event_is_unreachable(world: World) -> None:
    stream = watch(world.serve(streaming(lambda call: call.send_chunk(b"<html>\n"), Call.end_stream)))
    with pytest.raises(Unreachable, match="not a watch event: <html>"):
        next(stream)


def test_closing_from_another_thread_ends_a_waiting_iteration_promptly(world: World) -> None:
    api = world.serve(streaming(event("ADDED", "a", 42), lambda call: world.server.released.wait(30) and None))
    stream = watch(api)
    seen, first = [], threading.Event()

    def follow() -> None:
        for item in stream:
            seen.append(item)
            first.set()

    reader = threading.Thread(target=follow)
    reader.start()
    assert first.wait(5)
    stream.close()
    reader.join(5)
    assert not reader.is_alive(), "the watch itself would have gone on for half a minute"
    assert len(seen) == 1


def test_a_stream_that_was_closed_before_delivers_nothing_more_and_may_be_closed_again(world: World) -> None:
    api = world.serve(
        streaming(event("ADDED", "a", 1), event("ADDED", "b", 2), lambda call: world.server.released.wait(30) and None)
    )
    stream = watch(api)
    next(stream)
    stream.close()
    stream.close()
    assert [*stream] == []


def test_the_proxy_of_the_environment_is_used_except_for_hosts_in_no_proxy(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:1")
    with pytest.raises(Unreachable, match="no_proxy"):
        list_pods(world.serve(listing("a")))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert list_pods(world.client(world.server.url, world.server.ca_pem)) == ["a"]


@pytest.mark.parametrize("name", ["../secrets", "a/b", "", "A", "a?b", "x" * 254])
def test_names_that_could_change_the_path_are_refused(world: World, name: str) -> None:
    with pytest.raises(InvalidRequest):
        world.serve(listing()).get("pods", "scalar", name)
    with pytest.raises(InvalidRequest):
        world.client(world.server.url, world.server.ca_pem).list("pods", name, {})
    assert world.server.calls == []


@pytest.mark.parametrize("value", ["a,b", "a b", "a=b", "!a", "-a", "x" * 64])
def test_label_values_that_could_change_the_selector_are_refused(world: World, value: str) -> None:
    with pytest.raises(InvalidRequest, match="not a possible label"):
        world.serve(listing()).list("pods", "scalar", {"app": value})


def test_a_kind_that_is_not_read_is_a_programming_error(world: World) -> None:
    with pytest.raises(ValueError, match="statefulsets"):
        world.serve(listing()).list("statefulsets", "scalar", {})
