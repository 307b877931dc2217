"""An HTTPS server that answers as a test says, for what a faithful API server does not do on demand: cut connections, slow
answers, refusals of every kind."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


class Call:
    """One request that arrived, and the ways to answer it."""

    def __init__(self, handler: BaseHTTPRequestHandler, number: int, body: bytes) -> None:
        url = urlsplit(handler.path)
        self.number = number
        self.method = handler.command
        self.path = url.path
        self.query = {key: values[0] for key, values in parse_qs(url.query).items()}
        self.headers = dict(handler.headers)
        self.client_port = handler.client_address[1]
        self.body = body
        self._handler = handler

    def answer(self, status: int, document: Any, headers: Mapping[str, str] | None = None) -> None:
        body = document.encode() if isinstance(document, str) else json.dumps(document).encode()
        self._handler.send_response(status)
        for name, value in (headers or {}).items():
            self._handler.send_header(name, value)
        self._handler.send_header("Content-Length", str(len(body)))
        self._handler.end_headers()
        self._handler.wfile.write(body)

    def refuse(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        self.answer(status, {"kind": "Status", "code": status, "message": message}, headers)

    def begin_stream(self) -> None:
        self._handler.send_response(200)
        self._handler.send_header("Transfer-Encoding", "chunked")
        self._handler.end_headers()

    def send_event(self, kind: str, thing: Mapping[str, Any]) -> None:
        self.send_chunk(json.dumps({"type": kind, "object": thing}).encode() + b"\n")

    def send_chunk(self, data: bytes) -> None:
        self._handler.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    def end_stream(self) -> None:
        self._handler.wfile.write(b"0\r\n\r\n")

    def cut(self) -> None:
        """Ends the connection without another byte."""
        self._handler.close_connection = True


class OddServer:
    def __init__(self, port: int, ca_pem: str, released: threading.Event) -> None:
        self.url = f"https://127.0.0.1:{port}"
        self.ca_pem = ca_pem
        self.calls: list[Call] = []
        self.released = released
        """Set when the test is over: what a slow answer waits for."""


@contextmanager
def odd_server(directory: Path, answer: Callable[[Call], None]) -> Iterator[OddServer]:
    """`answer` is called for each request, in a thread of its connection."""
    ca_pem = _make_certificate(directory)
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 0
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            with lock:
                call = Call(self, len(server.calls) + 1, body)
                server.calls.append(call)
            answer(call)

        do_POST = do_PATCH = do_GET  # noqa: N815 - http.server looks for these names

        def log_message(self, *_: Any) -> None:
            """The test has `calls`."""

    class Listener(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: Any) -> None:
            """A client that goes away early is what some tests are about."""

    listener = Listener(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory / "server.pem")
    listener.socket = context.wrap_socket(listener.socket, server_side=True, do_handshake_on_connect=False)
    server = OddServer(listener.server_address[1], ca_pem, threading.Event())
    thread = threading.Thread(target=listener.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.released.set()
        listener.shutdown()
        listener.server_close()
        thread.join()


def _make_certificate(directory: Path) -> str:
    """A certificate for 127.0.0.1 that is its own CA, written with its key; returns the CA as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "odd server")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    key_pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (directory / "server.pem").write_bytes(key_pem + pem)
    return pem.decode()
