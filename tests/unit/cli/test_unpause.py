"""`scalar-backup unpause`: from the journal, from labels, and through the deployment."""

from __future__ import annotations

import json

import pytest

from shared.catalog.memory import MemoryCatalog
from shared.model.errors import NotReady, PodsMayBePaused, Unreachable
from shared.model.journal import PauseJournal
from shared.model.records import replace
from shared.model.run import AttemptStatus, RunStatus
from shared.steps import evidence
from tests.unit.cli import samples
from tests.unit.cli.samples import BEGAN, PODS, RELEASE, RUN_ID, after
from tests.unit.cli.world import World

AKS_LABELS = (
    "--aks", "prod-japan", "--resource-group", "rg-prod", "--subscription", "s-1", "--namespace", "scalar",
    "--helm-release", "orders",
)  # fmt: skip
LABELS = ("--eks", "prod-tokyo", "--namespace", "scalar", "--helm-release", "orders")


def world(*, not_ours: tuple[str, ...] = (), catalog: MemoryCatalog | None = None) -> World:
    """Every pod is paused, and the journal says so."""
    made = World(catalog or MemoryCatalog(), at=after(60))
    made.catalog.put_plan(samples.PLAN, BEGAN)
    made.catalog.acquire_lease("orders-prod", RUN_ID, after(500), BEGAN)
    open_attempt = replace(samples.run().attempts[1], number=1, status=AttemptStatus.OPEN, point=None, resumed_at=None)
    made.catalog.create_run(replace(samples.run(RunStatus.RUNNING), attempts=(open_attempt,), point=None, ended_at=None))
    made.catalog.open_pause(samples.journal())
    evidence.save(made.catalog, RUN_ID, evidence.part(1, "pause"), samples.pause_evidence())
    if not_ours:
        made.catalog.mark_not_ours(RUN_ID, 1, not_ours)
    made.pods.paused = set(PODS)
    return made


@pytest.mark.parametrize("selector", [("--plan", "orders-prod"), ("--run", RUN_ID), ("--all",)])
def test_pods_of_the_journal_are_resumed_and_the_entry_is_closed_by_the_operator(selector: tuple[str, ...]) -> None:
    made = world()
    result = made.call("unpause", *selector)
    assert (result.exit_code, result.stdout) == (0, "3 pods resumed and verified\n")
    assert made.pods.paused == set()
    journal = made.catalog.pause_journal(RUN_ID, 1)
    assert journal is not None
    assert (journal.closed_by, journal.closed_at) == ("operator", after(60))


def test_what_will_be_resumed_is_shown_with_whose_pause_it_is() -> None:
    said = world().call("unpause", "--all").stderr
    assert said.startswith(f"Run {RUN_ID}, attempt 1: paused since 2026-11-24T03:00:20Z; the watchdog resumes it at")
    assert "ap-northeast-1/prod-tokyo/scalar/orders (ScalarDB Cluster)" in said
    assert f"{PODS[0]} (10.0.0.1:60053)" in said
    assert f"Run {RUN_ID} may still be at work for 2m 20s; resuming now makes its window invalid." in said


def test_the_window_of_a_resumed_run_is_void() -> None:
    made = world()
    made.call("unpause", "--all")
    attempt = made.catalog.run(RUN_ID).attempt
    assert attempt is not None
    assert (attempt.status, attempt.cause and attempt.cause.code) == (AttemptStatus.INVALID, "resumed-by-operator")


def test_a_pod_that_somebody_else_has_paused_is_left_alone() -> None:
    made = world(not_ours=("uid-2",))
    result = made.call("unpause", "--all")
    assert result.exit_code == 0
    assert made.pods.paused == {PODS[1]}
    assert f"Left alone, because this run has not paused them: {PODS[1]}." in result.stderr


def test_a_pod_that_does_not_answer_is_named_and_keeps_the_entry_open() -> None:
    made = world()
    made.pods.silent = {PODS[2]}
    result = made.call("unpause", "--run", RUN_ID)
    assert (result.exit_code, result.stdout) == (1, "no pods resumed\n")
    assert f"1 of 3 pods of plan orders-prod may still be paused ({PODS[2]}: no answer)." in result.stderr
    assert "restart its Deployment's rollout" in result.stderr
    assert [item.run for item in made.catalog.open_pauses()] == [RUN_ID]


def test_nothing_paused_is_success() -> None:
    result = World(samples.catalog()).call("unpause", "--all")
    assert (result.exit_code, result.stdout) == (0, "no pods resumed\n")
    assert "its journal has no open entry" in result.stderr


def test_another_runs_pause_is_not_touched_and_named() -> None:
    made = world()
    result = made.call("unpause", "--plan", "invoices")
    assert result.exit_code == 0
    assert f"Nothing of it is paused. Open pauses there are: {RUN_ID}." in result.stderr
    assert made.pods.unpaused == []


class ForgetfulCatalog(MemoryCatalog):
    def close_pause(self, run: str, attempt: int, by: str, at: object) -> PauseJournal:
        raise Unreachable("The catalog gave no answer.")


def test_pods_that_run_again_are_said_to_run_even_if_that_cannot_be_recorded() -> None:
    made = world(catalog=ForgetfulCatalog())
    result = made.call("unpause", "--all")
    assert result.exit_code == 2
    assert made.pods.paused == set()
    assert f"All pods of run {RUN_ID} run again, but that could not be recorded" in result.stderr


def test_the_answer_is_a_document_for_machines() -> None:
    document = json.loads(world().call("unpause", "--all", "-o", "json").stdout)
    assert document == {"runs": [RUN_ID], "resumed": 3, "pods": list(PODS)}


def test_from_labels_the_catalog_is_not_needed() -> None:
    made = world()
    made.rooms.catalog = None  # type: ignore[misc]
    result = made.call("unpause", *LABELS, "--yes")
    assert (result.exit_code, result.stdout) == (0, "3 pods resumed and verified\n")
    assert made.pods.paused == set()


def test_from_labels_it_warns_and_asks() -> None:
    made = world()
    result = made.call("unpause", *LABELS, answer="n\n")
    assert (result.exit_code, result.stdout) == (1, "")
    assert (
        "Without the journal nobody can tell whose pause of ap-northeast-1/prod-tokyo/scalar/orders this is." in result.stderr
    )
    assert made.pods.unpaused == []
    assert made.call("unpause", *LABELS, answer="y\n").exit_code == 0
    assert made.pods.paused == set()


def test_from_labels_nobody_to_ask_means_no() -> None:
    made = world()
    assert made.call("unpause", *LABELS).exit_code == 1
    assert made.pods.unpaused == []


def test_from_labels_pods_that_run_are_not_touched() -> None:
    made = world()
    made.pods.paused = {PODS[0]}
    assert made.call("unpause", *LABELS, "--yes").exit_code == 0
    assert made.pods.unpaused == [PODS[0]]


def test_from_labels_nothing_paused_asks_nothing() -> None:
    made = world()
    made.pods.paused = set()
    result = made.call("unpause", *LABELS)
    assert (result.exit_code, result.stdout) == (0, "no pod of ap-northeast-1/prod-tokyo/scalar/orders is paused: 3 run\n")


def test_from_labels_a_pod_that_does_not_answer_is_named() -> None:
    made = world()
    made.pods.silent = {PODS[1]}
    result = made.call("unpause", *LABELS, "--yes")
    assert result.exit_code == 1
    assert f"1 pods of ap-northeast-1/prod-tokyo/scalar/orders may still be paused: {PODS[1]}: no answer." in result.stderr
    assert "rollout restart deployment" in result.stderr


def test_from_labels_the_admin_port_can_be_given() -> None:
    made = world()
    made.call("unpause", *LABELS, "--yes", "--admin-port", "60054")
    assert made.rooms.releases.asked == [replace(RELEASE, admin_port=60054)]  # type: ignore[attr-defined]


def test_a_release_that_is_not_found_is_told_as_it_is() -> None:
    made = world()
    made.rooms.releases.refusal = NotReady("There is no Helm release 'order'.", hint="There is: orders.")  # type: ignore[attr-defined]
    result = made.call("unpause", *LABELS)
    assert (result.exit_code, result.stderr) == (1, "Error: There is no Helm release 'order'.\nThere is: orders.\n")


@pytest.mark.parametrize(
    ("selector", "asked"),
    [
        (("--plan", "orders-prod"), [{"plan": "orders-prod"}]),
        (("--run", RUN_ID), [{"run": RUN_ID}]),
        (("--all",), [{"run": RUN_ID}]),
    ],
)
def test_the_deployment_can_do_it(selector: tuple[str, ...], asked: list[dict[str, str]]) -> None:
    made = world()
    made.engine.answers = {"unpause": {"runs": [RUN_ID], "resumed": 3}}
    result = made.call("unpause", *selector, "--via-function")
    assert (result.exit_code, result.stdout) == (0, "3 pods resumed by the deployment\n")
    assert made.engine.unpaused == asked
    assert made.pods.unpaused == []


def test_what_the_deployment_could_not_resume_fails_the_command() -> None:
    made = world()
    made.engine.answers = {"unpause": PodsMayBePaused("1 of 3 pods may still be paused (c: no answer).")}
    result = made.call("unpause", "--all", "--via-function")
    assert result.exit_code == 1
    assert "(c: no answer)" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--plan", "a", "--all"),
        ("--run", "a", "--plan", "b"),
        ("--eks", "prod-tokyo"),
        (*AKS_LABELS[2:],),
        (*AKS_LABELS, "--eks", "prod-tokyo"),
        ("--all", "--yes"),
        (*LABELS, "--all"),
        (*LABELS, "--via-function"),
        (*LABELS, "--admin-port", "0"),
    ],
)
def test_an_unclear_request_resumes_nothing(arguments: tuple[str, ...]) -> None:
    made = world()
    assert made.call("unpause", *arguments).exit_code == 3
    assert made.pods.unpaused == []
