"""HTTP and Event Grid triggers, and /admin/functions, which starts any function that HTTP does not."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import re
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from aiohttp import web

from infra.sandbox.azure.durable.functions import ACTIVITY, EVENT_GRID, HTTP, TIMER, Function, Functions
from infra.sandbox.azure.durable.invocation import Answer
from infra.sandbox.azure.durable.keys import EVENT_GRID as EVENT_GRID_KEY
from infra.sandbox.azure.durable.keys import Keys
from infra.sandbox.azure.durable.schedules import timer_info

HTTP_SECONDS = 230
"""After this the load balancer gives up, whatever the plan: https://learn.microsoft.com/azure/azure-functions/functions-scale"""
_PARAMETER = re.compile(r"\{(\*?)(\w+)(?::(\w+))?(\?)?\}")
_CONSTRAINTS = {None: "", "int": r":-?\d+", "alpha": r":[A-Za-z]+", "guid": r":[0-9A-Fa-f-]{36}"}

Invoke = Callable[[Function, Any], Awaitable[Answer]]


class Triggers:
    """`prefix` is host.json's extensions.http.routePrefix."""

    def __init__(self, functions: Functions, keys: Keys, prefix: str, invoke: Invoke) -> None:
        self._functions, self._keys, self._prefix, self._invoke = functions, keys, prefix, invoke

    def routes(self) -> list[web.RouteDef]:
        routes = [
            web.post("/runtime/webhooks/EventGrid", self._event_grid),
            web.post("/runtime/webhooks/eventgrid", self._event_grid),
            web.post("/admin/functions/{name}", self._admin),
        ]
        for function in self._functions.triggered_by(HTTP):
            handler = self._http(function)
            methods = [str(method).upper() for method in function.binding.get("methods") or ["*"]]
            template = "/".join(part for part in (self._prefix, function.binding.get("route") or function.name) if part)
            routes += [web.route(method, path, handler) for path in _paths(template) for method in methods]
        return routes

    def _http(self, function: Function) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handle(request: web.Request) -> web.Response:
            if not self._keys.may_call(request, function.name, str(function.binding.get("authLevel", "FUNCTION"))):
                return web.Response(status=401)
            call = {
                "method": request.method,
                "url": str(request.url),
                "headers": {name.lower(): value for name, value in request.headers.items()},
                "params": dict(request.query),
                "route_params": {name: value for name, value in request.match_info.items() if value},
                "body": base64.b64encode(await request.read()).decode(),
            }
            try:
                answer = await asyncio.wait_for(asyncio.shield(self._invoke(function, call)), HTTP_SECONDS)
            except TimeoutError:
                return web.Response(status=504, text=f"{function.name} did not answer within {HTTP_SECONDS} s.")
            if answer.error is not None:
                return web.Response(status=500)
            value = answer.value
            return web.Response(status=value["status"], headers=value["headers"], body=base64.b64decode(value["body"]))

        return handle

    async def _event_grid(self, request: web.Request) -> web.Response:
        """https://learn.microsoft.com/azure/event-grid/end-point-validation-event-grid-events-schema"""
        if not self._keys.may_use(request, EVENT_GRID_KEY):
            return web.Response(status=401)
        function = self._functions.named(request.query.get("functionName", ""))
        if function is None or function.trigger != EVENT_GRID:
            return web.Response(status=404, text=f"cannot find function: '{request.query.get('functionName', '')}'")
        kind = request.headers.get("aeg-event-type", "").lower()
        if kind == "unsubscribe":
            return web.Response(status=202)
        if kind not in ("subscriptionvalidation", "notification"):
            return web.Response(status=400)
        try:
            body = json.loads(await request.text())
        except ValueError:
            return web.Response(status=400)
        if kind == "subscriptionvalidation":
            return web.json_response({"validationResponse": _validation_code(body)})
        events = body if isinstance(body, list) else [body]
        return web.Response(status=202 if await self._all_succeed(function, events) else 500)

    async def _all_succeed(self, function: Function, events: list[Any]) -> bool:
        """One call per event, all at once; after one failure Event Grid sends the whole payload again."""
        answers = await asyncio.gather(*(self._invoke(function, event) for event in events), return_exceptions=True)
        for answer in answers:
            if isinstance(answer, BaseException):
                logging.error("%s could not be run", function.name, exc_info=answer)
        return all(isinstance(answer, Answer) and answer.error is None for answer in answers)

    async def _admin(self, request: web.Request) -> web.Response:
        """https://learn.microsoft.com/azure/azure-functions/functions-manually-run-non-http"""
        if not self._keys.may_administer(request):
            return web.Response(status=401)
        function = self._functions.named(request.match_info["name"])
        if function is None:
            return web.Response(status=404)
        if function.trigger not in (ACTIVITY, EVENT_GRID, TIMER):
            return web.Response(status=400, text=f"{function.name} has a {function.trigger}: start it by its own address.")
        text = await request.text()
        try:
            given = json.loads(text)["input"] if text else ""
        except (ValueError, KeyError, TypeError):
            return web.Response(status=400, text='The body must be JSON with the field "input".')
        if function.trigger == TIMER:
            payload: Any = timer_info()
        elif function.trigger == EVENT_GRID:
            payload = json.loads(given) if isinstance(given, str) else given
        else:
            payload = given
        background = asyncio.ensure_future(self._run_alone(function, payload))
        request.app[BACKGROUND].add(background)
        background.add_done_callback(request.app[BACKGROUND].discard)
        return web.Response(status=202)

    async def _run_alone(self, function: Function, payload: Any) -> None:
        """The caller has had its 202 already."""
        try:
            await self._invoke(function, payload)
        except Exception:
            logging.exception("%s could not be run", function.name)


BACKGROUND: web.AppKey[set[asyncio.Future[None]]] = web.AppKey("background")


def _validation_code(body: Any) -> str:
    """Event Grid schema: an array. CloudEvents schema: one object whose data is JSON in a string."""
    data = body[0]["data"] if isinstance(body, list) else body["data"]
    return str((json.loads(data) if isinstance(data, str) else data)["validationCode"])


def _paths(template: str) -> Iterator[str]:
    """A route template of ASP.NET in aiohttp's words; an optional last parameter gives two paths.

    ValueError for a constraint that is not known here.
    """

    def translated(match: re.Match[str]) -> str:
        everything, name, constraint, _ = match.groups()
        if constraint not in _CONSTRAINTS:
            raise ValueError(f"The sandbox's host does not know the constraint '{constraint}' of the route '{template}'.")
        return "{" + name + (":.*" if everything else _CONSTRAINTS[constraint]) + "}"

    yield "/" + _PARAMETER.sub(translated, template)
    if template.endswith("?}"):
        yield "/" + _PARAMETER.sub(translated, template.rpartition("/")[0])
