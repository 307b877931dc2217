"""`scalar-backup restore …`: a plan for people, a confirmed restore shown to its end, and the way on from wherever it ended."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator

import pytest
from rich.console import Console

from shared.cli.restore.progress import picture
from shared.cli.restore.view import look_at
from shared.model.checks import failed, warned
from shared.model.records import replace
from shared.model.run import RunStatus
from tests.unit.cli.restores import Restores
from tests.unit.steps.restore.stores import not_ready
from tests.unit.steps.restore.world import AURORA, LEDGER, ORDERS, POINT_ID, RDS, TABLES, RestoreWorld

GOOD = dict.fromkeys((TABLES.key, RDS.key, AURORA.key), "good")
SPOILT = dict.fromkeys(GOOD, "spoilt")


@pytest.fixture
def made() -> Iterator[Restores]:
    deployment = Restores()
    yield deployment
    deployment.close()


@pytest.fixture
def world(made: Restores) -> RestoreWorld:
    return made.world


def halted(made: Restores) -> str:
    """A restore that halts in the second half of one of three databases; its id."""
    made.world.stores[RDS.key].problems["cut_over"] = not_ready("orders-db is being modified by somebody else.")
    assert made.applied().exit_code == 1
    assert made.newest.status is RunStatus.HALTED
    return made.newest.id


def stopped_before_cut_over(made: Restores) -> str:
    """A restore whose execution is gone while the application is stopped, found by the next one that wants the plan; its id."""
    made.world.apps.problem = not_ready("The nodes are full.")
    made.world.stores[RDS.key].problems["restore"] = not_ready("No.")
    assert made.applied().exit_code == 1
    made.world.apps.problem = None
    made.world.stores[RDS.key].problems.clear()
    return made.newest.id


# -- plan


def test_a_plan_says_what_happens_to_each_database_and_how_to_start_it(made: Restores) -> None:
    result = made.call("restore", "plan", "orders-prod")
    assert result.exit_code == 0
    said = result.stdout.splitlines()
    assert said[0].startswith("A plan, nothing more: restore of dynamodb:ap-northeast-1, rds:ap-northeast-1:orders-db, aurora:")
    (plan_id,) = (line.split()[-1] for line in said if line.startswith("plan id:"))
    assert "outage:     about 28 min, an estimate and no promise; dynamodb:ap-northeast-1 takes longest" in said
    assert f"stopped:    {ORDERS.key} (3 pods), {LEDGER.key} (2 pods)" in said
    at = said.index(f"{RDS.key}  from point-in-time recovery, about 25 min (by its size)")
    assert said[at + 1 : at + 5] == [
        "  1. a new instance is made",
        "  2. the names are swapped",
        "  lost by the service's restore: the old instance's read replicas",
        "  put back and compared: its parameter group",
    ]
    assert said[at + 5].startswith("  kept for an undo: orders-db-old")
    assert f"  scalar-backup restore apply orders-prod --plan-id {plan_id}" in said
    assert json.loads(said[-1]) == {
        "action": "restore", "plan": "orders-prod", "plan_id": plan_id, "confirm": "restore orders-prod",
    }  # fmt: skip


def test_every_option_of_a_plan_reaches_the_function_and_no_default_does(made: Restores) -> None:
    made.call("restore", "plan")
    options = ["--to", POINT_ID, "--database", RDS.key, "--side-by-side", "--keep-old", "24h"]
    assert made.call("restore", "plan", "orders-prod", *options).exit_code == 0
    made.call("restore", "plan", "orders-prod", "--database", RDS.key, "--unsafe", "partial")
    assert made.asked == [
        {"action": "restore", "plan": "orders-prod"},
        {"action": "restore", "plan": "orders-prod", "restore_point": POINT_ID, "databases": [RDS.key],
         "target": "side-by-side", "keep_old": "24h"},
        {"action": "restore", "plan": "orders-prod", "databases": [RDS.key], "unsafe": ["partial"]},
    ]  # fmt: skip


def test_a_risk_that_was_asked_for_is_spelled_out(made: Restores) -> None:
    said = made.call("restore", "plan", "orders-prod", "--database", RDS.key, "--unsafe", "partial").stdout
    assert "RISK:       Only some databases of the plan go back; the others stay as they are." in said


def test_a_plan_with_a_failed_check_fails_and_names_it_but_nothing_to_apply(made: Restores, world: RestoreWorld) -> None:
    world.stores[RDS.key].checks = (
        failed("quota", RDS.key, "40 of 40 DB instances are in use.", "Raise L-7B6409FD."),
        warned("replicas", RDS.key, "orders-db has a read replica."),
    )
    result = made.call("restore", "plan", "orders-prod")
    assert result.exit_code == 1
    assert f"  FAILED {RDS.key}: 40 of 40 DB instances are in use. Raise L-7B6409FD." in result.stdout.splitlines()
    assert f"  WARNING {RDS.key}: orders-db has a read replica." in result.stdout.splitlines()
    assert result.stdout.splitlines()[-1] == "Nothing was changed. Mend what FAILED names, then ask again."
    assert "restore apply" not in result.stdout


def test_a_plan_for_machines_is_the_answer_of_the_function(made: Restores) -> None:
    answer = json.loads(made.call("restore", "plan", "orders-prod", "-o", "json").stdout)
    assert (answer["ok"], answer["restore_point"]) == (True, POINT_ID)
    assert answer["confirm_with"]["plan_id"] == answer["plan_id"]


@pytest.mark.parametrize(
    "options",
    [("--keep-old", "soon"), ("--unsafe", "everything"), ("--database", "rds:x"), ("--to", "2026-11-23T03:00:14")],
)
def test_what_cannot_be_asked_for_is_invalid_input(made: Restores, options: tuple[str, ...]) -> None:
    assert made.call("restore", "plan", "orders-prod", *options).exit_code == 3


# -- apply


def test_a_restore_is_told_line_by_line_and_ends_with_the_way_back(made: Restores, world: RestoreWorld) -> None:
    result = made.applied()
    assert (result.exit_code, world.reads(), world.all_serve) == (0, GOOD, True)
    run = made.newest.id
    said = result.stderr.splitlines()
    for line in (
        f"run {run}",
        "stopping the application",
        "restoring aside; nothing live is touched",
        "cutting over; from here on it goes forward, or is undone",
        f"{ORDERS.key}: stopped",
        f"{ORDERS.key}: started, 3 pods serve",
        f"{RDS.key}: being restored aside, 50 %, 0 of 1 instance done: orders-db-r",
        f"{RDS.key}: done, 1 instance",
    ):
        assert any(line in told for told in said), line
    percents = [line for line in said if line.startswith(f"{RDS.key}: being restored aside")]
    assert len(percents) <= 11, "a line for each ten percent, not for each look"
    told = result.stdout.splitlines()
    assert told[0].startswith("succeeded after ")
    assert told[0].endswith(f": orders-prod has the data of 2026-11-23T03:00:14Z (restore point {POINT_ID})")
    assert told[-1].startswith(f"next: `scalar-backup restore undo {run}` takes it back. Possible until 2026-11-2")


def test_a_changed_endpoint_ends_with_what_to_commit(made: Restores) -> None:
    said = made.applied().stdout
    assert f"Commit this to the Helm values of {LEDGER.key}, or its next upgrade leads it back to the old database:" in said
    assert "\n  contactPoints: ledger-r" in said


def test_the_result_is_a_document_for_machines(made: Restores) -> None:
    arguments = ("restore", "apply", "orders-prod", "--plan-id", made.planned(), "--yes", "-o", "json")
    document = json.loads(made.call(*arguments).stdout)
    assert set(document) == {"run", "status", "execution", "console", "restore", "databases", "next"}
    assert (document["status"], document["restore"]["phase"]) == ("succeeded", "finished")
    assert document["databases"][RDS.key]["restored"]["stage"] == "done"
    assert document["next"] == [f"scalar-backup restore undo {document['run']['id']}"]


def test_the_confirming_words_are_asked_for(made: Restores, world: RestoreWorld) -> None:
    made.is_terminal = True
    result = made.call("restore", "apply", "orders-prod", "--plan-id", made.planned(), answer="restore orders-prod\n")
    assert (result.exit_code, world.reads()) == (0, GOOD)
    assert "outage:     about 28 min" in result.stderr
    assert "Type `restore orders-prod` to start it" in result.stderr


@pytest.mark.parametrize("answer", ["yes\n", "restore orders-test\n", "\n"])
def test_other_words_start_nothing(made: Restores, world: RestoreWorld, answer: str) -> None:
    made.is_terminal = True
    result = made.call("restore", "apply", "orders-prod", "--plan-id", made.planned(), answer=answer)
    assert (result.exit_code, world.reads(), world.started.given) == (3, SPOILT, {})
    assert "is not `restore orders-prod`.\nNothing was changed." in result.stderr


@pytest.mark.parametrize("command", [("apply", "orders-prod", "--plan-id", "{plan_id}"), ("undo", POINT_ID)])
def test_where_nobody_can_be_asked_nothing_is_started(made: Restores, command: tuple[str, ...]) -> None:
    plan_id = made.planned()
    result = made.call("restore", *(part.format(plan_id=plan_id) for part in command))
    assert (result.exit_code, made.world.started.given) == (3, {})
    assert "add --yes" in result.stderr


def test_an_unknown_plan_id_says_how_to_get_one(made: Restores) -> None:
    result = made.call("restore", "apply", "orders-prod", "--plan-id", "0123456789abcdef", "--yes")
    assert result.exit_code == 3
    assert "`scalar-backup restore plan orders-prod` makes one" in result.stderr


def test_a_world_that_has_drifted_is_refused_with_the_differences(made: Restores, world: RestoreWorld) -> None:
    plan_id = made.planned()
    world.apps.replicas_of[LEDGER.key] = 4
    result = made.call("restore", "apply", "orders-prod", "--plan-id", plan_id, "--yes")
    assert (result.exit_code, world.started.given) == (1, {})
    assert f"replicas {LEDGER.key} was 2 and is 4" in result.stderr


def test_without_waiting_the_run_is_the_answer(made: Restores) -> None:
    result = made.call("restore", "apply", "orders-prod", "--plan-id", made.planned(), "--yes", "--no-wait")
    (run,) = result.stdout.splitlines()
    assert result.exit_code == 0
    assert f"scalar-backup restore status {run} --follow" in result.stderr


def test_ctrl_c_stops_only_the_waiting_and_the_restore_can_be_followed_again(made: Restores, world: RestoreWorld) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    made.after(300, interrupt)
    result = made.applied()
    run = made.newest.id
    assert result.exit_code == 130
    assert f"The restore goes on; see it with `scalar-backup restore status {run} --follow`." in result.stderr
    again = made.call("restore", "status", run, "--follow")
    assert (again.exit_code, world.reads()) == (0, GOOD)


def test_the_time_out_stops_only_the_waiting(made: Restores) -> None:
    result = made.call("restore", "apply", "orders-prod", "--plan-id", made.planned(), "--yes", "--timeout", "5m")
    assert result.exit_code == 1
    assert "the time-out is over. The restore goes on" in result.stderr
    assert made.newest.status is RunStatus.RUNNING


def test_a_restore_that_fails_before_anything_live_was_touched_says_so(made: Restores, world: RestoreWorld) -> None:
    world.stores[RDS.key].problems["restore"] = not_ready("The point is beyond the recovery window by now.")
    result = made.applied()
    assert (result.exit_code, world.reads(), world.all_serve) == (1, SPOILT, True)
    assert "leading back: starting the application on the old data, which is untouched" in result.stderr
    untouched = "Nothing live was changed; the application runs on the old data."
    assert result.stdout.splitlines() == [
        f"failed: The point is beyond the recovery window by now. Mend it. {untouched}",
        "next: `scalar-backup restore plan orders-prod` asks for a new plan.",
    ]


def test_an_execution_that_ends_without_a_word_says_where_to_look(made: Restores) -> None:
    made.after(300, made.stop_executions)
    result = made.applied()
    assert result.exit_code == 1
    assert "the execution ended (ABORTED) while the run's record still says running" in result.stderr
    assert f"scalar-backup restore status {made.newest.id}" in result.stderr


# -- halted, continued, undone, given up


def test_a_halted_restore_names_its_cause_and_both_ways_on_as_commands(made: Restores) -> None:
    run = halted(made)
    result = made.call("restore", "status", run)
    said = [line.rstrip() for line in result.stdout.splitlines()]
    assert any(line.startswith("halted while cutting-over: ") and "orders-db is being modified" in line for line in said)
    assert said[-2:] == [
        f"next: `scalar-backup restore continue {run}` goes on where it stopped.",
        f"next: `scalar-backup restore undo {run}` takes back what was restored.",
    ]
    assert '{"action"' not in result.stdout, "payloads are for the console"


def test_a_halted_restore_is_not_overlooked_among_the_runs(made: Restores) -> None:
    run = halted(made)
    result = made.call("runs", "list", "orders-prod")
    assert f"Restore {run} is halted half way" in result.stderr
    assert f"  `scalar-backup restore continue {run}` goes on where it stopped." in result.stderr.splitlines()
    row = next(line for line in result.stdout.splitlines() if line.startswith(run))
    assert row.split()[1:3] == ["restore", "halted"]
    shown = made.call("runs", "show", run).stdout
    assert f"next:          `scalar-backup restore undo {run}` takes back what was restored." in shown.splitlines()
    assert '{"action"' not in shown


def test_a_halted_restore_is_continued_to_its_end(made: Restores, world: RestoreWorld) -> None:
    run = halted(made)
    world.stores[RDS.key].problems.clear()
    result = made.call("restore", "continue", run)
    assert (result.exit_code, world.reads(), world.all_serve) == (0, GOOD, True)
    assert made.newest.id == run


def test_a_halted_restore_is_undone(made: Restores, world: RestoreWorld) -> None:
    run = halted(made)
    world.stores[RDS.key].problems.clear()
    result = made.call("restore", "undo", run, "--yes")
    assert (result.exit_code, world.reads(), world.all_serve) == (0, SPOILT, True)
    assert f": orders-prod has the data from before restore {run}" in result.stdout
    assert (
        f"`scalar-backup restore status {made.newest.id}` shows the run that took it back."
        in made.call("restore", "status", run).stdout
    )


def test_an_undo_asks_for_its_own_words_and_can_be_undone(made: Restores, world: RestoreWorld) -> None:
    made.applied()
    first = made.newest.id
    made.is_terminal = True
    result = made.call("restore", "undo", first, answer="undo orders-prod\n")
    assert (result.exit_code, world.reads()) == (0, SPOILT)
    result = made.call("restore", "undo", made.newest.id, answer="undo orders-prod\n")
    assert (result.exit_code, world.reads()) == (0, GOOD)


def test_an_undo_that_is_only_looked_at_can_be_applied_afterwards(made: Restores, world: RestoreWorld) -> None:
    made.applied()
    result = made.call("restore", "undo", made.newest.id, "--dry-run", "-o", "json")
    assert (result.exit_code, world.reads()) == (0, GOOD)
    plan_id = json.loads(result.stdout)["plan_id"]
    assert made.call("restore", "apply", "orders-prod", "--plan-id", plan_id, "--yes").exit_code == 0
    assert world.reads() == SPOILT


def test_a_restore_that_could_not_start_the_old_application_again_is_continued(made: Restores, world: RestoreWorld) -> None:
    run = stopped_before_cut_over(made)
    said = made.call("restore", "status", run).stdout.splitlines()
    assert said[-1] == f"next: `scalar-backup restore continue {run}` goes on starting the application on the old data."
    assert made.call("restore", "continue", run).exit_code == 1, "the restore has failed, and the application serves again"
    assert world.all_serve


def test_a_restore_that_has_touched_nothing_is_given_up(made: Restores, world: RestoreWorld) -> None:
    made.after(300, made.stop_executions)
    made.applied()
    run = made.newest
    world.clock.advance(3600)  # its lease runs out
    world.stored.save_run(replace(run, status=RunStatus.HALTED))
    said = made.call("restore", "status", run.id).stdout.splitlines()
    assert said[-1].startswith(f"next: `scalar-backup restore abandon {run.id}` gives it up")
    result = made.call("restore", "abandon", run.id)
    assert (result.exit_code, world.reads(), world.all_serve) == (0, SPOILT, True)


# -- status


def test_the_newest_restore_of_the_only_plan_is_shown_when_none_is_named(made: Restores) -> None:
    made.applied("--side-by-side")
    made.applied()
    document = json.loads(made.call("restore", "status", "-o", "json").stdout)
    assert document["run"]["id"] == made.newest.id
    assert json.loads(made.call("restore", "status", "orders-prod", "-o", "json").stdout) == document


def test_a_plan_that_was_never_restored_says_how_to(made: Restores) -> None:
    result = made.call("restore", "status", "orders-prod")
    assert result.exit_code == 3
    assert "`scalar-backup restore plan orders-prod`" in result.stderr


def test_the_status_of_a_backup_is_refused(made: Restores) -> None:
    result = made.call("restore", "status", POINT_ID)
    assert result.exit_code == 3
    assert f"`scalar-backup runs show {POINT_ID}`" in result.stderr


def test_side_by_side_copies_are_reported_with_their_end_and_without_an_undo(made: Restores, world: RestoreWorld) -> None:
    result = made.applied("--side-by-side")
    assert (result.exit_code, world.reads()) == (0, SPOILT)
    assert "copies as of 2026-11-23T03:00:14Z are beside the live databases; they are deleted after" in result.stdout
    assert "undo" not in result.stdout


def test_the_picture_shows_each_database_with_percent_and_time_against_the_estimate(made: Restores) -> None:
    plan_id = made.planned()
    made.call("restore", "apply", "orders-prod", "--plan-id", plan_id, "--yes", "--timeout", "10m")
    run = made.newest
    console = Console(width=200, record=True, file=io.StringIO())
    view = look_at(made.catalog, run, made.started(run.execution), made.now())
    console.print(picture(view))
    text = console.export_text()
    assert "restoring" in text.splitlines()[1]
    assert " of about 28m" in text.splitlines()[1]
    assert f"  {ORDERS.key}: stopped" in text
    assert " of about 25m" in text
    assert "being restored aside, " in text
