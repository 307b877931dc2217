"""A way that dies while pods are paused does not keep them paused: the other one resumes them, and the result says so."""

from __future__ import annotations

import pytest

from shared.model.pods import AdminTarget
from shared.model.records import replace
from tests.contract.port_forward.clusters import ForwardingCluster, forwarded
from tests.contract.port_forward.firewall import behind_firewall
from tests.contract.scalar_admin.pods import ScriptedPod, dead_target

SHORT = {"call_timeout_seconds": 1.0}


def close_the_api_server(cluster: ForwardingCluster) -> None:
    cluster.admin.add_fault(resource="pods/portforward", status=503, times=10_000)
    cluster.cut()


@pytest.mark.parametrize("kind", ["swallow", "refuse"])
async def test_direct_dies_and_port_forward_resumes(stand_in: ForwardingCluster, kind: str) -> None:
    pod = ScriptedPod("pod-0")
    async with (
        forwarded(stand_in, pod) as (forward,),
        behind_firewall(forward) as (firewall, direct),
        stand_in.client(**SHORT) as client,
    ):
        assert [item.outcome for item in await client.pause([direct], drain_seconds=1)] == ["paused"]
        getattr(firewall, kind)()
        assert (await client.check_paused([direct])).unknown == ("pod-0",)
        (resumed,) = await client.resume([direct], budget_seconds=5)
    assert (resumed.problem, resumed.transport, pod.closed) == ("", "port-forward", False)
    assert resumed.note.startswith(f"reached by port-forward, because Unpause at {direct.address} failed: ")
    assert resumed.tries == 3, "two by the dead way, one by the living"


async def test_port_forward_dies_and_direct_resumes(stand_in: ForwardingCluster) -> None:
    pod = ScriptedPod("pod-0")
    async with forwarded(stand_in, pod) as (target,), stand_in.client(**SHORT) as client:
        assert [item.outcome for item in await client.pause([target], drain_seconds=1)] == ["paused"]
        close_the_api_server(stand_in)
        (resumed,) = await client.resume([target], budget_seconds=5)
    assert (resumed.problem, resumed.transport, pod.closed) == ("", "direct", False)
    assert "(by port-forward) failed: EKS cluster prod-tokyo: cannot forward" in resumed.note


async def test_a_process_that_did_not_pause_finds_the_living_way_as_well(stand_in: ForwardingCluster) -> None:
    pod = ScriptedPod("pod-0")
    pod.closed = True
    async with forwarded(stand_in, pod) as (target,), stand_in.client(**SHORT) as watchdog:
        (resumed,) = await watchdog.resume([replace(target, host="127.36.9.9", transport="direct")], budget_seconds=5)
    assert (resumed.problem, resumed.transport, pod.closed) == ("", "port-forward", False)


async def test_when_neither_way_works_the_problem_names_both(stand_in: ForwardingCluster) -> None:
    close_the_api_server(stand_in)
    target = replace(stand_in.add(dead_target()), transport="direct")
    async with stand_in.client(**SHORT) as client:
        (resumed,) = await client.resume([target], budget_seconds=3)
    assert f"at {target.address} failed" in resumed.problem
    assert f"at {target.address} (by port-forward) failed" in resumed.problem
    assert resumed.note == ""


async def test_a_target_of_an_unknown_cluster_is_only_tried_at_its_address(stand_in: ForwardingCluster) -> None:
    target: AdminTarget = replace(stand_in.add(dead_target()), cluster=None, transport="direct")
    async with stand_in.client(call_timeout_seconds=0.2) as client:
        (resumed,) = await client.resume([target], budget_seconds=2.5)
    assert "port-forward" not in resumed.problem
    assert resumed.transport == "direct"
