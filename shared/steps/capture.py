"""Holds the pause and watches it: CheckPaused on every pod each second and a watch on the pods, until the safe interval holds a
whole second and the hold has passed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta

from shared.model.clock import ClockBounds
from shared.model.errors import BackupError, InvalidRequest
from shared.model.journal import PauseJournal
from shared.model.naming import listed
from shared.model.plan import Plan
from shared.model.pods import AdminTarget, PodChange, ReleaseSnapshot, WatchReport, judge_events
from shared.model.protection import WindowSnapshot
from shared.model.run import CaptureEvidence, Cause, PausedSample, PauseEvidence
from shared.model.window import NotedTime, safe_window
from shared.steps import evidence
from shared.steps.clocks import measure_clocks
from shared.steps.pause import RESUME_RESERVE_SECONDS
from shared.steps.ports import PodWatch, Rooms
from shared.steps.request import Answer, Request, number, text
from shared.steps.window_snapshots import WindowSnapshots

SAMPLE_SECONDS = 1.0
NEWS_SECONDS = 1.0
"""How long a pod that does not confirm may wait for the watch to say why. The window is void by then."""
NEWS_LOOK_SECONDS = 0.1
SNAPSHOT_PATIENCE = timedelta(seconds=15)
"""How much longer than the hold the pods stay paused for a service that does not answer the request for a snapshot."""


async def capture(request: Request, rooms: Rooms) -> Answer:
    """Holds the pause of attempt `attempt` of `run`, and ends at once when it is broken.

    Answer: `captured`, true when nothing spoke against the window until its end.
    """
    run, attempt = text(request, "run"), number(request, "attempt")
    known = evidence.load(rooms.catalog, run, evidence.part(attempt, "capture"), CaptureEvidence)
    if known is None:
        known, snapshots = await _capture_once(run, attempt, rooms)
        if snapshots:
            evidence.save(rooms.catalog, run, evidence.snapshots(attempt), snapshots)
        evidence.save(rooms.catalog, run, evidence.part(attempt, "capture"), known)
    return {"captured": not known.causes, "causes": [cause.code for cause in known.causes]}


async def _capture_once(run: str, attempt: int, rooms: Rooms) -> tuple[CaptureEvidence, tuple[WindowSnapshot, ...]]:
    catalog = rooms.catalog
    paused = evidence.load(catalog, run, evidence.part(attempt, "pause"), PauseEvidence)
    journal = catalog.pause_journal(run, attempt)
    if paused is None or paused.confirmed is None or journal is None:
        raise InvalidRequest(f"Attempt {attempt} of run {run} has no confirmed pause to hold.")
    before = evidence.load(catalog, run, evidence.part(attempt, "before"), tuple[ReleaseSnapshot, ...]) or ()
    plan = evidence.plan_of(catalog, run)
    asking = WindowSnapshots(plan, run, attempt, rooms)
    hold = _Hold(plan, journal, paused.confirmed, before, asking, rooms)
    try:
        with rooms.releases.watch(before) as watch:
            held = await hold.keep(watch)
    except BackupError as error:
        held = hold.ended(None, Cause(code="watch-broken", message=error.message, hint=error.hint))
    return held, asking.taken()


class _Hold:
    """One pause being held. Collects the evidence and decides when it is enough."""

    def __init__(
        self,
        plan: Plan,
        journal: PauseJournal,
        confirmed: NotedTime,
        before: tuple[ReleaseSnapshot, ...],
        snapshots: WindowSnapshots,
        rooms: Rooms,
    ) -> None:
        self._plan, self._confirmed, self._before, self._snapshots, self._rooms = plan, confirmed, before, snapshots, rooms
        self._targets: list[AdminTarget] = [target for release in journal.releases for target in release.targets]
        self._deadline = journal.resume_by - timedelta(seconds=RESUME_RESERVE_SECONDS)
        self._hold_until = confirmed.at + timedelta(seconds=plan.pause.hold_seconds)
        self._samples: list[PausedSample] = []
        self._clocks: Mapping[str, ClockBounds] = {}

    async def keep(self, watch: PodWatch) -> CaptureEvidence:
        measuring = asyncio.create_task(self._measure_own_clock())
        try:
            while True:
                self._samples.append(await self._rooms.admin.check_paused(self._targets))
                if measuring.done():
                    self._clocks = measuring.result()
                if cause := await self._broken(watch):
                    return self.ended(watch.report(), cause)
                now = self._rooms.clock.now()
                if self._is_enough(now):
                    return self.ended(watch.report())
                if now >= self._deadline:
                    return self.ended(watch.report(), self._too_long(now))
                await self._rooms.clock.sleep(self._until_next_look(now))
        finally:
            measuring.cancel()

    def ended(self, report: WatchReport | None, cause: Cause | None = None) -> CaptureEvidence:
        return CaptureEvidence(
            process=self._rooms.clock.process,
            samples=tuple(self._samples),
            watch=report or WatchReport(events=(), positions={}, broken=cause.message if cause else ""),
            clocks=self._clocks,
            ended_at=self._rooms.clock.now(),
            causes=(cause,) if cause else (),
        )

    async def _measure_own_clock(self) -> Mapping[str, ClockBounds]:
        """A process that paused and holds has measured already; another one measures while the pods stand still anyway."""
        if self._rooms.clock.process == self._confirmed.process:
            return self._confirmed.clocks
        return await measure_clocks(self._plan, self._rooms)

    async def _broken(self, watch: PodWatch) -> Cause | None:
        """What happened to a pod comes first: it is why a pod does not confirm, too. The news of it may come a little later."""
        patience_seconds = 0.0 if self._samples[-1].proves_pause else NEWS_SECONDS
        while True:
            if cause := cause_of(judge_events(self._before, watch.report())):
                return cause
            if patience_seconds <= 0:
                break
            patience_seconds -= NEWS_LOOK_SECONDS
            await self._rooms.clock.sleep(NEWS_LOOK_SECONDS)
        if self._samples[-1].proves_pause:
            return None
        pods = listed([*self._samples[-1].not_paused, *self._samples[-1].unknown])
        return Cause(code="pause-not-held", message=f"CheckPaused did not confirm the pause during the hold on: {pods}.")

    def _is_enough(self, now: datetime) -> bool:
        """`now` stands for the moment the resume would begin."""
        if now < self._hold_until or not self._clocks:
            return False
        if not self._snapshots.are_asked_for and now < self._hold_until + SNAPSHOT_PATIENCE:
            return False
        here = NotedTime(at=now, process=self._rooms.clock.process, clocks=self._clocks)
        margin = timedelta(seconds=self._plan.pause.margin_seconds)
        return safe_window(self._confirmed, here, self._clocks, margin).point is not None

    def _too_long(self, now: datetime) -> Cause:
        held = (now - self._confirmed.at).total_seconds()
        return Cause(
            code="no-safe-second",
            message=f"After {held:.0f} s the window still holds no second that is safe on every database's clock.",
            hint="The clock bounds in the evidence show which database is uncertain; raise pause.max_pause to hold longer.",
        )

    def _until_next_look(self, now: datetime) -> float:
        left = (self._hold_until - now).total_seconds()
        return min(SAMPLE_SECONDS, left) if left > 0 else SAMPLE_SECONDS / 4


def cause_of(changes: tuple[PodChange, ...]) -> Cause | None:
    """The first change is the cause; the message has all of them."""
    if not changes:
        return None
    return Cause(
        code=changes[0].code,
        message=listed([change.detail for change in changes], "; ") + ".",
        hint="A pod that was added, replaced or restarted ran unpaused; the window is tried again.",
    )
