"""What a function app is asked for over its management API, and what its answers become."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from click.testing import CliRunner

from shared.cli import azure_operator, main
from shared.cli.azure_operator import AzureOperator, DurableEngine
from shared.cli.engine import Execution
from shared.executions.durable import InstanceStatus
from shared.model.errors import (
    BackupError,
    Conflict,
    InvalidRequest,
    Misconfigured,
    PodsMayBePaused,
    Throttled,
    UnknownPlan,
    Unreachable,
)
from shared.model.plan import Schedule

APP = "https://scalar-backup-abc.azurewebsites.net"
ADDRESSES = {
    "catalog_endpoint": "https://catalog.table.core.windows.net",
    "catalog_table": "scalarbackup",
    "event_topic": "https://topic.japaneast-1.eventgrid.azure.net/api/events",
}


class FakeManagement:
    """An app whose orchestrations end as `answers` say: the output by the orchestrator's name, after `live_looks` looks."""

    def __init__(self, answers: Mapping[str, Any] | None = None, live_looks: int = 0) -> None:
        self.answers, self.live_looks = dict(answers or {}), live_looks
        self.started: dict[str, tuple[str, Any]] = {}
        self.runtime = "Completed"

    def status(self, instance: str) -> InstanceStatus | None:
        if instance not in self.started:
            return None
        name, given = self.started[instance]
        is_live = self.live_looks > 0
        self.live_looks -= is_live
        runtime, output = ("Running", None) if is_live else (self.runtime, self.answers.get(name))
        return InstanceStatus(instance, name, runtime, datetime(2026, 11, 24, tzinfo=UTC), given, None, output)

    def start(self, orchestrator: str, instance: str, given: Mapping[str, Any]) -> None:
        if instance in self.started:
            raise Conflict("It is live.")
        self.started[instance] = (orchestrator, dict(given))

    def start_once(self, orchestrator: str, instance: str, given: Mapping[str, Any]) -> bool:
        self.start(orchestrator, instance, given)
        return True


def engine(management: FakeManagement) -> DurableEngine:
    return DurableEngine(management)  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(azure_operator, "POLL_SECONDS", 0.0)


ASKED: dict[str, tuple[Callable[[DurableEngine], Any], str, dict[str, Any]]] = {
    "check": (lambda engine: engine.check("orders-prod"), "check_plan", {"plan": "orders-prod"}),
    "restore": (lambda engine: engine.restore({"action": "status"}), "restore_request", {"action": "status"}),
    "describe": (lambda engine: engine.describe(), "describe", {}),
    "unpause": (lambda engine: engine.unpause({"run": "r-1"}), "unpause", {"run": "r-1"}),
}


@pytest.mark.parametrize("question", ASKED)
def test_a_question_is_an_orchestration_whose_output_is_waited_for(question: str) -> None:
    ask, orchestrator, given = ASKED[question]
    management = FakeManagement({orchestrator: {"ok": True, "answer": {"it": "is so"}}}, live_looks=2)
    assert ask(engine(management)) == {"it": "is so"}
    assert list(management.started.values()) == [(orchestrator, given)]


def test_the_same_question_again_is_another_orchestration() -> None:
    management = FakeManagement({"check_plan": {"ok": True, "answer": {}}})
    engine(management).check("orders-prod")
    engine(management).check("orders-prod")
    assert len(management.started) == 2


@pytest.mark.parametrize("kind", [UnknownPlan, PodsMayBePaused, Throttled])
def test_an_error_of_the_product_is_raised_as_itself(kind: type[BackupError]) -> None:
    management = FakeManagement({"check_plan": {"ok": False, "error": kind.__name__, "cause": "Why it is so."}})
    with pytest.raises(kind, match=r"Why it is so\."):
        engine(management).check("orders-prod")


def test_any_other_error_is_unexpected_and_named() -> None:
    management = FakeManagement({"check_plan": {"ok": False, "error": "ActivityFailed", "cause": "It was killed."}})
    with pytest.raises(BackupError, match="unexpectedly: ActivityFailed: It was killed") as caught:
        engine(management).check("orders-prod")
    assert type(caught.value) is BackupError
    assert "log" in (caught.value.hint or "")


@pytest.mark.parametrize("output", [None, "a text", {"answer": {}}])
def test_an_answer_of_another_version_is_no_answer(output: Any) -> None:
    with pytest.raises(Misconfigured, match="check_plan answered"):
        engine(FakeManagement({"check_plan": output})).check("orders-prod")


def test_an_app_that_never_answers_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(azure_operator, "ANSWER_SECONDS", 0.01)
    with pytest.raises(Unreachable, match="has not answered within"):
        engine(FakeManagement(live_looks=1_000_000)).describe()


def test_a_backup_is_started_under_an_id_of_its_own_with_the_payload_of_every_cloud() -> None:
    management = FakeManagement()
    management.live_looks = 1_000
    started = engine(management).start_backup("orders-prod", "before 3.19")
    assert started.status == "RUNNING"
    assert started.arn.startswith("orders-prod-")
    payload = {"action": "backup", "plan": "orders-prod", "reason": "before 3.19"}
    assert management.started == {started.arn: ("backup", payload)}


@pytest.mark.parametrize(
    ("runtime", "status", "is_over"),
    [
        ("Completed", "SUCCEEDED", True),
        ("Failed", "FAILED", True),
        ("Terminated", "ABORTED", True),
        ("Canceled", "ABORTED", True),
        ("Suspended", "RUNNING", False),
        ("Pending", "RUNNING", False),
    ],
)
def test_states_are_told_in_the_words_of_every_cloud(runtime: str, status: str, is_over: bool) -> None:
    management = FakeManagement({"backup": "why"})
    management.started["r-1"], management.runtime = ("backup", {}), runtime
    found = engine(management).look(Execution("r-1", "RUNNING"))
    assert (found.status, found.is_over) == (status, is_over)
    assert found.cause == ("why" if is_over else "")


def test_an_instance_without_history_is_named() -> None:
    with pytest.raises(Misconfigured, match=r"no instance r-9 any more.*purged"):
        engine(FakeManagement()).look(Execution("r-9", "RUNNING"))


def test_the_catalog_is_the_one_that_the_app_says(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, ...]] = []
    operator = AzureOperator(f"{APP}/", "key")
    monkeypatch.setattr(operator, "engine", engine(FakeManagement({"describe": {"ok": True, "answer": ADDRESSES}})))
    monkeypatch.setattr(AzureOperator, "_rooms", lambda self, *addresses: asked.append(addresses) or "rooms")
    assert operator.rooms == "rooms"
    assert operator.rooms == "rooms"
    assert asked == [tuple(ADDRESSES.values())], "once for each call of the command line"


def test_the_management_api_is_below_the_address_of_the_app(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[tuple[str, str]] = []
    monkeypatch.setattr(azure_operator, "ManagementApi", lambda url, key: opened.append((url, key)))
    assert AzureOperator(f"{APP}/", "secret").engine
    assert opened == [(f"{APP}/runtime/webhooks/durabletask/", "secret")]


def test_a_missing_key_is_said_before_anything_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SCALAR_BACKUP_APP_KEY", raising=False)
    result = CliRunner().invoke(main, ["--app", APP, "plan", "list"])
    assert result.exit_code == 3
    assert f"No key for {APP}" in result.stderr
    assert "az functionapp keys list" in result.stderr


def test_there_is_no_aws_region() -> None:
    with pytest.raises(InvalidRequest, match="no AWS region"):
        _ = AzureOperator(APP, "key").region


def test_a_schedule_takes_effect_at_once() -> None:
    told = AzureOperator(APP, "key").about_schedule("orders-prod", Schedule(cron="0 3 * * *", timezone="UTC"))
    assert "at once" in told
