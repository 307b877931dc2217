"""The Admin interface through the API server: all that works at a pod's own address works this way, too."""

from __future__ import annotations

import asyncio
import logging
import stat
from pathlib import Path

import pytest

from shared.clusters.port_forward import PortForwards
from shared.model.plan import AdminTls
from shared.model.pods import AdminTarget
from shared.model.records import replace
from tests.contract.port_forward.clusters import CLUSTER, ForwardingCluster, forwarded
from tests.contract.scalar_admin.certificates import Authority
from tests.contract.scalar_admin.pods import ScriptedPod


async def test_pods_are_paused_confirmed_and_resumed(cluster: ForwardingCluster) -> None:
    pods = [ScriptedPod(f"pod-{number}") for number in range(5)]
    async with forwarded(cluster, *pods) as targets, cluster.client() as client:
        assert (await client.check_paused(targets)).not_paused == tuple(pod.name for pod in pods)
        answers = await client.pause(targets, drain_seconds=1)
        assert [answer.outcome for answer in answers] == ["paused"] * 5
        assert (await client.check_paused(targets)).proves_pause
        resumed = await client.resume(targets, budget_seconds=5)
    assert [(item.problem, item.transport, item.note) for item in resumed] == [("", "port-forward", "")] * 5
    assert not any(pod.closed for pod in pods)


async def test_one_connection_is_kept_for_all_calls(cluster: ForwardingCluster) -> None:
    pod = ScriptedPod("pod-0")
    async with forwarded(cluster, pod) as targets, cluster.client() as client:
        for _ in range(3):
            await client.check_paused(targets)
        await client.pause(targets, drain_seconds=1)
        await client.resume(targets, budget_seconds=5)
    assert len(pod.peers) == 1


async def test_tls_goes_through_to_the_pod_and_its_certificate_is_checked(cluster: ForwardingCluster) -> None:
    authority, pod = Authority(), ScriptedPod("pod-0")
    await pod.start(authority.server_credentials("orders-headless"))
    try:
        target = cluster.add(pod.target)
        right = AdminTls(ca_pem=authority.pem.decode(), server_name="orders-headless")
        wrong = replace(right, server_name="payments-headless")
        async with cluster.client() as client:
            assert (await client.check_paused([replace(target, tls=right)])).not_paused == ("pod-0",)
            (refused,) = await client.check_reachable([replace(target, tls=wrong)])
            (plain,) = await client.check_reachable([target])
    finally:
        await pod.stop()
    assert "certificate for orders-headless, not for payments-headless" in refused.detail
    assert "speaks TLS" in plain.detail


async def test_a_cut_connection_is_made_anew_by_the_next_look(cluster: ForwardingCluster) -> None:
    pod = ScriptedPod("pod-0")
    async with forwarded(cluster, pod) as targets, cluster.client() as client:
        await client.check_paused(targets)
        cluster.cut()
        assert (await client.check_paused(targets)).not_paused == ("pod-0",)
    assert len(pod.peers) == 2


async def test_a_pod_that_restarts_is_found_again_by_the_same_forward(cluster: ForwardingCluster) -> None:
    pod = ScriptedPod("pod-0")
    async with forwarded(cluster, pod) as targets, cluster.client(call_timeout_seconds=1.0) as client:
        await client.check_paused(targets)
        await pod.stop()
        assert (await client.check_paused(targets)).unknown == ("pod-0",)
        await pod.start(at=targets[0])
        assert (await client.check_paused(targets)).not_paused == ("pod-0",)


async def test_large_messages_arrive_whole_in_both_directions(stand_in: ForwardingCluster) -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(echo, "127.34.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    target = stand_in.add(AdminTarget(pod="echo", uid="uid", host="127.34.0.1", port=port, port_source="the test"))
    forward = await PortForwards(lambda _: stand_in.api()).open(CLUSTER, target.namespace, target.pod, target.port)
    reader, writer = await asyncio.open_unix_connection(forward.path)
    sent = bytes(range(256)) * 4_096 * 3
    writer.write(sent)
    assert await reader.readexactly(len(sent)) == sent
    writer.close()
    await forward.close()
    server.close()


async def test_the_socket_is_private_and_gone_after_the_end(stand_in: ForwardingCluster) -> None:
    forward = await PortForwards(lambda _: stand_in.api()).open(CLUSTER, stand_in.namespace, "pod-0", 60053)
    folder = Path(forward.path).parent
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert Path(forward.path).is_socket()
    await forward.close()
    await forward.close()
    assert not folder.exists()


async def test_the_token_is_never_logged(stand_in: ForwardingCluster, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    pod = ScriptedPod("pod-0")
    async with forwarded(stand_in, pod) as targets, stand_in.client() as client:
        await client.check_paused(targets)
    assert pod.peers
    assert stand_in.running.admin_token not in caplog.text
    assert "Bearer" not in caplog.text
