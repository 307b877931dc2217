"""`transport: auto` tries direct first and says which way it chose and why, before anything is paused."""

from __future__ import annotations

import sys
from subprocess import run

from shared.model.checks import CheckStatus
from shared.model.pods import AdminTarget
from shared.model.records import replace
from tests.contract.port_forward.clusters import ForwardingCluster, forwarded
from tests.contract.scalar_admin.pods import ScriptedPod, dead_target

RELEASE = "ap-northeast-1/prod-tokyo/scalar/orders"


def overlay(target: AdminTarget, number: int) -> AdminTarget:
    """The same pod with an address that leads nowhere, as its status in an overlay network says."""
    return replace(target, host=f"198.18.0.{number}")


async def test_pods_that_answer_at_their_own_addresses_are_reached_directly(stand_in: ForwardingCluster) -> None:
    pods = [ScriptedPod(f"pod-{number}") for number in range(3)]
    async with forwarded(stand_in, *pods) as targets, stand_in.client() as client:
        chosen, result = await client.choose_transport(RELEASE, targets, "auto")
    assert {target.transport for target in chosen} == {"direct"}
    assert (result.name, result.subject, result.status) == ("transport", RELEASE, CheckStatus.OK)
    assert result.detail == "direct: 3 pods answer at their own addresses"


async def test_an_overlay_network_is_reached_by_port_forward_and_the_reason_is_told(cluster: ForwardingCluster) -> None:
    pods = [ScriptedPod(f"pod-{number}") for number in range(3)]
    async with forwarded(cluster, *pods) as targets, cluster.client() as client:
        hidden = [overlay(target, number) for number, target in enumerate(targets)]
        chosen, result = await client.choose_transport(RELEASE, hidden, "auto")
        assert (await client.check_paused(chosen)).not_paused == ("pod-0", "pod-1", "pod-2")
        assert [check.status for check in await client.check_reachable(chosen)] == [CheckStatus.OK] * 3
    assert {target.transport for target in chosen} == {"port-forward"}
    assert result.status is CheckStatus.OK
    assert result.detail.startswith("port-forward: 3 pods answer through the API server, and direct does not reach 3 of 3 pods")


async def test_the_connections_that_were_chosen_serve_the_pause(stand_in: ForwardingCluster) -> None:
    pod = ScriptedPod("pod-0")
    async with forwarded(stand_in, pod) as (target,), stand_in.client() as client:
        chosen, _ = await client.choose_transport(RELEASE, [overlay(target, 1)], "auto")
        await client.pause(chosen, drain_seconds=1)
        await client.resume(chosen, budget_seconds=5)
    assert len(pod.peers) == 1


async def test_a_missing_right_on_an_overlay_network_is_what_the_check_tells(cluster: ForwardingCluster) -> None:
    pod = ScriptedPod("pod-0")
    async with forwarded(cluster, pod) as (target,), cluster.client(cluster.sign_in("list")) as client:
        _, result = await client.choose_transport(RELEASE, [overlay(target, 1)], "auto")
    assert result.status is CheckStatus.FAILED
    assert "direct does not reach 1 of 1 pods" in result.detail
    assert 'cannot get resource "pods/portforward"' in result.detail
    assert "get and create on pods/portforward" in result.hint


async def test_a_pod_that_answers_neither_way_leaves_direct_and_fails(stand_in: ForwardingCluster) -> None:
    async with forwarded(stand_in, ScriptedPod("pod-0")) as targets, stand_in.client() as client:
        both = [*targets, stand_in.add(dead_target())]
        chosen, result = await client.choose_transport(RELEASE, both, "auto")
    assert {target.transport for target in chosen} == {"direct"}
    assert result.status is CheckStatus.FAILED
    assert "direct does not reach 1 of 2 pods (dead: " in result.detail
    assert "port-forward does not reach 1 of 2 pods (dead: " in result.detail


async def test_what_the_plan_says_is_not_tried_before(stand_in: ForwardingCluster) -> None:
    async with stand_in.client() as client:
        for wanted in ("direct", "port-forward"):
            (chosen,), result = await client.choose_transport(RELEASE, [dead_target()], wanted)
            assert chosen.transport == wanted
            assert (result.status, result.detail) == (CheckStatus.OK, f"{wanted}, as the plan says")


async def test_a_port_without_the_admin_service_answers_too(stand_in: ForwardingCluster) -> None:
    pod = ScriptedPod("other", without=("CheckPaused", "Pause", "Unpause"))
    async with forwarded(stand_in, pod) as targets, stand_in.client() as client:
        _, result = await client.choose_transport(RELEASE, targets, "auto")
    assert result.status is CheckStatus.OK, "what is wrong with the answer is for the check of the port"


def test_pods_that_are_reached_directly_need_nothing_of_the_port_forward() -> None:
    program = (
        "import sys, shared.scalar.admin, shared.wiring;"
        "shared.wiring.AwsRooms('table', 'bus', 'ap-northeast-1').admin;"
        "print([name for name in sys.modules if name.startswith(('websockets', 'shared.clusters', 'kubernetes'))])"
    )
    assert run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "[]\n"
