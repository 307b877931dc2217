"""Walks the product's own state machine definitions in virtual time, with the steps called in process.

It knows the part of the Amazon States Language that they use, and nothing else: an unknown field is an error. The scenarios run
the same definitions on a real interpreter; this one makes a thousand crashes affordable.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from shared.model.times import iso

DEFINITIONS = Path(__file__).parents[3] / "functions_aws" / "state_machines"


class Killed(BaseException):
    """The function's process is gone. Not an Exception, so that nothing in the product can handle it."""


class Stopped(BaseException):
    """The whole execution is gone: stopped from the console, or its engine failed. No Catch runs."""


class TaskFailed(Exception):
    """What a state reports: an error name and a cause, as Step Functions does."""

    def __init__(self, error: str, cause: str) -> None:
        super().__init__(f"{error}: {cause}")
        self.error, self.cause = error, cause


Call = Callable[[str, dict[str, Any]], Awaitable[Any]]


class Machine:
    """`call(resource, payload)` carries out a task: `resource` is the substitution's name, such as `WindowFunctionArn`."""

    def __init__(self, name: str, call: Call, clock: Any, execution: dict[str, Any]) -> None:
        self._definition = json.loads((DEFINITIONS / f"{name}.asl.json").read_text())
        self._call, self._clock, self._execution = call, clock, execution
        self.visited: list[str] = []

    async def run(self) -> Any:
        """The output; raises TaskFailed when the execution fails."""
        return await self._walk(self._definition, self._execution["Input"], {"Execution": self._execution})

    async def _walk(self, machine: dict[str, Any], data: Any, context: dict[str, Any]) -> Any:
        name = machine["StartAt"]
        while True:
            state = machine["States"][name]
            self.visited.append(name)
            kind = state["Type"]
            if kind == "Fail":
                raise TaskFailed(_get(state["ErrorPath"], data, context), _get(state["CausePath"], data, context))
            if kind == "Choice":
                name = _choose(state, data)
                continue
            try:
                data = await self._carry_out(kind, state, data, context)
            except TaskFailed as failure:
                name, data = _caught(state, failure, data)
                continue
            if kind == "Succeed":
                return _get(state["OutputPath"], data, context)
            if state.get("End"):
                return data
            name = state["Next"]

    async def _carry_out(self, kind: str, state: dict[str, Any], data: Any, context: dict[str, Any]) -> Any:
        match kind:
            case "Succeed":
                return data
            case "Pass":
                result = state["Result"] if "Result" in state else _fill(state["Parameters"], data, context)
            case "Wait":
                await self._wait(state, data, context)
                return data
            case "Map":
                result = [
                    await self._walk(state["ItemProcessor"], _fill(state["ItemSelector"], data, item), item)
                    for item in _items(state, data, context)
                ]
            case "Task":
                result = await self._task(state, data, context)
            case _:
                raise NotImplementedError(kind)
        return _put(state.get("ResultPath", "$"), data, result)

    async def _wait(self, state: dict[str, Any], data: Any, context: dict[str, Any]) -> None:
        if "SecondsPath" in state:
            seconds = _get(state["SecondsPath"], data, context)
            assert isinstance(seconds, int), "Step Functions waits whole seconds only"
            await self._clock.sleep(seconds)
        else:
            await self._clock.sleep_until(_get(state["TimestampPath"], data, context))

    async def _task(self, state: dict[str, Any], data: Any, context: dict[str, Any]) -> Any:
        tries: dict[int, int] = {}
        while True:
            try:
                return await self._try(state, data, context)
            except TaskFailed as failure:
                index, retry = next(
                    ((i, r) for i, r in enumerate(state.get("Retry", [])) if _matches(r, failure)), (None, None)
                )
                if retry is None or tries.get(index, 0) >= retry["MaxAttempts"]:
                    raise
                wait = retry["IntervalSeconds"] * retry["BackoffRate"] ** tries.get(index, 0)
                tries[index] = tries.get(index, 0) + 1
                await self._clock.sleep(min(wait, retry.get("MaxDelaySeconds", wait)))

    async def _try(self, state: dict[str, Any], data: Any, context: dict[str, Any]) -> Any:
        parameters = _fill(state["Parameters"], data, context)
        target = parameters.get("FunctionName") or parameters["StateMachineArn"]
        payload = json.loads(json.dumps(parameters.get("Payload", parameters.get("Input"))))
        try:
            answer = await self._call(target.strip("${}"), payload | {"_name": parameters.get("Name", "")})
        except Killed as death:
            raise TaskFailed("Lambda.Unknown", "") from death
        except TaskFailed:
            raise
        except Exception as error:
            cause = json.dumps({"errorType": type(error).__name__, "errorMessage": str(error)})
            raise TaskFailed(type(error).__name__, cause) from error
        answer = {"Payload": json.loads(json.dumps(answer)), "Output": answer}
        return _fill(state["ResultSelector"], answer, context) if "ResultSelector" in state else answer


def execution(clock: Any, name: str, given: Any) -> dict[str, Any]:
    return {"Id": f"arn:execution:{name}", "Name": name, "StartTime": iso(clock.now()), "Input": given}


def _matches(rule: dict[str, Any], failure: TaskFailed) -> bool:
    return "States.ALL" in rule["ErrorEquals"] or failure.error in rule["ErrorEquals"]


def _caught(state: dict[str, Any], failure: TaskFailed, data: Any) -> tuple[str, Any]:
    for rule in state.get("Catch", []):
        if _matches(rule, failure):
            return rule["Next"], _put(rule["ResultPath"], data, {"Error": failure.error, "Cause": failure.cause})
    raise failure


def _choose(state: dict[str, Any], data: Any) -> str:
    for choice in state["Choices"]:
        value = _get(choice["Variable"], data, {})
        wanted = choice.get("BooleanEquals", choice.get("StringEquals"))
        if value == wanted:
            return choice["Next"]
    return state["Default"]


def _items(state: dict[str, Any], data: Any, context: dict[str, Any]) -> list[dict[str, Any]]:
    values = _get(state["ItemsPath"], data, context)
    return [context | {"Map": {"Item": {"Index": index, "Value": value}}} for index, value in enumerate(values)]


def _fill(template: Any, data: Any, context: dict[str, Any]) -> Any:
    if isinstance(template, dict):
        return {
            key.removesuffix(".$"): _get(value, data, context) if key.endswith(".$") else _fill(value, data, context)
            for key, value in template.items()
        }
    return template


def _get(path: str, data: Any, context: dict[str, Any]) -> Any:
    if match := re.fullmatch(r"States\.Format\('([^']*)', (.*)\)", path):
        values = [str(_get(part, data, context)) for part in match[2].split(", ")]
        return match[1].replace("{}", "%s") % tuple(values)
    value, keys = (context, path[3:]) if path.startswith("$$.") else (data, path[2:])
    for key in filter(None, keys.split(".")):
        value = value[key]
    return value


def _put(path: str, data: Any, result: Any) -> Any:
    if path == "$":
        return result
    return {**data, path[2:]: result}
