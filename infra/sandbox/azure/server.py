"""Runs the stand-ins: Resource Manager, a storage account's tables and an Event Grid topic over TLS, a function app's identity
endpoint over plain HTTP, as Azure has it; and beside them the admin API with the data planes."""

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
from weakref import WeakSet

from aiohttp import web

from infra.sandbox.azure.admin import Admin
from infra.sandbox.azure.entra import Entra, Identity
from infra.sandbox.azure.event_grid import Topic
from infra.sandbox.azure.loopback import LARGEST_BODY_BYTES
from infra.sandbox.azure.managed_identity import IdentityEndpoint
from infra.sandbox.azure.resource_manager import ResourceManager
from infra.sandbox.azure.tables import Store, TableService
from infra.sandbox.azure.world import Databases
from infra.sandbox.cluster.certificates import create_certificates

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
SUBSCRIPTION = "00000000-0000-0000-0000-000000000001"
DOCUMENTS_DOMAIN = ".documents.azure.com"
"""Of the endpoints of Cosmos DB accounts; where names are resolved as the sandbox wants it, they lead to Resource Manager's
server, which says what time it is."""
TOPIC_ID = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/scalar-backup/providers/Microsoft.EventGrid/topics/scalar-backup"


@dataclass
class RunningAzure:
    """`url` is Resource Manager's, `data_url` that of data planes and admin API, `tables_url` the Table service of a storage
    account, `topic_url` the endpoint of an Event Grid topic. `ca_file` holds the CA of their certificate. A test changes what
    is behind them between requests only."""

    entra: Entra
    resource_manager: ResourceManager
    identity_endpoint: IdentityEndpoint
    url: str
    identity_url: str
    identity_secret: str
    ca_file: Path
    databases: Databases
    data_url: str
    tables: TableService
    tables_url: str
    topic: Topic
    topic_url: str

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
    databases = Databases(resource_manager)
    store = Store()
    tables, topic = TableService(entra, store), Topic(entra, TOPIC_ID)
    admin = Admin(databases, identity_endpoint, tables, topic)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="azure")
    thread.start()
    serving = _Serving()
    try:
        with tempfile.TemporaryDirectory(prefix="sandbox-azure-") as directory:
            certificates = create_certificates("azure", f"*{DOCUMENTS_DOMAIN}")
            tls = certificates.server_context(Path(directory))
            start = (
                serving.start("*", "/{path:.*}", resource_manager.handle, tls),
                serving.start("GET", "/msi/token", identity_endpoint.handle, None),
                serving.start("*", "/sandbox/{path:.*}", admin.handle, None),
                serving.start("*", "/{path:.*}", tables.handle, tls),
                serving.start("*", "/{path:.*}", topic.handle, tls),
            )
            ports = [asyncio.run_coroutine_threadsafe(each, loop).result(timeout=10) for each in start]
            # As in other clouds than the public one, whose Resource Managers are known to Entra by their addresses.
            own = {f"https://127.0.0.1:{ports[0]}", f"https://127.0.0.1:{ports[0]}/"}
            identity_endpoint.resources |= own
            resource_manager.audiences |= own
            yield RunningAzure(
                entra=entra,
                resource_manager=resource_manager,
                identity_endpoint=identity_endpoint,
                url=f"https://127.0.0.1:{ports[0]}",
                identity_url=f"http://127.0.0.1:{ports[1]}/msi/token",
                identity_secret=identity_endpoint.secret,
                ca_file=Path(directory) / "ca.crt",
                databases=databases,
                data_url=f"http://127.0.0.1:{ports[2]}",
                tables=tables,
                tables_url=f"https://127.0.0.1:{ports[3]}",
                topic=topic,
                topic_url=f"https://127.0.0.1:{ports[4]}/api/events",
            )
    finally:
        asyncio.run_coroutine_threadsafe(topic.close(), loop).result(timeout=10)
        asyncio.run_coroutine_threadsafe(serving.end(), loop).result(timeout=10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
        store.close()


class _Serving:
    """The servers and their connections, all on one event loop."""

    def __init__(self) -> None:
        self._runners: list[web.AppRunner] = []
        self._transports: WeakSet[asyncio.Transport] = WeakSet()

    async def start(self, method: str, path: str, handle: Handler, tls: ssl.SSLContext | None) -> int:
        """The port on which it serves."""

        async def remembered(http: web.Request) -> web.StreamResponse:
            if http.transport is not None:
                self._transports.add(http.transport)
            return await handle(http)

        application = web.Application(client_max_size=LARGEST_BODY_BYTES)
        application.router.add_route(method, path, remembered)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
        self._runners.append(runner)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
        port: int = runner.addresses[0][1]
        return port

    async def end(self) -> None:
        """Not gracefully: a client that keeps its connection would hold the end of TLS up for half a minute."""
        for runner in self._runners:
            await runner.cleanup()
        for transport in self._transports:
            transport.abort()
