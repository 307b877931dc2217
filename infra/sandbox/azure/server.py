"""Runs the stand-ins: Resource Manager over TLS, and a function app's identity endpoint over plain HTTP, as Azure has it."""

from __future__ import annotations

import asyncio
import secrets
import ssl
import tempfile
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from infra.sandbox.azure.entra import Entra, Identity
from infra.sandbox.azure.managed_identity import IdentityEndpoint
from infra.sandbox.azure.resource_manager import ResourceManager
from infra.sandbox.cluster.certificates import create_certificates

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
SUBSCRIPTION = "00000000-0000-0000-0000-000000000001"


@dataclass
class RunningAzure:
    """`url` is Resource Manager's. `ca_file` holds the CA of its certificate. A test changes `entra` and `resource_manager`
    between requests only."""

    entra: Entra
    resource_manager: ResourceManager
    identity_endpoint: IdentityEndpoint
    url: str
    identity_url: str
    identity_secret: str
    ca_file: Path

    def environment(self) -> dict[str, str]:
        """What a function app finds in its environment, and what leads the Azure SDK to this CA."""
        return {
            "IDENTITY_ENDPOINT": self.identity_url,
            "IDENTITY_HEADER": self.identity_secret,
            "REQUESTS_CA_BUNDLE": str(self.ca_file),
        }


@contextmanager
def running_azure(entra: Entra, assigned: Sequence[Identity]) -> Iterator[RunningAzure]:
    """Azure with one subscription and a function app that has the `assigned` identities."""
    identity_endpoint = IdentityEndpoint(entra, secrets.token_hex(16), assigned)
    resource_manager = ResourceManager(entra, SUBSCRIPTION)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="azure")
    thread.start()
    runners: list[web.AppRunner] = []
    try:
        with tempfile.TemporaryDirectory(prefix="sandbox-azure-") as directory:
            certificates = create_certificates("azure")
            tls = certificates.server_context(Path(directory))
            serving = (
                _serve(runners, "*", "/{path:.*}", resource_manager.handle, tls),
                _serve(runners, "GET", "/msi/token", identity_endpoint.handle, None),
            )
            ports = [asyncio.run_coroutine_threadsafe(each, loop).result(timeout=10) for each in serving]
            yield RunningAzure(
                entra=entra,
                resource_manager=resource_manager,
                identity_endpoint=identity_endpoint,
                url=f"https://127.0.0.1:{ports[0]}",
                identity_url=f"http://127.0.0.1:{ports[1]}/msi/token",
                identity_secret=identity_endpoint.secret,
                ca_file=Path(directory) / "ca.crt",
            )
    finally:
        for runner in runners:
            asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(timeout=10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _serve(runners: list[web.AppRunner], method: str, path: str, handle: Handler, tls: ssl.SSLContext | None) -> int:
    """The port on which it serves."""
    application = web.Application()
    application.router.add_route(method, path, handle)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
    runners.append(runner)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    port: int = runner.addresses[0][1]
    return port
