"""What stands between a step and the record of a restore: the step belongs to the execution that holds the plan, or it ends."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from shared.model.errors import FencedOff, InvalidRequest
from shared.model.records import replace
from shared.model.restore import RestorePhase, RestoreRecord, Target
from shared.model.run import Run, RunStatus
from shared.steps import evidence
from shared.steps.ports import Catalog, Rooms
from shared.steps.request import Request, number, text
from shared.steps.restore.record import (
    RECORD,
    DatabaseProgress,
    RestoreScope,
    all_progress,
    load_record,
    load_scope,
    progress_document,
)

LEASE_SLACK = timedelta(minutes=30)
"""A call may take a quarter of an hour and be retried after a wait; the lease must outlast that."""
LONGEST_WAIT_SECONDS = 600
_ORDER = list(RestorePhase)
_LED_BACK = (RestorePhase.LEADING_BACK, RestorePhase.LED_BACK)


class Restoring:
    """A restore in the hands of one step. Everything that it writes renews the lease first, so a step whose run has lost the
    plan, or was taken over by another execution, writes nothing."""

    def __init__(self, run: Run, record: RestoreRecord, scope: RestoreScope, rooms: Rooms) -> None:
        self.run, self.record, self.scope = run, record, scope
        self._rooms = rooms

    @property
    def in_place(self) -> bool:
        return self.scope.restore.request.target is Target.IN_PLACE

    def is_past(self, phase: RestorePhase) -> bool:
        return _ORDER.index(self.record.phase) > _ORDER.index(phase)

    def renew(self) -> None:
        """Raises FencedOff."""
        now = self._rooms.clock.now()
        self._rooms.catalog.renew_lease(self.run.plan, self.run.id, self.run.token, now + LEASE_SLACK, now)

    def save(self, **changes: Any) -> None:
        """Changes the record. Does nothing when all of it is so already."""
        changed = replace(self.record, **changes)
        if changed == self.record:
            return
        self.renew()
        evidence.save(self._rooms.catalog, self.run.id, RECORD, changed)
        self.record = changed

    def enter(self, phase: RestorePhase, step: str, **changes: Any) -> None:
        """The record in `phase`, if it is not there or further already; the run's record names the step."""
        if self.is_past(phase):
            self.save(**changes)
            return
        self.save(phase=phase, **changes)
        if self.run.step != step:
            self.run = self._rooms.catalog.save_run(replace(self.run, step=step))

    def progress(self) -> dict[str, DatabaseProgress | None]:
        return all_progress(self._rooms.catalog, self.run.id, self.scope)

    def save_progress(self, progress: DatabaseProgress) -> None:
        self.renew()
        evidence.save(self._rooms.catalog, self.run.id, progress_document(progress.database), progress)


def hold(request: Request, rooms: Rooms, *, back: bool = False) -> Restoring:
    """The restore that `run` names, for a step of the execution whose `token` this is. `back`: the step may also be part of
    the way back to the old data.

    Raises:
        FencedOff: the run is over or halted, another execution has taken it over, or another run holds the plan; or it is on
            its way back and the step leads forward.
    """
    catalog = rooms.catalog
    run, token = catalog.run(text(request, "run")), number(request, "token")
    if run.status is not RunStatus.RUNNING:
        raise FencedOff(
            f"Run {run.id} is {run.status.value}; this step belongs to an execution that is over.",
            hint=f'How it stands: {{"action": "status", "run": "{run.id}"}}.',
        )
    if run.token != token:
        raise FencedOff(f"Run {run.id} was taken over by a later execution (token {run.token}, this step has {token}).")
    restoring = Restoring(run, *_stored(catalog, run), rooms)
    restoring.renew()
    if restoring.record.phase in _LED_BACK and not back:
        raise FencedOff(f"Run {run.id} is {restoring.record.phase.value}: nothing more is restored for it.")
    return restoring


def _stored(catalog: Catalog, run: Run) -> tuple[RestoreRecord, RestoreScope]:
    record, scope = load_record(catalog, run.id), load_scope(catalog, run.id)
    if record is None or scope is None:
        raise InvalidRequest(f"Run {run.id} is no restore that has begun.", hint="The step restore_begin comes first.")
    return record, scope


def waiting(done: bool, wait_seconds: float, message: str) -> dict[str, Any]:
    """The answer of a step that is repeated. Step Functions waits whole seconds, and the lease has to outlast the wait."""
    return {"done": done, "wait_seconds": max(1, min(LONGEST_WAIT_SECONDS, round(wait_seconds))), "message": message}
