"""How the engine gets functions run: in its own process for fast tests of orchestrators, or in a language worker."""

from __future__ import annotations

import warnings
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Protocol

from azure.functions.decorators.function_app import FunctionRegister

from infra.sandbox.azure.durable.functions import ORCHESTRATION, Function, Functions
from infra.sandbox.azure.durable.invocation import Answer, LoadedApp

_THREADS = 10


class WorkerLost(Exception):
    """The process that ran the function ended before it answered: what it did is unknown, and is done again."""


class TimedOut(Exception):
    """The function took longer than functionTimeout; its worker was ended, as the Functions host does."""


class Invoker(Protocol):
    """Runs functions. `invoke` answers at once; its future gives an Answer, or raises WorkerLost or TimedOut."""

    functions: Functions

    def invoke(self, function: Function, payload: Any) -> Future[Answer]: ...

    def close(self) -> None: ...


class InProcess:
    """Orchestrators and entities run in the calling thread, activities in a few threads beside it."""

    def __init__(self, app: FunctionRegister) -> None:
        self._app = LoadedApp(app)
        self.functions = Functions(self._app.functions)
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="activity")

    def invoke(self, function: Function, payload: Any) -> Future[Answer]:
        if function.trigger != ORCHESTRATION:
            return self._threads.submit(self._app.run, function, payload, None)
        future: Future[Answer] = Future()
        with warnings.catch_warnings():
            # So the SDK calls an event that comes before the orchestrator waits for it, which is allowed.
            warnings.filterwarnings("ignore", "Potential duplicate Task completion")
            future.set_result(self._app.run(function, payload, None))
        return future

    def close(self) -> None:
        """Waits for the activities that run."""
        self._threads.shutdown(wait=True, cancel_futures=True)
