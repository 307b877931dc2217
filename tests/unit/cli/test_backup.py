"""`scalar-backup backup run`: starts a run, shows it live, and ends with its result."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.catalog.memory import MemoryCatalog
from shared.model.errors import Unreachable
from shared.model.protection import ItemPhase
from shared.model.records import replace, to_record
from shared.model.restore_point import PointPhase
from shared.model.run import Attempt, AttemptStatus, Run, RunStatus
from tests.unit.cli import samples
from tests.unit.cli.samples import AT, BEGAN, DATABASE, EXECUTION, RUN_ID, after
from tests.unit.cli.world import World


class FlakyCatalog(MemoryCatalog):
    """Does not answer about runs while `down`."""

    down = False

    def runs(self, plan: str, limit: int = 20) -> tuple[Run, ...]:
        if self.down:
            raise Unreachable("The catalog gave no answer.")
        return super().runs(plan, limit)


def world(catalog: MemoryCatalog | None = None) -> World:
    made = World(catalog or MemoryCatalog(), at=BEGAN)
    made.catalog.put_plan(samples.PLAN, BEGAN)
    return made


def at_work(step: str, *attempts: Attempt) -> Run:
    return replace(samples.run(RunStatus.RUNNING), step=step, attempts=attempts, ended_at=None, point=None)


def let_it_run(made: World, *, fails: bool = False) -> None:
    """A run of two windows, as its steps would record it."""
    first, second = samples.run(RunStatus.FAILED if fails else RunStatus.SUCCEEDED).attempts
    paused = replace(second, status=AttemptStatus.OPEN, resumed_at=None, point=None, cause=None)

    def save(run: Run) -> Any:
        return lambda: made.catalog.save_run(run)

    def progress(*phases: ItemPhase, done: bool = False) -> Any:
        value = replace(samples.protection(*phases, done=done), message="" if done else "waiting for PITR")
        return lambda: made.catalog.put_document(RUN_ID, f"protection/{DATABASE}", to_record(value))

    made.later(after(1), lambda: made.catalog.create_run(at_work("check")))
    made.later(after(3), save(at_work("judge", first)))
    made.later(after(21), save(at_work("capture", first, paused)))
    if not fails:
        made.later(after(33), save(at_work("judge", first, second)))
        made.later(after(40), progress(ItemPhase.RESTORING, ItemPhase.KEPT))
        made.later(after(80), progress(ItemPhase.KEPT, ItemPhase.KEPT, done=True))
    ended = samples.run(RunStatus.FAILED if fails else RunStatus.SUCCEEDED)
    made.later(after(95), lambda: made.catalog.put_point(samples.point(PointPhase.INVALID if fails else PointPhase.AVAILABLE)))
    made.later(after(95), save(ended))
    made.engine.statuses = {after(96): "FAILED" if fails else "SUCCEEDED"}


def test_a_run_is_told_line_by_line_and_ends_with_its_point() -> None:
    made = world()
    let_it_run(made)
    result = made.call("backup", "run", "orders-prod", "--reason", "pre-upgrade")
    assert result.exit_code == 0
    assert made.engine.started == [("orders-prod", "pre-upgrade")]
    assert result.stdout == f"succeeded after 1m 35s: restore point {RUN_ID} {AT}\n"
    assert result.stderr.splitlines() == [
        f"execution {EXECUTION}",
        f"2026-11-24T03:00:00Z run {RUN_ID} began (pre-upgrade)",
        "pause needed: dynamodb:ap-northeast-1 does not cut all tables at one consistent moment.",
        "2026-11-24T03:00:02Z attempt 1 of 3 began",
        "attempt 1 of 3: window invalid: container scalardb of pod a restarted The window is tried again.",
        "attempt 1 of 3 is followed by another",
        "2026-11-24T03:00:18Z attempt 2 of 3 began",
        "2026-11-24T03:00:21.400000Z attempt 2 of 3: 3 pods paused, held at least until 2026-11-24T03:00:31.400000Z",
        "2026-11-24T03:00:32.100000Z attempt 2 of 3: pods resumed after 10.7 s of pause",
        f"attempt 2 of 3: window proven, restore point {AT}",
        f"{DATABASE}: 1 of 2 tables done (1 restoring): waiting for PITR",
        f"{DATABASE}: 2 of 2 tables done",
        f"succeeded after 1m 35s: restore point {RUN_ID} {AT}",
    ]


def test_a_failed_run_fails_the_command_with_its_cause() -> None:
    made = world()
    let_it_run(made, fails=True)
    result = made.call("backup", "run", "orders-prod")
    assert result.exit_code == 1
    assert result.stdout == "failed: container scalardb of pod a restarted The window is tried again.\n"


def test_the_result_is_a_document_for_machines() -> None:
    made = world()
    let_it_run(made)
    document = json.loads(made.call("backup", "run", "orders-prod", "-o", "json").stdout)
    assert set(document) == {"plan", "execution", "console", "status", "run", "point"}
    assert (document["status"], document["run"]["id"], document["point"]["at"]) == ("succeeded", RUN_ID, AT)


def test_without_waiting_the_execution_is_the_answer() -> None:
    result = world().call("backup", "run", "orders-prod", "--no-wait")
    assert (result.exit_code, result.stdout) == (0, f"{EXECUTION}\n")
    assert "scalar-backup runs list orders-prod" in result.stderr


def test_the_time_out_stops_only_the_waiting() -> None:
    made = world()
    made.catalog.create_run(at_work("protect"))
    result = made.call("backup", "run", "orders-prod", "--timeout", "30s")
    assert result.exit_code == 1
    assert "the time-out is over. The run goes on." in result.stderr
    assert made.now() == after(30)


@pytest.mark.parametrize("timeout", ["soon", "-1s", "1e9s"])
def test_a_time_out_that_is_no_duration_is_wrong_usage(timeout: str) -> None:
    made = world()
    assert made.call("backup", "run", "orders-prod", "--timeout", timeout).exit_code == 3
    assert made.engine.started == []


def test_ctrl_c_stops_only_the_waiting() -> None:
    made = world()

    def interrupt() -> None:
        raise KeyboardInterrupt

    made.later(after(5), interrupt)
    result = made.call("backup", "run", "orders-prod")
    assert result.exit_code == 130
    assert "Stopped waiting. The run goes on" in result.stderr


def test_an_execution_that_ends_without_a_word_fails_and_names_pods_that_may_be_paused() -> None:
    made = world()
    made.catalog.acquire_lease("orders-prod", RUN_ID, after(500), BEGAN)
    made.catalog.create_run(at_work("capture"))
    made.catalog.open_pause(samples.journal())
    made.engine.statuses = {after(5): "ABORTED"}
    result = made.call("backup", "run", "orders-prod")
    assert result.exit_code == 1
    assert "the execution ended (ABORTED) while the run's record still says running" in result.stderr
    assert f"Error: Pods of run {RUN_ID} may still be paused." in result.stderr
    assert "The watchdog resumes them at 03:03:20Z" in result.stderr


def test_an_execution_that_ends_before_its_run_has_a_record_fails() -> None:
    made = world()
    made.engine.statuses = {after(2): "FAILED"}
    result = made.call("backup", "run", "orders-prod")
    assert result.exit_code == 1
    assert "the execution ended (FAILED) before the run had a record" in result.stderr


def test_a_run_of_another_execution_is_not_taken_for_this_one() -> None:
    made = world()
    made.catalog.create_run(replace(samples.run(), execution="arn:another"))
    made.engine.statuses = {after(2): "FAILED"}
    assert made.call("backup", "run", "orders-prod").exit_code == 1


def test_a_catalog_that_is_away_for_a_while_does_not_end_the_waiting() -> None:
    catalog = FlakyCatalog()
    made = world(catalog)
    let_it_run(made)
    catalog.down = True
    made.later(after(60), lambda: setattr(catalog, "down", False))
    assert made.call("backup", "run", "orders-prod").exit_code == 0


def test_a_catalog_that_stays_away_ends_the_waiting_with_its_own_exit_code() -> None:
    catalog = FlakyCatalog()
    made = world(catalog)
    catalog.down = True
    result = made.call("backup", "run", "orders-prod")
    assert result.exit_code == 2
    assert "It goes on by itself." in result.stderr


def test_an_unknown_plan_starts_nothing() -> None:
    made = world()
    assert made.call("backup", "run", "order-prod").exit_code == 3
    assert made.engine.started == []


@pytest.mark.parametrize("reason", ["", "  ", "two\nlines", "x" * 201])
def test_a_reason_that_does_not_fit_into_a_list_is_refused(reason: str) -> None:
    made = world()
    assert made.call("backup", "run", "orders-prod", "--reason", reason).exit_code == 3
    assert made.engine.started == []
