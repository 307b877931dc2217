"""Both engines take the same steps in the same order: every test of the flow of a backup and of a restore, on each of them.

The tests themselves are those of tests/unit/steps; here they run once over the state machines and once over the orchestrators,
and what was called is compared.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from types import ModuleType
from typing import Any, NamedTuple

import pytest

from tests.unit.functions_azure.durable import RUN, Durable
from tests.unit.steps import test_backup_flow, test_groups
from tests.unit.steps.engine import Engine
from tests.unit.steps.restore import test_restore_bad_days, test_restore_flow
from tests.unit.steps.restore.engine import RestoreEngine
from tests.unit.steps.restore.world import RestoreWorld
from tests.unit.steps.world import World

Trace = dict[str, list[str]]


class OnAws(Engine):
    traces: list[Trace]

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._trace: Trace = {}
        self.traces.append(self._trace)

    async def _call(self, target: str, payload: dict[str, Any]) -> Any:
        _note(self._trace, target, payload)
        return await super()._call(target, payload)


class OnAzure(Engine):
    traces: list[Trace]

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.durable = Durable(world)
        self.traces.append(self.durable.steps)

    async def backup(self, given: Any, name: str = "e1") -> str:
        ended = await self.durable.run("backup", given, name)
        names = {"arm": "Arm the watchdog"}
        self.visited = [names.get(step, step.capitalize()) for step in self.durable.steps[RUN]]
        if len(self.durable.steps) > 1:
            self.visited.insert(-1, "Protect")
        return ended

    async def wake_watchdogs(self) -> None:
        await self.durable.wake_watchdogs()


class RestoreOnAws(RestoreEngine):
    traces: list[Trace]

    def __init__(self, world: RestoreWorld) -> None:
        super().__init__(world)
        self._trace: Trace = {}
        self.traces.append(self._trace)

    async def _call(self, target: str, payload: dict[str, Any]) -> Any:
        _note(self._trace, target, payload)
        return await super()._call(target, payload)


class RestoreOnAzure(RestoreEngine):
    traces: list[Trace]

    def __init__(self, world: RestoreWorld) -> None:
        super().__init__(world)
        self.durable = Durable(world)
        self.traces.append(self.durable.steps)

    async def execute(self, started: dict[str, Any]) -> str:
        instance = started["execution"]
        name = instance.removeprefix("arn:execution:")
        try:
            return await self.durable.run("restore", self.world.started.given[name], instance)
        finally:
            self.world.started.over.add(name)


def _note(trace: Trace, target: str, payload: dict[str, Any]) -> None:
    """Only calls of steps, and the watchdog's arming; the start of a child is seen by the child's own steps."""
    step = "arm" if target == "WatchdogStateMachineArn" else payload["step"] if target.endswith("FunctionArn") else ""
    if step:
        trace.setdefault(payload.get("database", RUN), []).append(step)


class Case(NamedTuple):
    module: ModuleType
    test: Any
    arguments: dict[str, Any]

    async def run(self, monkeypatch: pytest.MonkeyPatch, engine: type, name: str) -> list[Trace]:
        engine.traces = []  # type: ignore[attr-defined]
        with monkeypatch.context() as patched:
            patched.setattr(self.module, name, engine)
            await self.test(**self._fixtures(), **self.arguments)
        return engine.traces  # type: ignore[attr-defined,no-any-return]

    def _fixtures(self) -> dict[str, Any]:
        wanted = set(inspect.signature(self.test).parameters) - set(self.arguments)
        worlds = {"test_restore": RestoreWorld}
        kind = next((made for prefix, made in worlds.items() if prefix in self.module.__name__), World)
        assert wanted <= {"world"}, f"{self.test.__name__} needs {wanted}"
        return {name: kind() for name in wanted}


def cases(*modules: ModuleType, engine: str) -> Iterator[Any]:
    for module in modules:
        for name, test in vars(module).items():
            if not name.startswith("test_") or not inspect.iscoroutinefunction(test) or engine not in inspect.getsource(module):
                continue
            for number, arguments in enumerate(_arguments(test)):
                yield pytest.param(Case(module, test, arguments), id=f"{name}-{number}")


def _arguments(test: Any) -> list[dict[str, Any]]:
    for mark in getattr(test, "pytestmark", []):
        if mark.name == "parametrize":
            names, values = mark.args
            keys = [names] if isinstance(names, str) and "," not in names else _names(names)
            return [dict(zip(keys, _values(value, len(keys)), strict=True)) for value in values]
    return [{}]


def _names(names: Any) -> list[str]:
    return [name.strip() for name in names.split(",")] if isinstance(names, str) else list(names)


def _values(value: Any, count: int) -> Any:
    value = getattr(value, "values", value) if hasattr(value, "marks") else value
    return value if count > 1 or hasattr(value, "marks") else (value,)


def assert_same(on_azure: list[Trace], on_aws: list[Trace]) -> None:
    assert len(on_azure) == len(on_aws)
    for azure, aws in zip(on_azure, on_aws, strict=True):
        assert azure.get(RUN) == aws.get(RUN)
        # Where one database fails, a Map stops the others; the orchestrator lets each come to its end first.
        for database in azure.keys() | aws.keys():
            reached = aws.get(database, [])
            assert azure.get(database, [])[: len(reached)] == reached, database


@pytest.mark.parametrize("case", cases(test_backup_flow, test_groups, engine="Engine"))
async def test_a_backup_takes_the_same_steps(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    on_aws = await case.run(monkeypatch, OnAws, "Engine")
    on_azure = await case.run(monkeypatch, OnAzure, "Engine")
    assert_same(on_azure, on_aws)


@pytest.mark.parametrize("case", cases(test_restore_flow, test_restore_bad_days, engine="RestoreEngine"))
async def test_a_restore_takes_the_same_steps(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    on_aws = await case.run(monkeypatch, RestoreOnAws, "RestoreEngine")
    on_azure = await case.run(monkeypatch, RestoreOnAzure, "RestoreEngine")
    assert_same(on_azure, on_aws)
