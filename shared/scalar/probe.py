"""What listens at an address: nothing, plain text, or TLS with which certificate. It explains a call that failed, because the
texts of gRPC change from release to release."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress
from enum import StrEnum
from typing import Any, NamedTuple

from shared.model.plan import AdminTls
from shared.model.records import Value

FORWARD_AGAIN_SECONDS = 0.02


class Endpoint(NamedTuple):
    """Where to connect. With `unix_path` the connection goes to that socket, which leads to `host` and `port`."""

    host: str
    port: int
    unix_path: str = ""


class Finding(StrEnum):
    REFUSED = "refuses connections"
    NO_ANSWER = "does not answer"
    NO_ROUTE = "cannot be reached"
    EXPECTS_TLS = "speaks TLS, we speak plain text"
    EXPECTS_PLAIN_TEXT = "speaks plain text, we speak TLS"
    UNTRUSTED = "has a certificate that our CA did not sign"
    OUT_OF_DATE = "has a certificate that is not valid now"
    OTHER_NAME = "has a certificate for other names"
    FITS = "accepts our kind of connection"


class Probe(Value):
    """`detail` adds what is special: the system's own words, or the names in the certificate."""

    finding: Finding
    detail: str = ""


_OUT_OF_DATE = (9, 10)
"""X509_V_ERR_CERT_NOT_YET_VALID and X509_V_ERR_CERT_HAS_EXPIRED of OpenSSL; also for the CA itself."""


async def probe(endpoint: Endpoint, tls: AdminTls | None, timeout_seconds: float) -> Probe:
    """Connects a few times and says what is there. Sends no request. Each connection gets `timeout_seconds`."""
    try:
        await _connect(endpoint, timeout_seconds)
    except ConnectionRefusedError:
        return Probe(finding=Finding.REFUSED)
    except TimeoutError:
        return Probe(finding=Finding.NO_ANSWER)
    except OSError as error:
        return Probe(finding=Finding.NO_ROUTE, detail=error.strerror or str(error))
    try:
        await _connect(endpoint, timeout_seconds, _trusting_everybody(), endpoint.host)
    except (OSError, TimeoutError):  # ssl.SSLError is an OSError
        return Probe(finding=Finding.FITS if tls is None else Finding.EXPECTS_PLAIN_TEXT)
    if tls is None:
        return Probe(finding=Finding.EXPECTS_TLS)
    return await _probe_certificate(endpoint, tls, timeout_seconds)


async def _probe_certificate(endpoint: Endpoint, tls: AdminTls, timeout_seconds: float) -> Probe:
    try:
        trusting_ca = _trusting(tls.ca_pem)
        certificate = await _connect(endpoint, timeout_seconds, trusting_ca, endpoint.host)
        trusting_ca.check_hostname = True
        await _connect(endpoint, timeout_seconds, trusting_ca, tls.server_name or endpoint.host)
    except ssl.SSLCertVerificationError as error:
        if error.verify_code in _OUT_OF_DATE:
            return Probe(finding=Finding.OUT_OF_DATE, detail=error.verify_message)
        names = _names(certificate) if trusting_ca.check_hostname else ""
        finding = Finding.OTHER_NAME if trusting_ca.check_hostname else Finding.UNTRUSTED
        return Probe(finding=finding, detail=names or error.verify_message)
    except ssl.SSLError as error:
        return Probe(finding=Finding.UNTRUSTED, detail=error.reason or "the CA certificates cannot be read")
    except (OSError, TimeoutError) as error:
        return Probe(finding=Finding.NO_ROUTE, detail=str(error))
    return Probe(finding=Finding.FITS)


async def _connect(
    endpoint: Endpoint, timeout_seconds: float, context: ssl.SSLContext | None = None, name: str | None = None
) -> dict[str, Any]:
    """Connects and hangs up; the server's certificate where the context verified one.

    Raises:
        OSError, ssl.SSLError, TimeoutError: no connection of this kind.
    """
    async with asyncio.timeout(timeout_seconds):
        _, writer = await _open(endpoint, ssl=context, server_hostname=name)
    encrypted = writer.get_extra_info("ssl_object")
    certificate: dict[str, Any] = (encrypted.getpeercert() if encrypted else None) or {}
    writer.close()
    # The probe has its answer; how the other side takes the hang-up does not matter.
    try:
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(timeout_seconds):
                await writer.wait_closed()
    finally:
        writer.transport.abort()  # TLS would wait much longer for the other side's good-bye
    return certificate


async def _open(endpoint: Endpoint, **tls: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if not endpoint.unix_path:
        return await asyncio.open_connection(endpoint.host, endpoint.port, **tls)
    while True:
        try:
            return await asyncio.open_unix_connection(endpoint.unix_path, **tls)
        except (FileNotFoundError, ConnectionRefusedError):
            # A forward serves one connection at a time, and the one before has only just been hung up.
            await asyncio.sleep(FORWARD_AGAIN_SECONDS)


def _trusting_everybody() -> ssl.SSLContext:
    """Only to find out whether TLS is spoken at all; nothing is sent over such a connection."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    return context


def _trusting(ca_pem: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.set_alpn_protocols(["h2"])
    try:
        context.load_verify_locations(cadata=ca_pem)
    except ValueError as error:
        raise ssl.SSLError(f"the CA certificates cannot be read: {error}") from error
    return context


def _names(certificate: dict[str, Any]) -> str:
    return ", ".join(name for _, name in certificate.get("subjectAltName", ()))
