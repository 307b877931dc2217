"""The HTTP front: TLS, sign-in, rights, faults, then the answer of one resource as JSON.

One event loop runs everything, so a request that does not await sees and leaves a consistent store.
"""

from __future__ import annotations

import asyncio
import json
import logging
import ssl
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from aiohttp import web

from infra.sandbox.cluster.api import errors
from infra.sandbox.cluster.api.authentication import AUTHENTICATED, Authentication, User, impersonated
from infra.sandbox.cluster.api.authorization import Action, Authorization, self_subject_access_review
from infra.sandbox.cluster.api.bootstrap import create_initial_objects
from infra.sandbox.cluster.api.clock import Clock
from infra.sandbox.cluster.api.controls import Controls
from infra.sandbox.cluster.api.deletion import Deletion
from infra.sandbox.cluster.api.eks_tokens import EksTokens
from infra.sandbox.cluster.api.errors import ApiError
from infra.sandbox.cluster.api.faults import Fault, Faults
from infra.sandbox.cluster.api.objects import PATCH_TYPES, Objects
from infra.sandbox.cluster.api.reads import Lists
from infra.sandbox.cluster.api.requests import ResourceRequest, read_request
from infra.sandbox.cluster.api.resources import NODES, PODS
from infra.sandbox.cluster.api.scale import Scale
from infra.sandbox.cluster.api.store import Key, Store
from infra.sandbox.cluster.api.watch import Watches
from infra.sandbox.cluster.logs import LoggingNodes, LogReader, NoLogError, tail_lines
from infra.sandbox.cluster.port_forward import ForwardingNodes, PortForwarding, Streams

VERSION = {
    "major": "1",
    "minor": "33",
    "gitVersion": "v1.33.0-sandbox",
    "gitCommit": "none",
    "gitTreeState": "clean",
    "buildDate": "1970-01-01T00:00:00Z",
    "goVersion": "none",
    "compiler": "none",
    "platform": "linux/amd64",
}
_MAX_BODY_BYTES = 3 * 1024 * 1024  # of a real server
_SHUTDOWN_SECONDS = 1.0
_REVIEWS = ("authorization.k8s.io", "selfsubjectaccessreviews")
_log = logging.getLogger(__name__)


class ApiServer:
    """Serves one cluster's API. `controls.on_kill` is set by whoever runs the containers."""

    controls_url = direct_url = ""

    def __init__(self, admin_token: str, eks_tokens: EksTokens, clock: Clock) -> None:
        store = Store()
        self._store, self._clock, self._eks_tokens = store, clock, eks_tokens
        self._authentication = Authentication(admin_token, eks_tokens)
        self._authorization = Authorization(store)
        self._objects = Objects(store, clock)
        self._deletion = Deletion(store, self._objects, clock)
        self._lists, self._watches, self._scale = Lists(store), Watches(store), Scale(self._objects)
        self._faults = Faults()
        self._watching: set[asyncio.Transport] = set()
        self._read_log: LogReader = _no_node_has_it
        self.port_forwarding = PortForwarding(self._dial)
        self.controls = Controls(
            self._authentication, faults=self._faults, clock=clock, compact=self._forget_history, cut_watches=self.cut_watches
        )
        self.controls.on_cut_port_forwards = self.port_forwarding.cut
        create_initial_objects(self._objects)

    async def start(self, tls: ssl.SSLContext) -> str:
        """Listens on a free port of 127.0.0.1; the URL, which is that of the sandbox's own paths too."""
        application = web.Application(client_max_size=_MAX_BODY_BYTES)
        application.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(
            application, access_log=None, handler_cancellation=True, shutdown_timeout=_SHUTDOWN_SECONDS
        )
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=tls)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.controls_url = self.direct_url = f"https://{host}:{port}"
        return self.direct_url

    async def stop(self) -> None:
        self.cut_watches()
        self.port_forwarding.cut()
        await self._runner.cleanup()
        await self._eks_tokens.close()

    def cut_watches(self) -> None:
        """Ends every watch in the middle of its stream, as a restarting API server does."""
        for transport in tuple(self._watching):
            transport.abort()

    def forward_ports_by(self, nodes: ForwardingNodes) -> None:
        """Forwards into the pods of these nodes."""
        self.port_forwarding.dial = nodes.dial

    def read_logs_of(self, nodes: LoggingNodes) -> None:
        """Answers with what the containers of these nodes have written."""
        self._read_log = nodes.read_log

    async def _forget_history(self) -> None:
        self._store.compact()

    async def _handle(self, http: web.Request) -> web.StreamResponse:
        try:
            body = await _read_body(http)
            if http.path.startswith("/sandbox/"):
                return self._json(200, await self.controls.handle(http, body))
            return await self._answer(http, body)
        except ApiError as error:
            return self._json(error.code, error.status(), error.retry_after_seconds)
        except ConnectionError:
            raise  # the client has gone, or a fault cut the connection
        except Exception as error:  # noqa: BLE001  one broken request must not end the server; it is logged and told
            _log.exception("%s %s failed", http.method, http.path)
            status = ApiError(500, "InternalError", f"Internal error occurred: {error!r}")
            return self._json(500, status.status())

    async def _answer(self, http: web.Request, body: Any) -> web.StreamResponse:
        user = self._acting_user(http, await self._authentication.user(http.headers.get("Authorization", "")))
        query = dict(http.query)
        content_type = http.content_type if "Content-Type" in http.headers else ""
        request = read_request(http.method, http.path, query, content_type, body)
        if request is None:
            return self._path(http, user)
        if (fault := self._faults.take(request, user.name)) is not None:
            await _suffer(fault, http)
        self._authorization.require(user, request)
        if (request.group, request.resource) == _REVIEWS and request.verb == "create":
            return self._json(201, self_subject_access_review(self._authorization, user, body))
        return await self._resource(http, user, request)

    async def _resource(self, http: web.Request, user: User, request: ResourceRequest) -> web.StreamResponse:
        definition = request.served
        if request.subresource is not None:
            if request.subresource not in definition.subresources:
                raise errors.path_not_found()
            if request.subresource == "binding":
                return self._bind(request)
            if request.subresource == "scale":
                return self._scale_answer(request)
            if request.subresource == "portforward":
                return await self._port_forward(http, user, request)
            if request.subresource == "log":
                return self._log(request, http.query)
        match request.verb:
            case "watch":
                return await self._stream(http, request)
            case "list":
                return self._encoded(200, await self._lists.read(request))
            case "get":
                await self._lists.wait_for(request.whole_number("resourceVersion") or 0)
                return self._encoded(200, self._objects.existing(request)[1].encoded)
            case "create" if request.name is None:
                return self._encoded(201, self._objects.create(request).encoded)
            case "update":
                return self._encoded(200, self._objects.update(request).encoded)
            case "patch":
                return self._encoded(200, self._objects.patch(request).encoded)
            case "delete":
                return self._json(200, self._deletion.delete(request))
            case "deletecollection":
                self._deletion.delete_all(request, self._lists.chosen(request))
                return self._json(200, {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"})
        raise errors.method_not_allowed()

    def _bind(self, request: ResourceRequest) -> web.Response:
        if request.verb != "create":
            raise errors.method_not_allowed()
        self._objects.bind(request)
        return self._json(201, {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201})

    def _scale_answer(self, request: ResourceRequest) -> web.Response:
        match request.verb:
            case "get":
                return self._json(200, self._scale.read(request))
            case "update" | "patch":
                return self._json(200, self._scale.write(request))
        raise errors.method_not_allowed()

    async def _port_forward(self, http: web.Request, user: User, request: ResourceRequest) -> web.StreamResponse:
        if self.controls.port_forward_checks_create:
            self._authorization.require(user, replace(request, verb="create"))
        pod = self._objects.existing(request)[1].document
        namespace, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
        if not pod["spec"].get("nodeName"):
            raise errors.bad_request(f"pod {name} does not have a host assigned")
        return await self.port_forwarding.serve(http, namespace, name, "ports")

    def _log(self, request: ResourceRequest, query: Mapping[str, str]) -> web.Response:
        if request.verb != "get":
            raise errors.method_not_allowed()
        pod = self._objects.existing(request)[1].document
        name, names = pod["metadata"]["name"], [each["name"] for each in pod["spec"]["containers"]]
        container = query.get("container") or (names[0] if len(names) == 1 else "")
        if not container:
            raise errors.bad_request(f"a container name must be specified for pod {name}, choose one of: [{' '.join(names)}]")
        if container not in names:
            raise errors.bad_request(f"container {container} is not valid for pod {name}")
        lines, node = tail_lines(query), pod["spec"].get("nodeName")
        if not node:
            return web.Response(status=204)
        try:
            return web.Response(text=self._read_log(pod["metadata"]["namespace"], name, container, lines))
        except LookupError as error:
            raise errors.not_found(NODES, node) from error
        except NoLogError as error:
            raise errors.bad_request(str(error)) from error

    async def _dial(self, namespace: str, pod: str, port: int) -> Streams:
        """Without a node, the address that a pod's status says is all there is."""
        stored = self._store.get(Key(PODS, namespace, pod))
        address = stored.document.get("status", {}).get("podIP") if stored else None
        if not address:
            raise LookupError(f"pod {namespace}/{pod} does not run")
        return await asyncio.open_connection(address, port)

    async def _stream(self, http: web.Request, request: ResourceRequest) -> web.StreamResponse:
        self._watches.check(request)  # what is refused must be refused before the 200 is on its way
        response = web.StreamResponse(headers={"Content-Type": "application/json", "Date": self._clock.http_date()})
        response.enable_chunked_encoding()
        await response.prepare(http)
        transport = http.transport
        if transport is None:
            return response  # the client has gone already
        self._watching.add(transport)
        events = self._watches.events(request)
        try:
            async for line in events:
                await response.write(line)
        finally:
            self._watching.discard(transport)
            await events.aclose()
        return response

    def _path(self, http: web.Request, user: User) -> web.Response:
        self._authorization.require_path(user, http.method.lower(), http.path)
        match http.path.rstrip("/"):
            case "/version":
                return self._json(200, VERSION)
            case "/readyz" | "/livez" | "/healthz":
                return web.Response(text="ok", headers={"Date": self._clock.http_date()})
        raise errors.path_not_found()

    def _acting_user(self, http: web.Request, user: User) -> User:
        """The sender, or whom the sender acts as. Raises 403 when that is not allowed."""
        groups = http.headers.getall("Impersonate-Group", [])
        other = impersonated(http.headers, groups)
        if other is None:
            return user
        wanted = [("users", other.name), *(("groups", group) for group in other.groups - {AUTHENTICATED})]
        for resource, name in wanted:
            if self._authorization.reason(user, Action("impersonate", "", resource, name)) is None:
                message = f'{resource} "{name}" is forbidden: User "{user.name}" cannot impersonate resource "{resource}"'
                raise ApiError(403, "Forbidden", f'{message} in API group "" at the cluster scope')
        return other

    def _json(self, code: int, body: dict[str, Any], retry_after_seconds: int | None = None) -> web.Response:
        response = self._encoded(code, json.dumps(body).encode())
        if retry_after_seconds is not None:
            response.headers["Retry-After"] = str(retry_after_seconds)
        return response

    def _encoded(self, code: int, body: bytes) -> web.Response:
        return web.Response(status=code, body=body, content_type="application/json", headers={"Date": self._clock.http_date()})


def _no_node_has_it(namespace: str, pod: str, container: str, lines: int | None) -> str:
    raise LookupError(f"no node runs pod {namespace}/{pod}")


async def _read_body(http: web.Request) -> Any:
    """The JSON body, None without one. Raises 400, 413 or 415."""
    try:
        raw = await http.read()
    except web.HTTPRequestEntityTooLarge as error:
        raise ApiError(413, "RequestEntityTooLarge", f"Request entity too large: limit is {_MAX_BODY_BYTES}") from error
    if not raw:
        return None
    if http.content_type not in ("application/json", "application/octet-stream", *PATCH_TYPES):
        raise errors.unsupported_media_type(tuple(PATCH_TYPES) if http.method == "PATCH" else ("application/json",))
    try:
        return json.loads(raw)
    except ValueError as error:
        raise errors.bad_request(f"the body is no JSON: {error}") from error


async def _suffer(fault: Fault, http: web.Request) -> None:
    await asyncio.sleep(fault.delay_seconds)
    if fault.reset:
        if http.transport is not None:
            http.transport.abort()
        raise ConnectionResetError("fault on demand: connection reset")
    if (error := fault.error()) is not None:
        raise error
