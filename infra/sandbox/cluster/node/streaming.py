"""The kubelet's own HTTPS port, of which port-forward and logs are served: the API server sends such requests on to it.

https://kubernetes.io/docs/concepts/architecture/control-plane-node-communication/. Nobody has to sign in here: it listens on a
loopback address, and a real API server is told of no certificate for it.
"""

from __future__ import annotations

import ssl

from aiohttp import web

from infra.sandbox.cluster.api.errors import ApiError
from infra.sandbox.cluster.logs import LogReader, NoLogError, tail_lines
from infra.sandbox.cluster.port_forward import PortForwarding

_SHUTDOWN_SECONDS = 1.0


class StreamingServer:
    def __init__(self, forwarding: PortForwarding, read_log: LogReader) -> None:
        self._forwarding, self._read_log = forwarding, read_log

    async def start(self, address: str, tls: ssl.SSLContext) -> int:
        """Listens on a free port of `address`, which the node's status has to name; the port."""
        application = web.Application()
        for path in ("/portForward/{namespace}/{pod}", "/portForward/{namespace}/{pod}/{uid}"):
            application.router.add_get(path, self._port_forward)
        application.router.add_get("/containerLogs/{namespace}/{pod}/{container}", self._log)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=_SHUTDOWN_SECONDS)
        await self._runner.setup()
        await web.TCPSite(self._runner, address, 0, ssl_context=tls).start()
        port: int = self._runner.addresses[0][1]
        return port

    async def stop(self) -> None:
        self._forwarding.cut()
        await self._runner.cleanup()

    async def _log(self, http: web.Request) -> web.Response:
        place = (http.match_info[name] for name in ("namespace", "pod", "container"))
        try:
            return web.Response(text=self._read_log(*place, tail_lines(http.query)))
        except LookupError as error:
            return web.Response(status=404, text=str(error))
        except (NoLogError, ApiError) as error:
            return web.Response(status=400, text=str(error))

    async def _port_forward(self, http: web.Request) -> web.StreamResponse:
        # Clients ask the API server for `ports`; the API server asks the node for `port`.
        try:
            return await self._forwarding.serve(http, http.match_info["namespace"], http.match_info["pod"], "port")
        except ApiError as error:
            return web.json_response(error.status(), status=error.code)
