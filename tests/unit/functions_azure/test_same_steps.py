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

from tests.unit.functions_azure.durable import RUN, Durable, DurableRestores, label
from tests.unit.steps import test_backup_flow, test_groups
from tests.unit.steps.engine import Engine
from tests.unit.steps.restore import test_failed_undo, test_restore_bad_days, test_restore_flow, test_restore_pods
from tests.unit.steps.restore.engine import RestoreEngine
from tests.unit.steps.restore.world import RestoreWorld
from tests.unit.steps.world import World

Trace = dict[str, list[str]]
"""Of one execution: the steps of the run and of each database in their order, and how it `ended`."""
ENDED = "ended"
OF_A_RESTORE = (test_restore_flow, test_restore_bad_days, test_restore_pods, test_failed_undo)
OF_THE_OTHER_ENGINE = {
    # Here the work of a process that died is handed out again, without end: a host that always dies ends no run.
    "test_a_process_that_always_dies_while_preparing_leads_back",
    # Counts the events of Step Functions; here histories are cut short, see test_kill_matrix.
    "test_waits_grow_so_that_hours_fit_into_an_engines_history",
}


class OnAws(Engine):
    traces: list[Trace]

    def __init__(self, world: World) -> None:
        super().__init__(world)

    async def backup(self, given: Any, name: str = "e1") -> str:
        self.traces.append({})
        ended = await super().backup(given, name)
        self.traces[-1][ENDED] = [ended]
        return ended

    async def _call(self, target: str, payload: dict[str, Any]) -> Any:
        _note(self.traces, target, payload)
        return await super()._call(target, payload)


class OnAzure(Engine):
    traces: list[Trace]

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.durable = Durable(world)

    async def backup(self, given: Any, name: str = "e1") -> str:
        self.durable.steps.clear()
        ended = await self.durable.run("backup", given, name)
        self.traces.append({**self.durable.steps, ENDED: [ended]})
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

    async def execute(self, started: dict[str, Any]) -> str:
        self.traces.append({})
        ended = await super().execute(started)
        self.traces[-1][ENDED] = [ended]
        return ended

    async def _call(self, target: str, payload: dict[str, Any]) -> Any:
        _note(self.traces, target, payload)
        return await super()._call(target, payload)


class RestoreOnAzure(DurableRestores):
    traces: list[Trace]

    async def execute(self, started: dict[str, Any]) -> str:
        self.durable.steps.clear()
        ended = await super().execute(started)
        self.traces.append({**self.durable.steps, ENDED: [ended]})
        names = {"restore_look": "Look at the pods"}
        self.children = [[names.get(step, step) for step in steps] for of, steps in self.durable.steps.items() if of != RUN]
        return ended


def _note(traces: list[Trace], target: str, payload: dict[str, Any]) -> None:
    """Only calls of steps, and the watchdog's arming; the start of a child is seen by the child's own steps."""
    step = "arm" if target == "WatchdogStateMachineArn" else payload["step"] if target.endswith("FunctionArn") else ""
    if step:
        traces[-1].setdefault(label(payload), []).append(step)


class Case(NamedTuple):
    module: ModuleType
    test: Any
    arguments: dict[str, Any]

    async def run(self, monkeypatch: pytest.MonkeyPatch, engine: type, name: str) -> list[Trace]:
        engine.traces = []  # type: ignore[attr-defined]
        with monkeypatch.context() as patched:
            patched.setattr(self.module, name, engine)
            await self.test(**self._fixtures(engine), **self.arguments)
        return engine.traces  # type: ignore[attr-defined,no-any-return]

    def _fixtures(self, engine: type) -> dict[str, Any]:
        """The module's own fixtures, made without pytest: one set for each engine."""
        wanted = set(inspect.signature(self.test).parameters) - set(self.arguments)
        made = {"world": self.module.world.__wrapped__()} if wanted else {}
        if "engine" in wanted:
            made["engine"] = engine(made["world"])
        return {name: made[name] for name in wanted}


def cases(*modules: ModuleType, engine: str) -> list[Any]:
    return list(_cases(modules, engine))


def _cases(modules: tuple[ModuleType, ...], engine: str) -> Iterator[Any]:
    for module in modules:
        for name, test in vars(module).items():
            if not name.startswith("test_") or not inspect.iscoroutinefunction(test) or engine not in inspect.getsource(module):
                continue
            if name in OF_THE_OTHER_ENGINE or "engine._call" in inspect.getsource(test):
                continue  # the latter puts itself between that engine and its steps
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
        assert azure[ENDED] == aws[ENDED]
        assert azure.get(RUN) == aws.get(RUN)
        for database in azure.keys() | aws.keys():
            assert_one_begins_like_the_other(azure.get(database, []), aws.get(database, []))


def assert_one_begins_like_the_other(some: list[str], others: list[str]) -> None:
    """Where one database fails, a Map stops the others, while the orchestrator lets each come to its end. And the walker of the
    state machines takes databases one after another, so an execution that is stopped has not come to the later ones."""
    some, others = without_repetition(some), without_repetition(others)
    both = min(len(some), len(others))
    assert some[:both] == others[:both]


def without_repetition(steps: list[str]) -> list[str]:
    """How often a database says "come again" depends on when it is asked, and side by side is another time than one by one."""
    return [step for number, step in enumerate(steps) if number == 0 or steps[number - 1] != step]


@pytest.mark.parametrize("case", cases(test_backup_flow, test_groups, engine="Engine"))
async def test_a_backup_takes_the_same_steps(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    on_aws = await case.run(monkeypatch, OnAws, "Engine")
    on_azure = await case.run(monkeypatch, OnAzure, "Engine")
    assert_same(on_azure, on_aws)


@pytest.mark.parametrize("case", cases(*OF_A_RESTORE, engine="RestoreEngine"))
async def test_a_restore_takes_the_same_steps(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    on_aws = await case.run(monkeypatch, RestoreOnAws, "RestoreEngine")
    on_azure = await case.run(monkeypatch, RestoreOnAzure, "RestoreEngine")
    assert_same(on_azure, on_aws)
