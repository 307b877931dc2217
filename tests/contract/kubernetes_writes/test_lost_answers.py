"""A change is repeated only when the server refused it untried: never when it may have been made already."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from shared.clusters.api import KubernetesApi
from shared.clusters.patches import MERGE_PATCH
from shared.model.errors import Unreachable
from tests.contract.clusters.odd_server import Call, OddServer, odd_server
from tests.contract.kubernetes_writes.conftest import AdminToken

AFTER = {"metadata": {"name": "c"}, "data": {"a": "2"}}


def patched_through(answers: list[Callable[[Call], None]], directory: Path) -> tuple[OddServer, list[float], object]:
    """The server, the waits between requests, and the object or the error that the patch gave."""
    slept: list[float] = []
    with odd_server(directory, lambda call: answers[call.number - 1](call)) as server:
        api = KubernetesApi(server.url, server.ca_pem, AdminToken("t"), name="cluster prod", sleep=slept.append)
        try:
            outcome: object = api.patch("configmaps", "scalar", "c", {"data": {"a": "2"}}, content_type=MERGE_PATCH)
        except Unreachable as error:
            outcome = error
        api.close()
    return server, slept, outcome


def test_the_request_says_its_type_and_who_writes(tmp_path: Path) -> None:
    server, _, outcome = patched_through([lambda call: call.answer(200, AFTER)], tmp_path)
    (call,) = server.calls
    assert (call.method, call.path) == ("PATCH", "/api/v1/namespaces/scalar/configmaps/c")
    assert call.headers["Content-Type"] == MERGE_PATCH
    assert call.query == {"fieldManager": "scalar-backup"}
    assert call.body == b'{"data": {"a": "2"}}'
    assert outcome == AFTER


def test_a_throttled_change_was_not_tried_and_is_repeated(tmp_path: Path) -> None:
    throttled: Callable[[Call], None] = lambda call: call.refuse(429, "slow down", {"Retry-After": "1"})  # noqa: E731
    server, slept, outcome = patched_through([throttled, lambda call: call.answer(200, AFTER)], tmp_path)
    assert (len(server.calls), slept, outcome) == (2, [1.0], AFTER)


@pytest.mark.parametrize("lost", [Call.cut, lambda call: call.refuse(504, "request did not complete")])
def test_a_change_whose_answer_was_lost_is_not_repeated(lost: Callable[[Call], None], tmp_path: Path) -> None:
    server, slept, outcome = patched_through([lost], tmp_path)
    assert (len(server.calls), slept) == (1, [])
    assert isinstance(outcome, Unreachable)
