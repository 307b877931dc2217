"""The process of one container, started as the kubelet starts it: ports, properties, TLS, faults, SIGTERM."""

from __future__ import annotations

import asyncio
import re
import signal
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from .containers import CLUSTER_3_18, CLUSTER_3_19, CLUSTER_PROPERTIES, Start, ended, metrics, until_ready
from .scalar_admin import OK, AdminClient, Clients


@pytest.mark.parametrize(
    ("image", "path", "admin_port", "other_ports"),
    [
        (CLUSTER_3_19, CLUSTER_PROPERTIES, 60053, [60054, 9080]),
        ("scalardb-server:3.9.7", "scalardb/server/database.properties.tmpl", 60051, [8080]),
        ("scalar-ledger:3.13.0", "scalar/ledger/ledger.properties.tmpl", 50053, [50051, 50052, 8080]),
        ("scalar-auditor:3.14.0", "scalar/auditor/auditor.properties", 40053, [40051, 40052, 8080]),
    ],
)
async def test_each_product_opens_the_ports_of_its_chart_and_has_its_admin_service_on_one(
    start: Start, clients: Clients, address: str, image: str, path: str, admin_port: int, other_ports: list[int]
) -> None:
    await until_ready(await start(image, path))
    admin = await clients.to(f"{address}:{admin_port}")
    assert await admin.pause() == OK
    assert await admin.check_paused()
    for port in other_ports:
        socket.create_connection((address, port), timeout=5).close()
    for port in other_ports:
        if port not in (8080, 9080):
            elsewhere = await clients.to(f"{address}:{port}")
            assert (await elsewhere.call("Pause")).code is grpc.StatusCode.UNIMPLEMENTED


async def test_an_envoy_listens_and_has_no_admin_service(start: Start, clients: Clients, address: str) -> None:
    await until_ready(await start("ghcr.io/scalar-labs/scalar-envoy:1.3.0"))
    envoy = await clients.to(f"{address}:60053")
    assert (await envoy.call("Pause")).code is grpc.StatusCode.UNIMPLEMENTED


async def test_a_dedicated_admin_port_takes_the_admin_service_away_from_the_products_port(
    start: Start, clients: Clients, address: str
) -> None:
    properties = "scalar.db.cluster.node.admin.port=${env:ADMIN_PORT:-60099}"
    await until_ready(await start(CLUSTER_3_18, CLUSTER_PROPERTIES, properties, ADMIN_PORT="60055"))
    usual, dedicated = await clients.to(f"{address}:60053"), await clients.to(f"{address}:60055")
    assert (await usual.call("Pause")).code is grpc.StatusCode.UNIMPLEMENTED
    assert await dedicated.pause() == OK


async def test_an_admin_port_from_a_rendered_template_is_the_one_that_is_opened(
    start: Start, clients: Clients, address: str
) -> None:
    properties = 'scalar.dl.auditor.server.admin_port={{ default .Env.HELM_SCALAR_DL_AUDITOR_SERVER_ADMIN_PORT "40053" }}'
    environment = {"HELM_SCALAR_DL_AUDITOR_SERVER_ADMIN_PORT": "40063"}
    await until_ready(await start("scalar-auditor:3.13.0", "scalar/auditor/auditor.properties.tmpl", properties, **environment))
    admin = await clients.to(f"{address}:40063")
    assert await admin.pause() == OK


async def test_with_tls_the_admin_service_speaks_tls_only(start: Start, clients: Clients, address: str, tmp_path: Path) -> None:
    certificate = _write_certificate(tmp_path / "tls/certs")
    properties = (
        "scalar.db.cluster.tls.enabled=true\n"
        "scalar.db.cluster.node.tls.private_key_path=/tls/certs/tls.key\n"
        "scalar.db.cluster.node.tls.cert_chain_path=/tls/certs/tls.crt\n"
    )
    await until_ready(await start(CLUSTER_3_19, CLUSTER_PROPERTIES, properties))
    secure = await clients.to(f"{address}:60053", ca=certificate)
    assert await secure.pause() == OK
    plain = await clients.to(f"{address}:60053")
    assert (await plain.call("Unpause")).code is grpc.StatusCode.UNAVAILABLE
    assert await secure.check_paused()


async def test_metrics_tell_whether_the_pod_is_paused(start: Start, clients: Clients, address: str) -> None:
    await until_ready(await start(CLUSTER_3_19, CLUSTER_PROPERTIES))
    admin = await clients.to(f"{address}:60053")
    assert "sandbox_paused 0.0" in await metrics(address)
    await admin.pause()
    assert "sandbox_paused 1.0" in await metrics(address)


@pytest.mark.parametrize(
    ("image", "path", "text", "environment", "message"),
    [
        (CLUSTER_3_19, "", "", {}, "no properties file"),
        ("nginx:1.27.0", "", "", {}, "No Scalar product known"),
        (CLUSTER_3_19, CLUSTER_PROPERTIES, "scalar.db.cluster.node.port=x", {}, "must be a port number"),
        (CLUSTER_3_19, CLUSTER_PROPERTIES, "scalar.db.cluster.tls.enabled=true", {}, "private_key_path is missing"),
        (
            "scalar-ledger:3.14.0",
            "scalar/ledger/ledger.properties.tmpl",
            "scalar.dl.ledger.server.tls.enabled=true\nscalar.dl.ledger.server.tls.private_key_path=/no/key",
            {},
            "/no/key.*cannot be read",
        ),
        (CLUSTER_3_19, CLUSTER_PROPERTIES, "scalar.db.storage=dynamo", {}, "scalar.db.contact_points is missing"),
        (CLUSTER_3_19, CLUSTER_PROPERTIES, "", {"BANK_WORKERS": "many"}, "BANK_WORKERS is 'many'"),
        (CLUSTER_3_19, CLUSTER_PROPERTIES, "", {"SANDBOX_CRASH_AFTER_SECONDS": "-1"}, "SANDBOX_CRASH_AFTER_SECONDS"),
    ],
)
async def test_a_container_that_cannot_start_says_why_and_exits(
    start: Start, image: str, path: str, text: str, environment: dict[str, str], message: str
) -> None:
    exit_code, errors = await ended(await start(image, path, text, **environment))
    assert exit_code == 1
    assert errors.startswith("The container cannot start: ")
    assert "Traceback" not in errors
    assert re.search(message, errors)


async def test_two_pods_cannot_share_an_address(start: Start) -> None:
    await until_ready(await start(CLUSTER_3_19, CLUSTER_PROPERTIES))
    exit_code, errors = await ended(await start(CLUSTER_3_19))
    assert exit_code == 1
    assert "another pod has this address" in errors


async def test_sigterm_is_obeyed_after_the_decommissioning_duration_while_requests_are_still_served(
    start: Start, clients: Clients, address: str
) -> None:
    process = await start(CLUSTER_3_19, CLUSTER_PROPERTIES, SANDBOX_DECOMMISSIONING_SECONDS="1")
    await until_ready(process)
    admin = await clients.to(f"{address}:60053")
    began = asyncio.get_running_loop().time()
    process.send_signal(signal.SIGTERM)
    assert not await admin.check_paused()
    assert (await ended(process))[0] == 0
    assert 0.9 <= asyncio.get_running_loop().time() - began < 8


async def test_a_stuck_transaction_fails_a_pause_that_does_not_wait_long_enough(
    start: Start, clients: Clients, address: str
) -> None:
    await until_ready(await start(CLUSTER_3_19, CLUSTER_PROPERTIES, SANDBOX_STUCK_TRANSACTION_SECONDS="60"))
    admin = await clients.to(f"{address}:60053")
    assert (await admin.pause(50)).reason == "TIMED_OUT"


async def test_a_stuck_transaction_does_not_delay_the_end_of_the_process(start: Start) -> None:
    process = await start(
        CLUSTER_3_19, CLUSTER_PROPERTIES, SANDBOX_STUCK_TRANSACTION_SECONDS="60", SANDBOX_DECOMMISSIONING_SECONDS="0"
    )
    await until_ready(process)
    process.send_signal(signal.SIGTERM)
    assert (await ended(process))[0] == 0


async def test_a_crash_on_demand_ends_like_a_kill(start: Start) -> None:
    process = await start(CLUSTER_3_19, CLUSTER_PROPERTIES, SANDBOX_CRASH_AFTER_SECONDS="0")
    assert (await ended(process))[0] == 137


async def test_a_slow_start_opens_no_port_before_its_time(start: Start) -> None:
    began = asyncio.get_running_loop().time()
    await until_ready(await start(CLUSTER_3_19, CLUSTER_PROPERTIES, SANDBOX_START_DELAY_SECONDS="0.8"))
    assert asyncio.get_running_loop().time() - began >= 0.8


async def test_a_pause_takes_effect_only_after_its_latency(start: Start, clients: Clients, address: str) -> None:
    await until_ready(await start(CLUSTER_3_19, CLUSTER_PROPERTIES, SANDBOX_PAUSE_LATENCY_SECONDS="0.3"))
    admin: AdminClient = await clients.to(f"{address}:60053")
    pausing = admin.start_pause()
    assert not await admin.check_paused()
    assert await pausing == OK
    assert await admin.check_paused()


def _write_certificate(folder: Path) -> bytes:
    """A self-signed certificate for `localhost`, the only name in the charts' default certificate."""
    folder.mkdir(parents=True)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    (folder / "tls.crt").write_bytes(pem)
    (folder / "tls.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return pem
