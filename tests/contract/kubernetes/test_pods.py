"""The node: what a pod's process is started with, how it is probed, restarted and stopped."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from infra.sandbox.cluster.api.resources import CONFIG_MAPS, NODES, PODS
from infra.sandbox.cluster.client import KubernetesError
from infra.sandbox.cluster.process import RunningCluster
from tests.contract.kubernetes.conftest import Kube
from tests.contract.kubernetes.pods import PORT, ask_pod, is_alive, is_ready

PROBE = {"exec": {"command": ["/usr/local/bin/grpc_health_probe", f"-addr=localhost:{PORT}"]}}


def _run(kube: Kube, container: dict[str, Any] | None = None, **spec: Any) -> None:
    """Creates pod `p` with one container of the tests' program."""
    whole = {"name": "c", "image": "registry.example.com/tiny:1", **(container or {})}
    body = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p", "labels": {"app": "tiny"}},
        "spec": {"containers": [whole], "terminationGracePeriodSeconds": 5, **spec},
    }
    kube.client.create(body, kube.namespace)


def _wait(kube: Kube, is_so: Any, what: str) -> dict[str, Any]:
    """The pod `p` as soon as `is_so(pod)`."""
    pods = kube.client.wait_until(PODS, kube.namespace, lambda pods: bool(pods) and is_so(pods[0]), what)
    return pods[0]


def _container(pod: dict[str, Any]) -> dict[str, Any]:
    statuses: list[dict[str, Any]] = pod["status"].get("containerStatuses") or [{"state": {}}]
    return statuses[0]


def _ready(kube: Kube, container: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    _run(kube, {"startupProbe": {**PROBE, "failureThreshold": 60}, **(container or {})}, **spec)
    return _wait(kube, is_ready, "pod p is ready")


def test_a_running_pod_has_a_complete_status(cluster: Kube, running_cluster: RunningCluster) -> None:
    pod = _ready(cluster)
    status, container = pod["status"], _container(pod)
    assert status["phase"] == "Running"
    assert status["podIP"].startswith(f"{running_cluster.network}.")
    assert status["podIPs"] == [{"ip": status["podIP"]}]
    node = cluster.client.get(NODES, None, pod["spec"]["nodeName"])
    assert status["hostIP"] == node["status"]["addresses"][0]["address"]
    assert {each["type"]: each["status"] for each in status["conditions"]} == dict.fromkeys(
        ("PodScheduled", "Initialized", "Ready", "ContainersReady"), "True"
    )
    assert (container["ready"], container["started"], container["restartCount"]) == (True, True, 0)
    assert container["containerID"].startswith("containerd://")
    assert "startedAt" in container["state"]["running"]
    assert pod["spec"]["nodeName"] in ("with-node-node-1", "with-node-node-2")


def test_environment_comes_from_literals_config_maps_secrets_and_fields(cluster: Kube) -> None:
    cluster.create_config_map("settings", LEVEL="debug", WHOLE="map")
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "login"}, "stringData": {"user": "scalar"}}
    cluster.client.create(secret, cluster.namespace)
    env = [
        {"name": "PLAIN", "value": "1"},
        {"name": "COMBINED", "value": "$(PLAIN)-$(MISSING)-$$(PLAIN)"},
        {"name": "USER_NAME", "valueFrom": {"secretKeyRef": {"name": "login", "key": "user"}}},
        {"name": "LEVEL_AGAIN", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "LEVEL"}}},
        {"name": "OPTIONAL", "valueFrom": {"secretKeyRef": {"name": "login", "key": "none", "optional": True}}},
        {"name": "ADDRESS", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        {"name": "APP", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['app']"}}},
    ]
    sources = [{"configMapRef": {"name": "settings"}}, {"secretRef": {"name": "login"}, "prefix": "DB_"}]
    pod = _ready(cluster, {"env": env, "envFrom": sources})
    told = ask_pod(pod)["environment"]
    expected = {
        "PLAIN": "1",
        "COMBINED": "1-$(MISSING)-$(PLAIN)",
        "USER_NAME": "scalar",
        "LEVEL_AGAIN": "debug",
        "LEVEL": "debug",
        "WHOLE": "map",
        "DB_user": "scalar",
        "ADDRESS": pod["status"]["podIP"],
        "APP": "tiny",
        "HOSTNAME": "p",
    }
    assert {name: told.get(name) for name in expected} == expected
    assert "OPTIONAL" not in told


def test_nothing_of_the_machines_environment_reaches_a_container(cluster: Kube, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "the machine's own")
    assert "AWS_SECRET_ACCESS_KEY" not in ask_pod(_ready(cluster))["environment"]


def test_files_come_from_config_maps_and_secrets(cluster: Kube) -> None:
    cluster.create_config_map("files", **{"a.properties": "x=1", "b": "2"})
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "tls"}, "stringData": {"ca.crt": "CA", "k": "K"}}
    cluster.client.create(secret, cluster.namespace)
    volumes = [
        {"name": "files", "configMap": {"name": "files"}},
        {"name": "tls", "secret": {"secretName": "tls", "items": [{"key": "ca.crt", "path": "certs/ca.pem"}]}},
    ]
    mounts = [
        {"name": "files", "mountPath": "/app/a.properties", "subPath": "a.properties"},
        {"name": "files", "mountPath": "/all"},
        {"name": "tls", "mountPath": "/tls"},
    ]
    told = ask_pod(_ready(cluster, {"volumeMounts": mounts}, volumes=volumes))
    assert told["files"] == {"app/a.properties": "x=1", "all/a.properties": "x=1", "all/b": "2", "tls/certs/ca.pem": "CA"}


def test_a_changed_config_map_reaches_no_running_container(cluster: Kube) -> None:
    cluster.create_config_map("files", a="old")
    volumes = [{"name": "files", "configMap": {"name": "files"}}]
    mounts = [{"name": "files", "mountPath": "/app/a", "subPath": "a"}]
    pod = _ready(cluster, {"volumeMounts": mounts}, volumes=volumes)
    root = Path(f"/proc/{ask_pod(pod)['pid']}/cwd").resolve()
    cluster.patch_config_map("files", {"data": {"a": "new"}})
    version = cluster.client.get(CONFIG_MAPS, cluster.namespace, "files")["metadata"]["resourceVersion"]
    cluster.client.annotate(PODS, cluster.namespace, "p", {"after": version})
    assert (root / "app/a").read_text() == "old"


def test_a_missing_config_map_holds_the_container_and_says_why(cluster: Kube) -> None:
    mounts = [{"name": "files", "mountPath": "/app/a", "subPath": "a"}]
    container = {"volumeMounts": mounts, "startupProbe": {**PROBE, "failureThreshold": 60}}
    _run(cluster, container, volumes=[{"name": "files", "configMap": {"name": "late"}}])
    pod = _wait(cluster, lambda pod: "message" in _container(pod)["state"].get("waiting", {}), "the container waits")
    assert _container(pod)["state"]["waiting"] == {
        "reason": "CreateContainerConfigError",
        "message": 'configmap "late" not found',
    }
    assert pod["status"]["phase"] == "Pending"
    cluster.create_config_map("late", a="1")
    assert ask_pod(_wait(cluster, is_ready, "pod p is ready"))["files"] == {"app/a": "1"}


def test_a_pod_is_not_ready_before_its_startup_probe_succeeds(cluster: Kube) -> None:
    probe = {**PROBE, "failureThreshold": 60}
    _run(cluster, {"startupProbe": probe, "env": [{"name": "LISTEN_AFTER", "value": "1"}]})
    pod = _wait(cluster, lambda pod: "running" in _container(pod)["state"], "the container runs")
    assert (_container(pod)["started"], _container(pod)["ready"], is_ready(pod)) == (False, False, False)
    _wait(cluster, is_ready, "pod p is ready")


def test_a_container_that_was_killed_comes_back_as_another_one(cluster: Kube) -> None:
    before = _container(_ready(cluster))
    cluster.client.kill_container(cluster.namespace, "p")

    def is_back(pod: dict[str, Any]) -> bool:
        return _container(pod)["restartCount"] == 1 and is_ready(pod)

    pod = _wait(cluster, is_back, "the container is back")
    after = _container(pod)
    assert after["containerID"] != before["containerID"]
    assert after["lastState"]["terminated"]["exitCode"] == 137
    assert after["lastState"]["terminated"]["containerID"] == before["containerID"]


def test_a_container_that_keeps_ending_backs_off(cluster: Kube) -> None:
    _run(cluster, {"env": [{"name": "EXIT_AFTER", "value": "0.1"}, {"name": "EXIT_CODE", "value": "3"}]})

    def backs_off(pod: dict[str, Any]) -> bool:
        return _container(pod)["state"].get("waiting", {}).get("reason") == "CrashLoopBackOff"

    pod = _wait(cluster, backs_off, "the container backs off")
    assert _container(pod)["restartCount"] >= 1
    assert _container(pod)["lastState"]["terminated"]["exitCode"] == 3
    assert not is_ready(pod)
    assert pod["status"]["phase"] == "Running"


def test_a_failing_liveness_probe_restarts_the_container(cluster: Kube) -> None:
    liveness = {"tcpSocket": {"port": 1}, "periodSeconds": 1, "failureThreshold": 1}
    _ready(cluster, {"livenessProbe": liveness})
    pod = _wait(cluster, lambda pod: _container(pod)["restartCount"] >= 1, "the container was restarted")
    assert _container(pod)["lastState"]["terminated"]["exitCode"] == 0  # it was asked to stop, and did


def test_readiness_follows_its_probe(cluster: Kube) -> None:
    readiness = {"tcpSocket": {"port": PORT}, "periodSeconds": 1, "timeoutSeconds": 1, "failureThreshold": 1}
    _run(cluster, {"readinessProbe": readiness, "env": [{"name": "LISTEN_AFTER", "value": "0.5"}]})
    pod = _wait(cluster, lambda pod: _container(pod).get("started"), "the container has started")
    assert not is_ready(pod)
    _wait(cluster, is_ready, "pod p is ready")


def test_a_deleted_pod_is_asked_to_stop_and_then_gone_with_its_process(cluster: Kube) -> None:
    pod = _ready(cluster)
    pid = ask_pod(pod)["pid"]
    cluster.client.delete_pod(cluster.namespace, "p")
    cluster.client.wait_until_no_pods(cluster.namespace, {"app": "tiny"})
    assert not is_alive(pid)


def test_a_pod_that_ignores_the_request_is_killed_after_its_grace(cluster: Kube) -> None:
    pod = _ready(cluster, {"env": [{"name": "IGNORE_TERM", "value": "1"}]}, terminationGracePeriodSeconds=1)
    pid = ask_pod(pod)["pid"]
    begin = time.monotonic()
    cluster.client.delete_pod(cluster.namespace, "p")
    cluster.client.wait_until_no_pods(cluster.namespace, {"app": "tiny"})
    assert time.monotonic() - begin >= 0.9
    assert not is_alive(pid)


def test_a_forced_deletion_kills_the_process_as_well(cluster: Kube) -> None:
    pod = _ready(cluster, {"env": [{"name": "IGNORE_TERM", "value": "1"}]})
    pid = ask_pod(pod)["pid"]
    cluster.client.delete_pod(cluster.namespace, "p", grace_seconds=0)
    ends_at = time.monotonic() + 5
    while is_alive(pid):
        assert time.monotonic() < ends_at, "the process outlived its pod"
        time.sleep(0.01)


@pytest.mark.parametrize(("exit_code", "phase"), [("0", "Succeeded"), ("4", "Failed")])
def test_a_pod_that_is_not_restarted_ends_in_a_phase(cluster: Kube, exit_code: str, phase: str) -> None:
    env = [{"name": "EXIT_AFTER", "value": "0.1"}, {"name": "EXIT_CODE", "value": exit_code}]
    _run(cluster, {"env": env}, restartPolicy="Never")
    pod = _wait(cluster, lambda pod: pod["status"]["phase"] in ("Succeeded", "Failed"), "the pod has ended")
    assert pod["status"]["phase"] == phase
    assert _container(pod)["state"]["terminated"]["exitCode"] == int(exit_code)


def test_killing_what_does_not_run_is_refused_by_name(cluster: Kube) -> None:
    with pytest.raises(KubernetesError, match=r"no pod .*/missing runs on any node"):
        cluster.client.kill_container(cluster.namespace, "missing")


def test_a_probe_that_has_no_port_is_told_in_the_status(cluster: Kube) -> None:
    _run(cluster, {"livenessProbe": {"exec": {"command": ["cat", "/tmp/healthy"]}}})
    pod = _wait(cluster, lambda pod: "message" in _container(pod)["state"].get("waiting", {}), "the container waits")
    assert "performs grpc_health_probe" in _container(pod)["state"]["waiting"]["message"]
