"""Runs one function in the process that holds the app, converting values exactly as the Python worker does."""

from __future__ import annotations

import asyncio
import base64
import importlib
import inspect
import json
import traceback
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import azure.functions as func
from azure.functions import meta
from azure.functions._durable_functions import EntityContext, OrchestrationContext, df_loads
from azure.functions.decorators.function_app import FunctionRegister
from azure.functions.durable_functions import ActivityTriggerConverter
from azure.functions.eventgrid import EventGridEventInConverter
from azure.functions.timer import TimerRequestConverter

from infra.sandbox.azure.durable import functions
from infra.sandbox.azure.durable.functions import Function, described

with warnings.catch_warnings():
    # The package says once per process that payloads are decoded without a type. Plain JSON needs none.
    warnings.simplefilter("ignore", DeprecationWarning)
    df_loads("null")

# In each episode the SDK reads the time of every event of the history: two thirds of what an episode costs, unless remembered.
_history_event: Any = importlib.import_module("azure.durable_functions.models.history.HistoryEvent")
_history_event.dt_parse = lru_cache(maxsize=65_536)(_history_event.dt_parse)


@dataclass(frozen=True)
class Answer:
    """`value` of a function that returned; `error` ("ValueError: text"), `message` and `stack` of one that raised."""

    value: Any = None
    error: str | None = None
    message: str = ""
    stack: str = ""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


class AppNotFound(Exception):
    """The app could not be loaded; the message says what was looked for."""


class LoadedApp:
    """`client_binding` gives the text that the durableClient binding hands to the SDK's client."""

    def __init__(self, app: FunctionRegister) -> None:
        app.functions_bindings = {}  # get_functions fills it, and refuses names that are in it already
        self._built = {built.get_function_name(): built for built in app.get_functions()}
        self.functions = [described(built) for built in self._built.values()]

    def is_coroutine(self, name: str) -> bool:
        return inspect.iscoroutinefunction(self._built[name].get_user_function())

    def run(self, function: Function, payload: Any, client_binding: str | None) -> Answer:
        """A plain function, in the calling thread; a coroutine in an event loop of its own."""
        if self.is_coroutine(function.name):
            return asyncio.run(self.run_async(function, payload, client_binding))
        try:
            user_function, arguments = self._prepare(function, payload, client_binding)
            return Answer(_encoded(function, user_function(**arguments)))
        except Exception as error:  # noqa: BLE001 - whatever the app raises becomes the answer
            return _failed(error)

    async def run_async(self, function: Function, payload: Any, client_binding: str | None) -> Answer:
        try:
            user_function, arguments = self._prepare(function, payload, client_binding)
            return Answer(_encoded(function, await user_function(**arguments)))
        except Exception as error:  # noqa: BLE001 - whatever the app raises becomes the answer
            return _failed(error)

    def _prepare(
        self, function: Function, payload: Any, client_binding: str | None
    ) -> tuple[Callable[..., Any], dict[str, Any]]:
        arguments = {function.parameter: _decoded(function, payload)}
        if function.client is not None:
            if client_binding is None:
                raise LookupError(
                    f"{function.name} takes a durable client, which needs the HTTP API of a host: start one with process.start"
                )
            arguments[function.client] = client_binding
        return self._built[function.name].get_user_function(), arguments


def load(name: str) -> tuple[LoadedApp, Path]:
    """The app of a package that holds function_app.py, or of that module itself; and the directory of host.json.

    As the Python worker, it takes the one FunctionApp or DFApp of the module. AppNotFound if there is not exactly one.
    """
    module_name = name if name.rpartition(".")[2] == "function_app" else f"{name}.function_app"
    module = importlib.import_module(module_name)
    apps = {id(value): value for value in vars(module).values() if isinstance(value, FunctionRegister)}
    if len(apps) != 1:
        raise AppNotFound(f"{module_name} must have exactly one FunctionApp (or DFApp) at its top level, it has {len(apps)}.")
    return LoadedApp(next(iter(apps.values()))), Path(str(module.__file__)).parent


def _decoded(function: Function, payload: Any) -> Any:
    match function.trigger:
        case functions.ORCHESTRATION:
            return OrchestrationContext(payload)
        case functions.ENTITY:
            return EntityContext(payload)
        case functions.ACTIVITY:
            return ActivityTriggerConverter.decode(meta.Datum(payload, "json"), trigger_metadata=None)
        case functions.TIMER:
            return TimerRequestConverter.decode(meta.Datum(json.dumps(payload), "json"), trigger_metadata=None)
        case functions.EVENT_GRID:
            return EventGridEventInConverter.decode(meta.Datum(json.dumps(payload), "json"), trigger_metadata=None)
        case functions.HTTP:
            return func.HttpRequest(**{**payload, "body": base64.b64decode(payload["body"])})
    raise NotImplementedError(f"The sandbox's host cannot start {function.name}: it has no {function.trigger}.")


def _encoded(function: Function, result: Any) -> Any:
    match function.trigger:
        case functions.ACTIVITY:
            return ActivityTriggerConverter.encode(result, expected_type=None).value
        case functions.HTTP:
            return _http_answer(function, result)
        case functions.ORCHESTRATION | functions.ENTITY:
            return result
    return None


def _http_answer(function: Function, result: Any) -> dict[str, Any]:
    if isinstance(result, str):
        result = func.HttpResponse(result)
    if not isinstance(result, func.HttpResponse):
        raise TypeError(f"{function.name} returned {type(result).__name__}; an HTTP function returns HttpResponse or str.")
    headers = dict(result.headers)
    if "content-type" not in {name.lower() for name in headers}:
        headers["Content-Type"] = f"{result.mimetype}; charset={result.charset}"
    return {"status": result.status_code, "headers": headers, "body": base64.b64encode(result.get_body()).decode()}


def _failed(error: Exception) -> Answer:
    stack = "".join(traceback.format_exception(error))
    return Answer(error=f"{type(error).__name__}: {error}", message=str(error), stack=stack)
