"""Each mistake in reaching an Admin port is told apart, with the hint that fixes it."""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager
from datetime import timedelta

import grpc
import pytest

from shared.model.checks import CheckStatus
from shared.model.plan import AdminTls
from shared.model.pods import AdminTarget
from shared.model.records import replace
from tests.contract.scalar_admin.certificates import Authority
from tests.contract.scalar_admin.pods import ScriptedPod, WallClock, admin_client, dead_target, running


@pytest.fixture(scope="module")
def authority():
    return Authority()


@asynccontextmanager
async def tls_pod(authority, **validity):
    """A pod with the charts' certificate, which names localhost only."""
    pod = await ScriptedPod("pod-0").start(authority.server_credentials("localhost", "orders-headless", **validity))
    try:
        yield pod
    finally:
        await pod.stop()


async def check(target, tls=None, timeout_seconds=1.0):
    async with admin_client(call_timeout_seconds=timeout_seconds) as client:
        (result,) = await client.check_reachable([replace(target, tls=tls)])
    assert result.subject == target.pod
    return result


def assert_failed(result, detail, hint, name="admin-port"):
    assert (result.status, result.name) == (CheckStatus.FAILED, name)
    assert detail in result.detail
    assert hint in result.hint


async def test_a_pod_that_answers_passes_with_its_address():
    pod = ScriptedPod("pod-0")
    async with running(pod) as (target,):
        result = await check(target)
    assert (result.status, result.name) == (CheckStatus.OK, "admin-port")
    assert target.address in result.detail


async def test_a_pod_that_somebody_paused_fails_as_not_paused_and_stays_paused():
    pod = ScriptedPod("pod-0")
    pod.closed = True
    async with running(pod) as (target,):
        assert_failed(await check(target), "paused already", "scalar-backup unpause", name="not-paused")
    assert pod.closed


async def test_a_port_where_nobody_listens_is_refused():
    target = dead_target()
    result = await check(target)
    assert_failed(result, f"{target.address} (from the test) refuses connections", "admin_port")


async def test_an_address_that_swallows_packets_points_to_the_network():
    with socket.socket() as full:
        full.bind(("127.33.0.1", 0))
        full.listen(0)
        host, port = full.getsockname()
        # The queue of a listener that never accepts fills up; further connection requests are dropped, as by a firewall.
        waiting = [socket.socket() for _ in range(4)]
        for client in waiting:
            client.setblocking(False)
            client.connect_ex((host, port))
        target = AdminTarget(pod="pod-0", uid="uid", host=host, port=port, port_source="the test")
        result = await check(target, timeout_seconds=0.3)
        for client in waiting:
            client.close()
    assert_failed(result, "does not answer within 0.3 s", f"allow TCP port {port} from the functions' security group")
    assert "overlay network" in result.hint


async def test_plain_text_to_a_port_that_speaks_tls_is_told(authority):
    async with tls_pod(authority) as pod:
        assert_failed(await check(pod.target), "speaks TLS, and this product was told to speak plain text", "ca.crt")


async def test_tls_to_a_port_that_speaks_plain_text_is_told(authority):
    pod = ScriptedPod("pod-0")
    async with running(pod) as (target,):
        result = await check(target, AdminTls(ca_pem=authority.pem.decode(), server_name="localhost"))
    assert_failed(result, "speaks plain text, and this product was told to speak TLS", "tls.enabled")


async def test_a_certificate_of_another_authority_is_told(authority):
    async with tls_pod(authority) as pod:
        result = await check(pod.target, AdminTls(ca_pem=Authority().pem.decode(), server_name="localhost"))
    assert_failed(result, "certificate that the given CA did not sign", "ca.crt")


async def test_a_certificate_that_has_expired_is_told_as_that(authority):
    async with tls_pod(authority, valid_for=-timedelta(minutes=1)) as pod:
        result = await check(pod.target, AdminTls(ca_pem=authority.pem.decode(), server_name="localhost"))
    assert_failed(result, "outside of its period of validity (certificate has expired)", "Renew it")


async def test_a_certificate_without_the_expected_name_is_told_with_the_names_it_has(authority):
    async with tls_pod(authority) as pod:
        result = await check(pod.target, AdminTls(ca_pem=authority.pem.decode()))
    assert_failed(result, f"for localhost, orders-headless, not for {pod.target.host}", "one of the names in the certificate")


async def test_a_ca_that_is_no_certificate_is_told(authority):
    async with tls_pod(authority) as pod:
        result = await check(pod.target, AdminTls(ca_pem="not a certificate", server_name="localhost"))
    assert_failed(result, "did not sign", "ca.crt")


async def test_tls_with_the_right_ca_and_name_passes_and_pauses(authority):
    tls = AdminTls(ca_pem=authority.pem.decode(), server_name="localhost")
    async with tls_pod(authority) as pod, admin_client() as client:
        target = replace(pod.target, tls=tls)
        (result,) = await client.check_reachable([target])
        assert result.status is CheckStatus.OK
        (answer,) = await client.pause([target], drain_seconds=1)
        assert (answer.outcome, pod.closed) == ("paused", True)


async def test_a_port_without_the_admin_service_points_to_the_dedicated_port():
    pod = await ScriptedPod("pod-0").start(services=False)
    try:
        assert_failed(await check(pod.target), "has no Admin service", "scalar.db.cluster.node.admin.port")
    finally:
        await pod.stop()


async def test_a_server_without_check_paused_is_too_old_and_is_not_paused_by_the_question():
    pod = ScriptedPod("pod-0", without=("CheckPaused",))
    async with running(pod) as (target,):
        assert_failed(await check(target), "without CheckPaused", "upgrade")
    assert not pod.closed
    assert pod.pauses == []


async def test_a_port_of_something_else_is_told_with_what_grpc_says():
    async def hang_up(_, writer):
        writer.close()

    server = await asyncio.start_server(hang_up, "127.33.0.2", 0)
    host, port = server.sockets[0].getsockname()
    async with server:
        result = await check(AdminTarget(pod="pod-0", uid="uid", host=host, port=port, port_source="the test"))
    assert_failed(result, "accepts connections, but CheckPaused failed (", "another service")


async def test_each_pod_is_checked_and_one_dead_pod_hides_no_other():
    pods = [ScriptedPod("pod-0"), ScriptedPod("pod-1")]
    async with running(*pods) as (first, second), admin_client() as client:
        results = await client.check_reachable([first, dead_target(), second])
    assert [(result.subject, result.status) for result in results] == [
        ("pod-0", CheckStatus.OK),
        ("dead", CheckStatus.FAILED),
        ("pod-1", CheckStatus.OK),
    ]


async def test_a_pod_that_came_back_is_not_judged_by_its_old_connection():
    clock, pod = WallClock(), ScriptedPod("pod-0")
    async with running(pod) as (target,), admin_client(clock) as client:
        await client.check_paused([target])
        await pod.stop()
        server = grpc.aio.server(handlers=[pod._handler()], options=[("grpc.so_reuseport", 0)])
        server.add_insecure_port(target.address)
        await server.start()
        (result,) = await client.check_reachable([target])
        await server.stop(0)
    assert result.status is CheckStatus.OK
