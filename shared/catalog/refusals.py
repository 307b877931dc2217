"""The errors with which a catalog answers, worded once for every implementation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from shared.model.errors import FencedOff, LeaseHeld, PausedByAnother, RevisionConflict, UnknownPlan, UnknownPoint, UnknownRun
from shared.model.lease import Lease
from shared.model.restore_point import PointPhase, RestorePoint
from shared.model.run import Run
from shared.model.times import iso

LATEST = "latest"
RESTORABLE = (PointPhase.AVAILABLE, PointPhase.VERIFIED)
"""The phases of a point that `latest` may mean."""
NAMED_AT_MOST = 10


def unknown_plan(name: str, existing: Iterable[str]) -> UnknownPlan:
    names = sorted(existing)
    if not names:
        return UnknownPlan(f"There is no plan {name!r}: no plan was applied yet.", hint="`scalar-backup plan apply FILE` does.")
    return UnknownPlan(f"There is no plan {name!r}.", hint=_guess(name, names) + f"Plans: {_listed(names)}.")


def unknown_run(run_id: str, existing: Iterable[str]) -> UnknownRun:
    names = list(existing)
    known = f"Newest first: {_listed(names)}." if names else "There are no runs yet."
    return UnknownRun(f"There is no run {run_id!r}.", hint=_guess(run_id, names) + known)


def unknown_point(plan: str, point_id: str, existing: Sequence[RestorePoint]) -> UnknownPoint:
    names = [f"{point.id} ({point.phase.value})" for point in existing]
    known = f"Newest first: {_listed(names)}." if names else "Nothing was backed up yet: `scalar-backup backup run` does."
    if point_id == LATEST:
        return UnknownPoint(f"Plan {plan!r} has no restore point that is available or verified.", hint=known)
    guess = _guess(point_id, [point.id for point in existing])
    return UnknownPoint(f"Plan {plan!r} has no restore point {point_id!r}.", hint=guess + known)


def unknown_pause(run: str, attempt: int) -> UnknownRun:
    return UnknownRun(
        f"Run {run} has no pause journal for attempt {attempt}.", hint="It was never opened, so nothing was paused for it."
    )


def lease_held(lease: Lease) -> LeaseHeld:
    return LeaseHeld(
        f"Plan {lease.plan} is held by run {lease.run} until {iso(lease.expires_at)}.",
        hint=f"Wait for that run (`scalar-backup runs show {lease.run}`); if it crashed, the plan is free then.",
    )


def lease_lost(plan: str, run: str, token: int, holder: str) -> FencedOff:
    now_held = f"run {holder} holds it" if holder and holder != run else "it was given back or taken over"
    return FencedOff(
        f"Run {run} no longer holds plan {plan} with token {token}: {now_held}.",
        hint="Whatever this run still wanted to do is stale. Start a new run.",
    )


def stale_run(run: Run, stored_token: int) -> FencedOff:
    return FencedOff(
        f"The record of run {run.id} was written with token {stored_token}; this writer has the older token {run.token}.",
        hint="A later execution has taken the run over, so this one must stop.",
    )


def paused_by_another(release: str, run: str, attempt: int) -> PausedByAnother:
    return PausedByAnother(
        f"{release} may still be paused by run {run} (attempt {attempt}): its pause journal is open.",
        hint=f"Wait until it resumes or its watchdog has, or resume by hand: `scalar-backup unpause --run {run}`.",
    )


def plan_changed(name: str) -> RevisionConflict:
    return RevisionConflict(
        f"Plan {name} was changed by somebody else at the same moment; nothing was stored.",
        hint=f"Look at it (`scalar-backup plan show {name}`) and apply yours again if it is still right.",
    )


def _guess(name: str, existing: Sequence[str]) -> str:
    near = get_close_matches(name, existing, n=1)
    return f"Did you mean {near[0]!r}? " if near else ""


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:NAMED_AT_MOST])
    more = len(names) - NAMED_AT_MOST
    return f"{shown} and {more} more" if more > 0 else shown
