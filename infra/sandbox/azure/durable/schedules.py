"""Timer triggers: one occurrence of a function at a time, remembered in the state file so that a missed one is made up."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from infra.sandbox.azure.durable.clock import VirtualClock
from infra.sandbox.azure.durable.engine import Engine
from infra.sandbox.azure.durable.functions import Function
from infra.sandbox.azure.durable.ncrontab import Ncrontab
from infra.sandbox.azure.durable.protocol import from_text, to_text

_LONGEST_NAP_SECONDS = 1.0
_VIRTUAL_NAP_SECONDS = 0.01
_MONITORED = dt.timedelta(minutes=1)
"""Shorter intervals are not remembered, whatever use_monitor says."""

Invoke = Callable[[Function, Any], Awaitable[object]]


class Schedules:
    """Virtual time does not move for the sake of a schedule, but stops at each occurrence on its way."""

    def __init__(self, engine: Engine, functions: list[Function], resolve: Callable[[str], str], invoke: Invoke) -> None:
        self._engine, self._invoke = engine, invoke
        self._schedules = [(function, Ncrontab.parse(resolve(function.binding["schedule"]))) for function in functions]
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        self._tasks = [asyncio.create_task(self._follow(*item)) for item in self._schedules]

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _follow(self, function: Function, schedule: Ncrontab) -> None:
        clock = self._engine.clock
        due = schedule.after(clock.now())
        monitored = function.binding.get("useMonitor", True) and schedule.after(due) - due >= _MONITORED
        stored = self._stored(function) if monitored else None
        late = stored is not None and stored <= clock.now()
        if late or function.binding.get("runOnStartup"):
            await self._fire(function, due, past_due=late)
        while True:
            due = schedule.after(clock.now())
            if monitored:
                self._put(function, due)
            self._engine.alarms[function.name] = due
            while clock.now() < due:
                await asyncio.sleep(self._nap_seconds(due))
            await self._fire(function, schedule.after(due), past_due=False)

    def _nap_seconds(self, due: dt.datetime) -> float:
        if isinstance(self._engine.clock, VirtualClock):
            return _VIRTUAL_NAP_SECONDS
        return min(_LONGEST_NAP_SECONDS, max(0.001, (due - self._engine.clock.now()).total_seconds()))

    async def _fire(self, function: Function, following: dt.datetime, *, past_due: bool) -> None:
        status = {"Last": to_text(self._engine.clock.now()), "Next": to_text(following)}
        try:
            await self._invoke(function, timer_info(past_due=past_due, status=status))
        except Exception:
            logging.exception("The timer function %s failed; its next occurrence comes as planned.", function.name)

    def _stored(self, function: Function) -> dt.datetime | None:
        with self._engine.changed:
            text = self._engine.store.setting(f"next occurrence of {function.name}")
        return from_text(text) if text else None

    def _put(self, function: Function, due: dt.datetime) -> None:
        with self._engine.changed, self._engine.store.transaction():
            self._engine.store.put_setting(f"next occurrence of {function.name}", to_text(due))


def timer_info(*, past_due: bool = False, status: dict[str, str] | None = None) -> dict[str, Any]:
    """What a timer trigger is given."""
    return {"IsPastDue": past_due, "Schedule": {"AdjustForDST": False}, "ScheduleStatus": status or {}}
