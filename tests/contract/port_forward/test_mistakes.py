"""Each reason why a forward does not come about reaches the check and the problem of a resume, in the cluster's words."""

from __future__ import annotations

import resource

import pytest

from infra.sandbox.cluster.certificates import create_certificates
from shared.clusters import port_forward
from shared.clusters.api import KubernetesApi
from shared.clusters.port_forward import PortForwards
from shared.model.checks import CheckResult, CheckStatus
from shared.model.errors import Misconfigured
from shared.model.pods import AdminTarget
from shared.model.records import replace
from tests.contract.clusters.conftest import FixedToken
from tests.contract.port_forward.clusters import CLUSTER, ForwardingCluster, forwarded
from tests.contract.scalar_admin.pods import ScriptedPod, dead_target


async def check(cluster: ForwardingCluster, target: AdminTarget, api: KubernetesApi | None = None) -> CheckResult:
    async with cluster.client(api) as client:
        (result,) = await client.check_reachable([target])
    assert result.status is CheckStatus.FAILED
    return result


async def test_a_dead_port_is_told_in_the_nodes_words(cluster: ForwardingCluster) -> None:
    result = await check(cluster, cluster.add(dead_target()))
    assert "(by port-forward)" in result.detail
    assert "port 60053" in result.detail
    assert "Connect call failed" in result.detail
    assert "nothing listens" in result.hint


async def test_a_pod_that_is_gone_is_told(cluster: ForwardingCluster) -> None:
    target = replace(dead_target("gone"), cluster=CLUSTER, namespace=cluster.namespace, transport="port-forward")
    result = await check(cluster, target)
    assert 'pods "gone" not found (HTTP 404)' in result.detail
    assert "The pod is gone" in result.hint


async def test_a_wrong_token_is_told_with_how_to_sign_in(cluster: ForwardingCluster) -> None:
    async with forwarded(cluster, ScriptedPod("pod-0")) as (target,):
        result = await check(cluster, target, cluster.api(FixedToken("wrong")))
    assert "does not know who asks" in result.detail
    assert result.hint == "Sign in."


async def test_an_api_server_with_another_ca_is_told(cluster: ForwardingCluster) -> None:
    other = cluster.api(ca_pem=create_certificates("other").ca_pem)
    async with forwarded(cluster, ScriptedPod("pod-0")) as (target,):
        result = await check(cluster, target, other)
    assert "CERTIFICATE_VERIFY_FAILED" in result.detail
    assert "CA" in result.hint


async def test_an_api_server_that_is_away_is_told(stand_in: ForwardingCluster) -> None:
    nowhere = stand_in.api(url="https://127.0.0.1:9")
    async with forwarded(stand_in, ScriptedPod("pod-0")) as (target,):
        result = await check(stand_in, target, nowhere)
    assert "EKS cluster prod-tokyo: cannot forward to pod" in result.detail
    assert "443" in result.hint


async def test_a_failing_node_is_told_as_the_api_server_tells_it(stand_in: ForwardingCluster) -> None:
    stand_in.admin.add_fault(resource="pods/portforward", status=500, times=9)
    async with forwarded(stand_in, ScriptedPod("pod-0")) as (target,):
        result = await check(stand_in, target)
    assert "fault on demand: status 500 (HTTP 500)" in result.detail


async def test_without_the_right_to_get_both_verbs_are_named(cluster: ForwardingCluster) -> None:
    async with forwarded(cluster, ScriptedPod("pod-0")) as (target,):
        result = await check(cluster, target, cluster.sign_in("create"))
    assert 'cannot get resource "pods/portforward"' in result.detail
    assert "get and create on pods/portforward" in result.hint
    assert "infra/kubernetes/port-forward.yaml" in result.hint


async def test_the_right_to_get_is_enough_for_clusters_before_1_35(cluster: ForwardingCluster) -> None:
    api = cluster.sign_in("get")
    async with forwarded(cluster, ScriptedPod("pod-0")) as targets, cluster.client(api) as client:
        assert (await client.check_paused(targets)).not_paused == ("pod-0",)


async def test_a_newer_cluster_asks_for_create_as_well(stand_in: ForwardingCluster) -> None:
    stand_in.admin.check_create_of_port_forwards(True)
    async with forwarded(stand_in, ScriptedPod("pod-0")) as (target,):
        result = await check(stand_in, target, stand_in.sign_in("get"))
    assert 'cannot create resource "pods/portforward"' in result.detail
    assert "get and create" in result.hint


async def test_a_resume_that_fails_has_the_reason_of_the_forward(cluster: ForwardingCluster) -> None:
    target = replace(cluster.add(dead_target()), host="127.35.0.1")
    async with cluster.client(call_timeout_seconds=0.5) as client:
        (resumed,) = await client.resume([target], budget_seconds=0.1)
    assert "Unpause at 127.35.0.1:60053 (by port-forward) failed" in resumed.problem
    assert "Connect call failed" in resumed.problem


async def test_a_process_that_may_not_open_files_enough_says_so_before_it_runs_out(
    stand_in: ForwardingCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (port_forward.OTHER_FILES + 2 * port_forward.FILES_PER_POD, 4096))
    forwards = PortForwards(lambda _: stand_in.api())
    first, second = [await forwards.open(CLUSTER, "scalar", f"pod-{number}", 60053) for number in range(2)]
    with pytest.raises(Misconfigured, match="enough for port-forwards to 2 pods"):
        await forwards.open(CLUSTER, "scalar", "pod-2", 60053)
    await first.close()
    third = await forwards.open(CLUSTER, "scalar", "pod-2", 60053)
    await second.close()
    await third.close()
