"""The HTTP management API of Durable Functions, as webhook (with the system key) and as the SDK's local endpoint.

https://learn.microsoft.com/azure/azure-functions/durable/durable-functions-http-api
"""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
import json
import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from infra.sandbox.azure.durable.addresses import Addresses
from infra.sandbox.azure.durable.protocol import TERMINAL, from_text
from infra.sandbox.azure.durable.task_hub import InstanceEnded, InstanceExists, TaskHub, UnknownFunction, UnknownInstance

PAGE_SIZE = 100
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class ManagementApi:
    def __init__(self, hub: TaskHub, addresses: Addresses) -> None:
        self._hub, self._addresses = hub, addresses

    def routes(self, base: str, allowed: Callable[[web.Request], bool]) -> list[web.RouteDef]:
        """Below `base`; whoever is not allowed gets 401."""
        instance = base + "/instances/{instance}"

        def guarded(handler: Handler) -> Handler:
            async def handle(request: web.Request) -> web.StreamResponse:
                return await _answered(handler, request) if allowed(request) else web.Response(status=401)

            return handle

        return [
            web.post(base + "/orchestrators/{function}", guarded(self._start)),
            web.post(base + "/orchestrators/{function}/{instance}", guarded(self._start)),
            web.get(base + "/instances", guarded(self._list)),
            web.get(base + "/instances/", guarded(self._list)),
            web.delete(base + "/instances", guarded(self._purge_many)),
            web.delete(base + "/instances/", guarded(self._purge_many)),
            web.get(instance, guarded(self._status)),
            web.delete(instance, guarded(self._purge)),
            web.post(instance + "/raiseEvent/{event}", guarded(self._raise_event)),
            web.post(instance + "/{operation:terminate|suspend|resume}", guarded(self._control)),
            web.post(instance + "/restart", guarded(self._restart)),
            web.post(instance + "/rewind", guarded(self._rewind)),
            web.post(base + "/entities/{name}/{key}", guarded(self._signal_entity)),
            web.get(base + "/entities/{name}/{key}", guarded(self._entity)),
        ]

    async def _start(self, request: web.Request) -> web.Response:
        token = await _json_body(request, empty=None)
        started = self._hub.start_with_token(request.match_info["function"], token, request.match_info.get("instance"))
        if "timeout" in request.query:
            await self._wait(started, float(request.query["timeout"]), float(request.query.get("pollingInterval", "1")))
            status = self._hub.status(started)
            if status["runtimeStatus"] == "Completed":
                return web.json_response(status["output"])
            if status["runtimeStatus"] in TERMINAL:
                return web.json_response(status, status=500 if status["runtimeStatus"] == "Failed" else 200)
        return self._accepted(started)

    def _accepted(self, instance_id: str) -> web.Response:
        links = self._addresses.links(instance_id)
        headers = {"Location": links["statusQueryGetUri"], "Retry-After": "10"}
        return web.json_response(links, status=202, headers=headers)

    async def _wait(self, instance_id: str, timeout_seconds: float, polling_seconds: float) -> None:
        deadline = time.monotonic() + timeout_seconds
        while time.monotonic() < deadline and self._hub.status(instance_id)["runtimeStatus"] not in TERMINAL:
            await asyncio.sleep(min(polling_seconds, max(0.0, deadline - time.monotonic())))

    async def _status(self, request: web.Request) -> web.Response:
        instance_id = request.match_info["instance"]
        wants_history, wants_output = _flag(request, "showHistory"), _flag(request, "showHistoryOutput")
        status = self._hub.status(instance_id, history=wants_history, history_output=wants_output)
        if not _flag(request, "showInput", default=True):
            status["input"] = None
        if status["runtimeStatus"] not in TERMINAL:
            headers = {"Location": self._addresses.links(instance_id)["statusQueryGetUri"], "Retry-After": "5"}
            return web.json_response(status, status=202, headers=headers)
        failed = status["runtimeStatus"] == "Failed" and _flag(request, "returnInternalServerErrorOnFailure")
        return web.json_response(status, status=500 if failed else 200)

    async def _list(self, request: web.Request) -> web.Response:
        found = self._hub.statuses(**_filter(request))
        top = int(request.query.get("top", PAGE_SIZE))
        token = request.headers.get("x-ms-continuation-token", "")
        first = int(base64.b64decode(token)) if token else 0
        page = found[first : first + top]
        if not _flag(request, "showInput", default=True):
            page = [{**status, "input": None} for status in page]
        more = base64.b64encode(str(first + top).encode()).decode() if first + top < len(found) else ""
        return web.json_response(page, headers={"x-ms-continuation-token": more})

    async def _raise_event(self, request: web.Request) -> web.Response:
        instance_id = request.match_info["instance"]
        if request.content_type != "application/json":
            self._hub.status(instance_id)
            raise ValueError("Only application/json request content is supported")
        self._hub.raise_event(instance_id, request.match_info["event"], await _json_body(request, empty=None))
        return web.Response(status=202)

    async def _control(self, request: web.Request) -> web.Response:
        instance_id = request.match_info["instance"]
        match request.match_info["operation"]:
            case "terminate":
                self._hub.terminate(instance_id, request.query.get("reason", ""))
            case "suspend":
                self._hub.suspend(instance_id)
            case _:
                self._hub.resume(instance_id)
        return web.Response(status=202)

    async def _restart(self, request: web.Request) -> web.Response:
        try:
            status = self._hub.status(request.match_info["instance"])
        except UnknownInstance as error:
            raise ValueError(str(error)) from error
        new_id = _flag(request, "restartWithNewInstanceId", default=True)
        instance_id = uuid.uuid4().hex if new_id else status["instanceId"]
        return self._accepted(self._hub.start_with_token(status["name"], status["input"], instance_id))

    async def _rewind(self, request: web.Request) -> web.Response:
        status = self._hub.status(request.match_info["instance"])
        if status["runtimeStatus"] in TERMINAL - {"Failed"}:
            return web.Response(status=410)
        if status["runtimeStatus"] != "Failed":
            return web.Response(status=412)
        return web.json_response({"Message": "This storage provider does not support rewind."}, status=501)

    async def _purge(self, request: web.Request) -> web.Response:
        try:
            self._hub.purge(request.match_info["instance"])
        except InstanceExists as error:
            return web.json_response({"Message": str(error)}, status=412)
        return web.json_response({"instancesDeleted": 1})

    async def _purge_many(self, request: web.Request) -> web.Response:
        if "createdTimeFrom" not in request.query:
            raise ValueError("Please provide value for 'createdTimeFrom' parameter.")
        ended = [found for found in self._hub.statuses(**_filter(request)) if found["runtimeStatus"] in TERMINAL]
        for found in ended:
            self._hub.purge(found["instanceId"])
        return web.json_response({"instancesDeleted": len(ended)}) if ended else web.Response(status=404)

    async def _signal_entity(self, request: web.Request) -> web.Response:
        token = await _json_body(request, empty=None)
        text = token if isinstance(token, str) or token is None else json.dumps(token)
        name, key = request.match_info["name"], request.match_info["key"]
        self._hub.signal_entity(name, key, request.query.get("op", ""), text)
        return web.Response(status=202)

    async def _entity(self, request: web.Request) -> web.Response:
        state = self._hub.entity_state(request.match_info["name"], request.match_info["key"])
        return web.Response(status=404) if state is None else web.Response(text=state, content_type="application/json")


async def _answered(handler: Handler, request: web.Request) -> web.StreamResponse:
    """The status code that the extension gives to what can go wrong."""
    try:
        return await handler(request)
    except UnknownInstance:
        return web.Response(status=404)
    except InstanceEnded:
        return web.Response(status=410)
    except InstanceExists as error:
        return web.json_response({"Message": str(error)}, status=409)
    except (UnknownFunction, ValueError) as error:
        refusal = {"Message": "One or more of the arguments submitted is incorrect", "ExceptionMessage": str(error)}
        return web.json_response({**refusal, "ExceptionType": "System.ArgumentException"}, status=400)


async def _json_body(request: web.Request, *, empty: Any) -> Any:
    text = await request.text()
    try:
        return json.loads(text) if text else empty
    except ValueError as error:
        raise ValueError(f"The request content is not valid JSON: {error}") from error


def _flag(request: web.Request, name: str, *, default: bool = False) -> bool:
    return request.query.get(name, str(default)).lower() == "true"


def _filter(request: web.Request) -> dict[str, Any]:
    def moment(name: str) -> dt.datetime | None:
        return from_text(request.query[name]) if request.query.get(name) else None

    return {
        "runtime_status": frozenset(text for text in request.query.get("runtimeStatus", "").split(",") if text),
        "prefix": request.query.get("instanceIdPrefix", ""),
        "created_from": moment("createdTimeFrom"),
        "created_to": moment("createdTimeTo"),
    }
