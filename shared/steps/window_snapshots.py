"""Snapshots that are asked for inside the pause window, beside the samples. Whatever comes of them, the pause goes on: without
one, the point rests on the recovery window alone."""

from __future__ import annotations

import asyncio

from shared.model.errors import BackupError
from shared.model.plan import Database, Plan
from shared.model.protection import WindowSnapshot
from shared.steps.ports import Rooms


class WindowSnapshots:
    """Asks for a snapshot of every database of the plan that has one in its window, from the moment this is made."""

    def __init__(self, plan: Plan, run: str, attempt: int, rooms: Rooms) -> None:
        self._asking = {
            database.key: asyncio.create_task(asyncio.to_thread(_ask, database, run, attempt, rooms))
            for database in plan.databases
            if database.has_window_snapshot
        }

    @property
    def are_asked_for(self) -> bool:
        return all(task.done() for task in self._asking.values())

    def taken(self) -> tuple[WindowSnapshot, ...]:
        """One for each database, as far as the services have answered by now."""
        return tuple(_result(key, task) for key, task in self._asking.items())


def _ask(database: Database, run: str, attempt: int, rooms: Rooms) -> WindowSnapshot:
    try:
        return rooms.database(database).begin_snapshot(database, run, attempt)
    except BackupError as error:
        return WindowSnapshot(database=database.key, problem=f"{error.message} {error.hint}".strip())


def _result(key: str, task: asyncio.Task[WindowSnapshot]) -> WindowSnapshot:
    if not task.done():
        task.cancel()
        return WindowSnapshot(database=key, problem="The service did not answer while the pods were paused.")
    if error := task.exception():
        return WindowSnapshot(database=key, problem=f"It could not be asked for: {error!r}.")
    return task.result()
