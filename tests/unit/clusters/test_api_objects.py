"""Objects that are made and deleted by their names, and logs: what the API server answers, in our words."""

from __future__ import annotations

import json

import pytest

from shared.clusters.api import KubernetesApi
from shared.clusters.connection import Answer
from shared.model.errors import Forbidden, NotReady

JOB = {"metadata": {"name": "job-1"}, "spec": {}}


def refusal(status, reason):
    return Answer(status, {}, json.dumps({"kind": "Status", "reason": reason, "message": "as asked", "code": status}).encode())


class Scripted:
    """A connection that gives the answers one after the other."""

    name = "the cluster"

    def __init__(self, *answers):
        self.answers, self.sent = list(answers), []

    def send(self, request):
        self.sent.append(request)
        return self.answers.pop(0)


def api_that_answers(*answers):
    api = KubernetesApi("https://cluster", "ca", None, name="the cluster")
    api._connection = Scripted(*answers)
    return api, api._connection


def test_an_object_is_made_where_its_kind_stands():
    api, connection = api_that_answers(Answer(201, {}, json.dumps(JOB).encode()))
    assert api.create("jobs", "scalar", JOB) == JOB
    (request,) = connection.sent
    assert (request.method, request.path, request.body) == ("POST", "/apis/batch/v1/namespaces/scalar/jobs", JOB)


def test_one_that_is_there_already_is_what_a_lost_answer_has_made():
    there = {**JOB, "status": {"active": 1}}
    api, _ = api_that_answers(refusal(409, "AlreadyExists"), Answer(200, {}, json.dumps(there).encode()))
    assert api.create("jobs", "scalar", JOB) == there


def test_a_missing_right_is_told_and_not_taken_for_an_existing_object():
    api, _ = api_that_answers(refusal(403, "Forbidden"))
    with pytest.raises(Forbidden, match="create job scalar/job-1"):
        api.create("jobs", "scalar", JOB)


def test_what_is_deleted_takes_along_what_it_has_made_and_what_is_gone_is_gone():
    api, connection = api_that_answers(Answer(200, {}, b"{}"), refusal(404, "NotFound"))
    api.delete("jobs", "scalar", "job-1")
    api.delete("jobs", "scalar", "job-1")
    assert connection.sent[0].target == "/apis/batch/v1/namespaces/scalar/jobs/job-1?propagationPolicy=Background"
    denied, _ = api_that_answers(refusal(403, "Forbidden"))
    with pytest.raises(Forbidden):
        denied.delete("jobs", "scalar", "job-1")


def test_a_log_is_text_and_a_pod_that_is_gone_has_none():
    api, connection = api_that_answers(
        Answer(200, {}, "geprüft\n".encode()), refusal(404, "NotFound"), refusal(403, "Forbidden")
    )
    assert api.pod_log("scalar", "pod-1", 20) == "geprüft\n"
    assert connection.sent[0].target == "/api/v1/namespaces/scalar/pods/pod-1/log?tailLines=20"
    with pytest.raises(NotReady, match="read the log of pod scalar/pod-1"):
        api.pod_log("scalar", "pod-1", 20)
    with pytest.raises(Forbidden):
        api.pod_log("scalar", "pod-1", 20)


def test_a_pod_without_a_node_has_written_nothing():
    api, _ = api_that_answers(Answer(204, {}, b""))
    assert api.pod_log("scalar", "pod-1", 20) == ""


def test_a_container_that_waits_has_no_log_yet_and_the_server_says_why():
    said = json.dumps({"kind": "Status", "message": 'container "c" in pod "pod-1" is waiting to start: ContainerCreating'})
    api, _ = api_that_answers(Answer(400, {}, said.encode()))
    with pytest.raises(NotReady, match="is waiting to start: ContainerCreating") as raised:
        api.pod_log("scalar", "pod-1", 20)
    assert "kubectl -n scalar describe pod pod-1" in raised.value.hint
