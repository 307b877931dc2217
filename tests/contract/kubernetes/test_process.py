"""The cluster as a process: what it hands out, and that it leaves nothing behind."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from infra.sandbox.cluster import process
from infra.sandbox.cluster.api.resources import PODS
from infra.sandbox.cluster.client import ClusterClient
from tests.contract.kubernetes.conftest import NOWHERE
from tests.contract.kubernetes.pods import PORT, ask_pod, is_alive, is_ready

PROGRAM = [sys.executable, "-m", "tests.contract.kubernetes.tiny_program"]


def _pid_of_a_pod(cluster: process.RunningCluster) -> int:
    client = ClusterClient(cluster.url, cluster.ca_pem, cluster.admin_token)
    probe = {"tcpSocket": {"port": PORT}, "failureThreshold": 60}
    spec = {"containers": [{"name": "c", "image": "tiny:1", "startupProbe": probe}]}
    client.create({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec}, "default")
    (pod,) = client.wait_until(PODS, "default", lambda pods: bool(pods) and is_ready(pods[0]), "pod p is ready")
    client.close()
    pid: int = ask_pod(pod)["pid"]
    return pid


def _is_gone_within(pid: int, seconds: float) -> bool:
    ends_at = time.monotonic() + seconds
    while is_alive(pid):
        if time.monotonic() > ends_at:
            return False
        time.sleep(0.02)
    return True


def test_closing_the_cluster_ends_its_pods(tmp_path: Path) -> None:
    with process.start("short", NOWHERE, state_dir=tmp_path, pod_command=PROGRAM) as cluster:
        pid = _pid_of_a_pod(cluster)
    assert _is_gone_within(pid, 1)
    assert list((tmp_path / "logs").iterdir()), "the pods' logs are kept in the state directory"


def test_pods_do_not_outlive_a_cluster_that_was_killed() -> None:
    cluster = process.start("short", NOWHERE, pod_command=PROGRAM)
    pid = _pid_of_a_pod(cluster)
    os.kill(cluster._process.pid, signal.SIGKILL)
    assert _is_gone_within(pid, 5)
    cluster.close()


def test_what_is_secret_is_not_in_the_text_of_the_handle() -> None:
    with process.start("short", NOWHERE, api_only=True) as cluster:
        assert cluster.admin_token not in repr(cluster)


def test_a_network_outside_loopback_is_refused() -> None:
    with pytest.raises(RuntimeError, match="did not start"):
        process.start("short", NOWHERE, network="10.0")


def test_two_clusters_at_once_never_give_out_the_same_addresses() -> None:
    with process.start("one", NOWHERE, pod_command=PROGRAM) as one, process.start("two", NOWHERE, pod_command=PROGRAM) as two:
        assert one.network != two.network


def test_a_network_that_another_cluster_holds_is_refused() -> None:
    with process.start("one", NOWHERE, pod_command=PROGRAM) as one, pytest.raises(RuntimeError, match="did not start"):
        process.start("two", NOWHERE, network=one.network, pod_command=PROGRAM)
