"""The picture of a run on a terminal."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from shared.cli.engine import Execution
from shared.cli.follow import View
from shared.cli.progress import picture, story
from shared.model.pause_decision import PauseDecision
from shared.model.protection import ItemPhase
from shared.model.records import replace
from shared.model.run import AttemptStatus, RunStatus
from tests.unit.cli import samples
from tests.unit.cli.samples import AT, EXECUTION, RUN_ID, after


def drawn(**changes: Any) -> str:
    view = View(at=after(25), execution=Execution(EXECUTION, "RUNNING"), attempts_allowed=3)._replace(**changes)
    console = Console(file=io.StringIO(), width=200, force_terminal=False)
    console.print(picture(view))
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


first, second = samples.run().attempts
HELD = replace(second, status=AttemptStatus.OPEN, resumed_at=None, point=None)


def test_before_its_record_a_run_is_waited_for() -> None:
    assert drawn() == "waiting for the run's record (RUNNING)\n"


def test_a_hold_counts_down() -> None:
    running = replace(samples.run(RunStatus.RUNNING), step="capture", attempts=(first, HELD), ended_at=None)
    text = drawn(run=running, steps=(("check", after(1)), ("pause", after(19)), ("capture", after(22))))
    assert "check 03:00:01 → pause 03:00:19 → capture 3.0s" in text
    assert "✗ attempt 1 of 3: window invalid: container scalardb of pod a restarted" in text
    assert "● attempt 2 of 3: 3 pods paused for 3.6s, 6 s of the hold left" in text


@pytest.mark.parametrize(
    ("attempt", "said"),
    [
        (replace(HELD, hold_until=after(24)), "hold complete, being resumed"),
        (replace(HELD, resumed_at=after(24.9)), "pods resumed after 3.5 s of pause; the evidence is being judged"),
        (replace(HELD, paused_at=None, hold_until=None), "pausing the pods"),
        (second, f"window proven after 10.7 s of pause, restore point {AT}"),
    ],
)
def test_each_state_of_a_window_has_its_words(attempt: Any, said: str) -> None:
    assert said in drawn(run=replace(samples.run(RunStatus.RUNNING), attempts=(attempt,)))


def test_a_backup_without_a_pause_says_why_none_is_needed() -> None:
    alone = PauseDecision(
        needed=False,
        rule="single-relational",
        reason="rds:ap-northeast-1:orders-db alone restores to one consistent moment at any time.",
    )
    chosen = replace(second, paused_at=None, hold_until=None, resumed_at=None, pods=0)
    run = replace(samples.run(RunStatus.RUNNING), attempts=(chosen,), pause=alone)
    assert f"pause not needed: {alone.reason}" in drawn(run=run)
    assert f"attempt 2 of 3: no window needed, restore point {AT}" in drawn(run=run)
    view = View(at=after(25), execution=Execution(EXECUTION, "RUNNING"), run=run, attempts_allowed=3)
    assert f"pause not needed: {alone.reason}" in list(story(view))
    assert f"attempt 2 of 3: no window needed, restore point {AT}" in list(story(view))


def test_tables_are_shown_one_by_one_while_they_are_few() -> None:
    few = samples.protection(ItemPhase.KEPT, ItemPhase.COPYING, done=False)
    text = drawn(run=samples.run(RunStatus.RUNNING), protections=(few,))
    assert "1 of 2 tables done (1 copying)" in text
    assert "bank.t2  copying" in text
    many = samples.protection(*[ItemPhase.RESTORING] * 1000, done=False)
    text = drawn(run=samples.run(RunStatus.RUNNING), protections=(many,))
    assert "0 of 1000 tables done (1000 restoring)" in text
    assert "bank.t2" not in text


def test_the_end_is_the_last_line() -> None:
    assert (
        drawn(run=samples.run(), point=samples.point())
        .splitlines()[-1]
        .startswith(f"succeeded after 1m 35s: restore point {RUN_ID}")
    )
