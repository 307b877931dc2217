"""A deployment whose restores really run: the product's state machines over databases in memory, in virtual time, while a
command waits for them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from click.testing import CliRunner, Result

from shared.cli import main
from shared.cli.engine import Execution
from shared.cli.operator import AwsOperator
from shared.model.run import Run
from tests.unit.steps.restore.engine import RestoreEngine
from tests.unit.steps.restore.world import RestoreWorld

_STATUSES = {"STOPPED": "ABORTED"}


class Restores(AwsOperator):
    """The operator and the restore's engine in one. Executions go on only while a command sleeps. `asked` are the payloads."""

    def __init__(self, world: RestoreWorld | None = None) -> None:
        super().__init__("scalar-backup", "ap-northeast-1")
        self.world = world or RestoreWorld()
        self.engine = self  # type: ignore[assignment]
        self.rooms = self.world
        self.is_terminal = False
        self.asked: list[dict[str, Any]] = []
        self._steps = RestoreEngine(self.world)
        self._loop = asyncio.new_event_loop()
        self._executions: dict[str, asyncio.Task[str]] = {}
        self._later: list[tuple[datetime, Callable[[], None]]] = []

    def close(self) -> None:
        self.stop_executions()
        self._loop.run_until_complete(self._all_over())
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()

    async def _all_over(self) -> None:
        await asyncio.gather(*self._executions.values(), return_exceptions=True)

    @property
    def can_answer(self) -> bool:
        return self.is_terminal

    def now(self) -> datetime:
        return self.world.clock.now()

    def sleep(self, seconds: float) -> None:
        self._loop.run_until_complete(self._until(self.now() + timedelta(seconds=seconds)))
        due = [item for item in self._later if item[0] <= self.now()]
        self._later = [item for item in self._later if item not in due]
        for _, happen in due:
            happen()

    async def _until(self, moment: datetime) -> None:
        while self.now() < moment and not all(task.done() for task in self._executions.values()):
            await asyncio.sleep(0)
        if (left := (moment - self.now()).total_seconds()) > 0:
            self.world.clock.advance(left)

    def after(self, seconds: float, happen: Callable[[], None]) -> None:
        self._later.append((self.now() + timedelta(seconds=seconds), happen))

    def stop_executions(self) -> None:
        for task in self._executions.values():
            task.cancel()

    # -- what the engine is asked

    def restore(self, payload: dict[str, Any]) -> dict[str, Any]:
        self.asked.append(payload)
        answer = self._loop.run_until_complete(self._steps.ask(**payload))
        if "execution" in answer and answer["execution"] not in self._executions:
            self._executions[answer["execution"]] = self._loop.create_task(self._steps.execute(answer))
        return answer

    def started(self, arn: str) -> Execution:
        return Execution(arn, "RUNNING")

    def look(self, execution: Execution) -> Execution:
        task = self._executions[execution.arn]
        if not task.done():
            return execution
        status = "ABORTED" if task.cancelled() else task.result()
        return execution._replace(status=_STATUSES.get(status, status))

    # -- the person at the terminal

    def call(self, *arguments: str, answer: str | None = None) -> Result:
        """One command line. `answer` is what the person types when asked."""
        return CliRunner().invoke(main, arguments, obj=self, input=answer)

    def planned(self, *options: str) -> str:
        """The id of a new restore plan."""
        self.call("restore", "plan", "orders-prod", *options)
        return str(self._loop.run_until_complete(self._steps.ask(**self.asked[-1]))["plan_id"])

    def applied(self, *options: str) -> Result:
        """A restore, planned and carried out."""
        return self.call("restore", "apply", "orders-prod", "--plan-id", self.planned(*options), "--yes")

    @property
    def newest(self) -> Run:
        return max((run for run in self.world.stored.runs("orders-prod")), key=lambda run: run.id)
