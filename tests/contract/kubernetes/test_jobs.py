"""Jobs: what the API server adds, refuses and never changes, and how a Job ends; on both control planes."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.sandbox.cluster import process
from infra.sandbox.cluster.api.resources import JOBS, PODS
from infra.sandbox.cluster.client import ClusterClient, KubernetesError
from tests.contract.kubernetes.conftest import NOWHERE, Kube
from tests.contract.kubernetes.pods import is_alive

# They listen on any free port: nobody asks them, and the usual one may be taken.
ENDS_WELL = {"EXIT_AFTER": "0.1", "EXIT_CODE": "0", "PORT": "0"}
FAILS = {"EXIT_AFTER": "0.1", "EXIT_CODE": "3", "PORT": "0"}
UNPULLABLE = "registry.invalid/schema-loader:3.19.0"


def job(name: str, env: dict[str, str] | None = None, container: Any = None, pod: Any = None, **spec: Any) -> dict[str, Any]:
    whole = {"name": "c", "image": "registry.example.com/tiny:1", **(container or {})}
    if env:
        whole["env"] = [{"name": key, "value": value} for key, value in env.items()]
    template = {
        "metadata": {"labels": {"app": "tiny"}},
        "spec": {"restartPolicy": "Never", "containers": [whole], **(pod or {})},
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name},
        "spec": {"backoffLimit": 0, "template": template, **spec},
    }


# What the API server does, without a controller


def test_a_job_is_completed_with_the_labels_that_tie_its_pods_to_it(kube: Kube) -> None:
    made = kube.client.create(job("j"), kube.namespace)
    uid, labels = made["metadata"]["uid"], made["spec"]["template"]["metadata"]["labels"]
    assert list(made["spec"]["selector"]["matchLabels"].values()) == [uid]
    assert labels.items() >= {"app": "tiny", "controller-uid": uid, "job-name": "j"}.items()
    assert made["metadata"]["labels"] == labels  # as it has none of its own
    assert [made["spec"][name] for name in ("parallelism", "completions", "backoffLimit")] == [1, 1, 0]
    assert made["status"] == {}


def test_a_job_has_what_servers_since_1_33_add(sandbox: Kube) -> None:
    """Older ones select by a label without the prefix and count no generation."""
    made = sandbox.client.create(job("j"), sandbox.namespace)
    uid, labels = made["metadata"]["uid"], made["spec"]["template"]["metadata"]["labels"]
    assert made["spec"]["selector"] == {"matchLabels": {"batch.kubernetes.io/controller-uid": uid}}
    assert (labels["batch.kubernetes.io/controller-uid"], labels["batch.kubernetes.io/job-name"]) == (uid, "j")
    added = ("completionMode", "suspend", "podReplacementPolicy")
    assert [made["spec"][name] for name in added] == ["NonIndexed", False, "TerminatingOrFailed"]
    changed = sandbox.client.patch(JOBS, sandbox.namespace, "j", {"spec": {"activeDeadlineSeconds": 5}})
    assert (made["metadata"]["generation"], changed["metadata"]["generation"]) == (1, 2)
    with pytest.raises(KubernetesError, match=r"spec.ttlSecondsAfterFinished: .* must be greater than or equal to 0"):
        sandbox.client.create(job("k", ttlSecondsAfterFinished=-1), sandbox.namespace)


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"backoffLimit": -1}, "spec.backoffLimit", "must be greater than or equal to 0"),
        ({"activeDeadlineSeconds": -1}, "spec.activeDeadlineSeconds", "must be greater than or equal to 0"),
        ({"pod": {"restartPolicy": "Always"}}, "spec.template.spec.restartPolicy", 'valid values: "OnFailure", "Never"'),
        ({"pod": {"containers": []}}, "spec.template.spec.containers", "Required value"),
    ],
)
def test_a_job_that_could_never_end_is_refused_by_field(kube: Kube, change: dict[str, Any], field: str, words: str) -> None:
    answer = kube.client.send("POST", JOBS.path(kube.namespace), job("j", **change))
    assert (answer.status, answer.body["reason"]) == (422, "Invalid")
    assert [(each["field"], words in each["message"]) for each in answer.body["details"]["causes"]] == [(field, True)]


def test_a_template_cannot_be_changed_but_a_deadline_can(kube: Kube) -> None:
    kube.client.create(job("j"), kube.namespace)
    changed = kube.client.patch(JOBS, kube.namespace, "j", {"spec": {"activeDeadlineSeconds": 5}})
    assert changed["spec"]["activeDeadlineSeconds"] == 5
    with pytest.raises(KubernetesError, match=r"spec.template: Invalid value.*field is immutable"):
        kube.client.patch(JOBS, kube.namespace, "j", {"spec": {"template": {"metadata": {"labels": {"more": "1"}}}}})


def test_a_job_deleted_in_the_background_is_gone_at_once(kube: Kube) -> None:
    kube.client.create(job("j"), kube.namespace)
    answer = kube.client.call("DELETE", JOBS.path(kube.namespace, "j"), query={"propagationPolicy": "Background"})
    assert (answer["kind"], answer["status"]) == ("Status", "Success")
    assert kube.client.send("GET", JOBS.path(kube.namespace, "j")).status == 404


def test_deleting_a_job_without_a_policy_is_refused_here_because_a_real_server_would_leave_its_pods(sandbox: Kube) -> None:
    sandbox.client.create(job("j"), sandbox.namespace)
    answer = sandbox.client.send("DELETE", JOBS.path(sandbox.namespace, "j"))
    assert (answer.status, "propagationPolicy Orphan" in answer.body["message"]) == (400, True)


def test_logs_are_refused_as_by_a_real_server(kube: Kube) -> None:
    kube.create_pod("bound")
    containers = [{"name": name, "image": "x:1"} for name in ("a", "b")]
    spec = {"containers": containers}
    kube.client.create({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "waits"}, "spec": spec}, kube.namespace)

    def log(pod: str, **query: str) -> tuple[int, str]:
        answer = kube.client.send("GET", PODS.path(kube.namespace, pod, "log"), query=query)
        return answer.status, answer.body["message"] if isinstance(answer.body, dict) else answer.body.decode()

    assert log("missing") == (404, 'pods "missing" not found')
    status, message = log("bound")
    assert (status, message.endswith(' "n1" not found')) == (404, True)
    assert log("waits") == (400, "a container name must be specified for pod waits, choose one of: [a b]")
    assert log("waits", container="c") == (400, "container c is not valid for pod waits")
    assert log("waits", container="a") == (204, "")


# How a Job ends, with controllers and nodes


@pytest.fixture(scope="module", params=process.CONTROL_PLANES)
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClusterClient]:
    program = [sys.executable, "-m", "tests.contract.kubernetes.tiny_program"]
    state: Path = tmp_path_factory.mktemp("cluster")
    with process.start("with-jobs", NOWHERE, state_dir=state, pod_command=program, control_plane=request.param) as cluster:
        client = cluster.administrator()
        yield client
        client.close()


@pytest.fixture
def client(running: ClusterClient) -> Iterator[ClusterClient]:
    yield running
    for each in running.list_objects(JOBS, "default"):
        running.delete(JOBS, "default", each["metadata"]["name"])


def new(client: ClusterClient, **how: Any) -> str:
    name = f"job-{uuid.uuid4().hex[:6]}"
    client.create(job(name, **how), "default")
    return name


def conditions(found: dict[str, Any]) -> dict[str, str]:
    return {each["type"]: each["reason"] for each in found.get("status", {}).get("conditions", ())}


def ended(client: ClusterClient, name: str) -> dict[str, Any]:
    def is_so(jobs: list[dict[str, Any]]) -> bool:
        return any(each["metadata"]["name"] == name and conditions(each).keys() & {"Complete", "Failed"} for each in jobs)

    client.wait_until(JOBS, "default", is_so, f"Job {name} has ended")
    return client.get(JOBS, "default", name)


def pods_of(client: ClusterClient, name: str) -> list[dict[str, Any]]:
    return client.list_objects(PODS, "default", f"job-name={name}")


def pod_where(client: ClusterClient, name: str, is_so: Any) -> dict[str, Any]:
    found: list[dict[str, Any]] = []

    def seen(pods: list[dict[str, Any]]) -> bool:
        found[:] = [pod for pod in pods if pod["metadata"].get("labels", {}).get("job-name") == name and is_so(pod)]
        return bool(found)

    client.wait_until(PODS, "default", seen, f"a pod of Job {name}")
    return found[0]


def is_running(pod: dict[str, Any]) -> bool:
    return pod["status"]["phase"] == "Running"


def waits_for_its_image(pod: dict[str, Any]) -> bool:
    states = [each["state"] for each in pod["status"].get("containerStatuses", ())]
    return any(state.get("waiting", {}).get("reason") == "ImagePullBackOff" for state in states)


def log_of(client: ClusterClient, pod: dict[str, Any], **query: Any) -> str:
    return client.call("GET", PODS.path("default", pod["metadata"]["name"], "log"), query=query).decode()


def test_a_job_is_complete_when_its_pod_has_ended_well_and_the_log_stays(client: ClusterClient) -> None:
    arguments = {"args": ["--config", "$(SAY)", "$$(SAY)"]}
    name = new(client, env={**ENDS_WELL, "SAY": "first"}, container=arguments)
    found = ended(client, name)
    status, ends = found["status"], [(pod["status"], log_of(client, pod)) for pod in pods_of(client, name)]
    assert conditions(found) == {"SuccessCriteriaMet": "CompletionsReached", "Complete": "CompletionsReached"}, ends
    assert (status["succeeded"], status.get("failed"), status.get("active")) == (1, None, None)
    assert status["completionTime"] >= status["startTime"]
    (pod,) = pods_of(client, name)
    assert pod["status"]["phase"] == "Succeeded"
    assert pod["metadata"]["name"].startswith(f"{name}-")
    assert log_of(client, pod).splitlines() == ["first", "--config", "first", "$(SAY)"]
    assert log_of(client, pod, tailLines=2).splitlines() == ["first", "$(SAY)"]
    assert log_of(client, pod, tailLines=0) == ""


def test_a_job_without_retries_fails_with_its_first_pod(client: ClusterClient) -> None:
    name = new(client, env=FAILS)
    found = ended(client, name)
    assert conditions(found) == {"FailureTarget": "BackoffLimitExceeded", "Failed": "BackoffLimitExceeded"}
    assert (found["status"]["failed"], found["status"].get("succeeded")) == (1, None)
    (pod,) = pods_of(client, name)
    assert pod["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"] == 3


def test_a_failed_pod_is_followed_by_another_as_often_as_the_limit_says(client: ClusterClient) -> None:
    name = new(client, env=FAILS, backoffLimit=1)
    found = ended(client, name)
    assert found["status"]["failed"] == 2
    assert [pod["status"]["phase"] for pod in pods_of(client, name)] == ["Failed", "Failed"]


def test_a_container_is_started_again_in_its_pod_where_the_job_says_on_failure(client: ClusterClient) -> None:
    name = new(client, env=FAILS, pod={"restartPolicy": "OnFailure"}, backoffLimit=1)
    pod = pod_where(client, name, lambda pod: any(each["restartCount"] for each in pod["status"].get("containerStatuses", ())))
    assert conditions(ended(client, name))["Failed"] == "BackoffLimitExceeded"
    assert [each["metadata"]["name"] for each in pods_of(client, name)] in ([], [pod["metadata"]["name"]])


def test_a_job_that_is_over_its_deadline_fails_once_its_pod_is_gone(client: ClusterClient) -> None:
    name = new(client, pod={"terminationGracePeriodSeconds": 1}, activeDeadlineSeconds=1)
    found = ended(client, name)
    assert conditions(found) == {"FailureTarget": "DeadlineExceeded", "Failed": "DeadlineExceeded"}
    assert (found["status"]["failed"], pods_of(client, name)) == (1, [])


def test_an_image_that_cannot_be_pulled_is_told_by_the_pod_and_ends_at_the_deadline(client: ClusterClient) -> None:
    name = new(client, container={"image": UNPULLABLE})
    pod = pod_where(client, name, waits_for_its_image)
    assert pod["status"]["phase"] == "Pending"
    waiting = pod["status"]["containerStatuses"][0]["state"]["waiting"]
    assert waiting["message"].startswith(f'Back-off pulling image "{UNPULLABLE}"')
    answer = client.send("GET", PODS.path("default", pod["metadata"]["name"], "log"))
    assert answer.status == 400
    assert answer.body["message"].endswith("is waiting to start: trying and failing to pull image")
    client.patch(JOBS, "default", name, {"spec": {"activeDeadlineSeconds": 1}})
    assert conditions(ended(client, name))["Failed"] == "DeadlineExceeded"


def test_a_deleted_job_takes_its_running_pod_along(client: ClusterClient) -> None:
    name = new(client, pod={"terminationGracePeriodSeconds": 5})
    pod = pod_where(client, name, is_running)
    client.delete(JOBS, "default", name)
    client.wait_until_no_pods("default", {"job-name": name})
    assert client.send("GET", PODS.path("default", pod["metadata"]["name"])).status == 404


def test_a_pod_that_somebody_deletes_counts_as_failed(client: ClusterClient) -> None:
    """Also one that ends well when it is asked to stop, and at once: no other takes its place."""
    name = new(client)
    pod = pod_where(client, name, is_running)["metadata"]["name"]
    client.delete_pod("default", pod, grace_seconds=1)
    assert conditions(ended(client, name))["Failed"] == "BackoffLimitExceeded"
    assert {each["metadata"]["name"] for each in pods_of(client, name)} <= {pod}


def test_an_ended_job_is_deleted_when_its_time_is_over(client: ClusterClient) -> None:
    name = new(client, env=ENDS_WELL, ttlSecondsAfterFinished=1)
    if "ttlSecondsAfterFinished" not in client.get(JOBS, "default", name)["spec"]:
        pytest.skip("this API server is older than 1.21 and knows no ttlSecondsAfterFinished")
    client.wait_until(JOBS, "default", lambda jobs: name not in [each["metadata"]["name"] for each in jobs], "the Job is gone")
    client.wait_until_no_pods("default", {"job-name": name})


def test_several_pods_run_side_by_side_until_enough_have_succeeded(client: ClusterClient) -> None:
    name = new(client, env=ENDS_WELL, completions=3, parallelism=2)
    assert ended(client, name)["status"]["succeeded"] == 3
    assert len(pods_of(client, name)) == 3


def test_no_process_outlives_a_job_that_was_deleted(client: ClusterClient) -> None:
    name = new(client, env={"IGNORE_TERM": "1"}, pod={"terminationGracePeriodSeconds": 1})
    pod = pod_where(client, name, is_running)
    me = [path for path in Path("/proc").glob("[0-9]*/environ") if _hostname(path) == pod["metadata"]["name"]]
    assert len(me) == 1
    client.delete(JOBS, "default", name)
    client.wait_until_no_pods("default", {"job-name": name})
    assert not is_alive(int(me[0].parent.name))


def _hostname(environ: Path) -> str:
    try:
        variables = environ.read_bytes().split(b"\0")
    except OSError:
        return ""
    return next((each[9:].decode() for each in variables if each.startswith(b"HOSTNAME=")), "")
