"""The real control plane in the place of the sandbox's own API server: EKS sign-in by a TokenReview webhook, a relay that can
cut connections, and the sandbox's own paths on a port beside it."""

from __future__ import annotations

import asyncio
import json
import logging
import ssl
from pathlib import Path
from typing import Any

from aiohttp import web

from infra.sandbox.cluster.api.authentication import AUTHENTICATED, Authentication
from infra.sandbox.cluster.api.controls import Controls
from infra.sandbox.cluster.api.eks_tokens import EksTokens
from infra.sandbox.cluster.api.errors import ApiError
from infra.sandbox.cluster.certificates import Certificates
from infra.sandbox.cluster.logs import LoggingNodes
from infra.sandbox.cluster.port_forward import ForwardingNodes
from infra.sandbox.cluster.real_control_plane import RealControlPlane
from infra.sandbox.cluster.relay import Relay

_SHUTDOWN_SECONDS = 1.0
_REVIEW_PATH = "/token-review"
_log = logging.getLogger(__name__)


class RealApiServer:
    """`controls.on_kill` is set by whoever runs the containers. Clients use the URL that `start` gives, controllers and node
    `direct_url`, which no cut reaches."""

    def __init__(
        self, assets: Path, certificates: Certificates, admin_token: str, eks_tokens: EksTokens, directory: Path
    ) -> None:
        self._eks_tokens = eks_tokens
        self._authentication = Authentication(admin_token, eks_tokens)
        self._plane = RealControlPlane(assets, certificates=certificates, admin_token=admin_token, directory=directory)
        self._relay: Relay | None = None
        self.controls = Controls(
            self._authentication, faults=None, clock=None, compact=self._forget_history, cut_watches=self._cut
        )
        self.direct_url = self.controls_url = ""

    async def start(self, tls: ssl.SSLContext) -> str:
        """The URL for clients. Raises what `RealControlPlane.start` raises."""
        self.controls_url = await self._serve(tls)
        # A thread, so that sign-ins are answered and the loop goes on while the programs start.
        await asyncio.to_thread(self._plane.start, token_review_url=f"{self.controls_url}{_REVIEW_PATH}")
        self.direct_url = self._plane.url
        self._relay = Relay(self._plane.port)
        return f"https://127.0.0.1:{await self._relay.start()}"

    async def stop(self) -> None:
        if self._relay is not None:
            await self._relay.stop()
        await asyncio.to_thread(self._plane.close)
        await self._runner.cleanup()
        await self._eks_tokens.close()

    async def _serve(self, tls: ssl.SSLContext) -> str:
        application = web.Application()
        application.router.add_post(_REVIEW_PATH, self._review)
        application.router.add_route("*", "/sandbox/{path:.*}", self._control)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=_SHUTDOWN_SECONDS)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=tls).start()
        host, port = self._runner.addresses[0][:2]
        return f"https://{host}:{port}"

    async def _review(self, http: web.Request) -> web.Response:
        """https://kubernetes.io/docs/reference/access-authn-authz/authentication/#webhook-token-authentication"""
        review = await http.json()
        try:
            user = await self._authentication.user(f"Bearer {review['spec']['token']}")
        except ApiError:  # why is in the log; the API server says 401
            status: dict[str, Any] = {"authenticated": False}
        else:
            groups = sorted(user.groups - {AUTHENTICATED})  # that one the API server adds by itself
            status = {"authenticated": True, "user": {"username": user.name, "groups": groups}}
        return web.json_response({"apiVersion": review["apiVersion"], "kind": "TokenReview", "status": status})

    async def _control(self, http: web.Request) -> web.Response:
        try:
            return web.json_response(await self.controls.handle(http, json.loads(await http.read() or b"{}")))
        except ApiError as error:
            return web.json_response(error.status(), status=error.code)

    def _cut(self) -> None:
        if self._relay is not None:
            self._relay.cut()

    def forward_ports_by(self, nodes: ForwardingNodes) -> None:
        """A real API server finds a pod's node by its status; what is left is to cut connections there."""
        self.controls.on_cut_port_forwards = nodes.cut

    def read_logs_of(self, nodes: LoggingNodes) -> None:
        """A real API server asks the pod's node, which it finds by its status."""

    async def _forget_history(self) -> None:
        _log.warning("the API server restarts, to forget all history")
        await asyncio.to_thread(self._plane.forget_history)
