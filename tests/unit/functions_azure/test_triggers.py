"""What starts runs: HTTP, events in either schema, and time."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import azure.functions as func
import pytest

from functions_azure.function_app import app
from functions_azure.triggers import event_grid, http, timers
from shared.model.errors import Unreachable
from shared.model.plan import AksCluster, Release, Schedule
from shared.model.records import replace
from shared.model.run import Run, RunStatus
from tests.unit.functions_azure.durable import APP, Durable
from tests.unit.functions_azure.fakes import BINDING, FakeEngine
from tests.unit.steps.machine import Stopped
from tests.unit.steps.world import PLAN, START, World

AKS_ID = "/subscriptions/S-1/resourcegroups/RG-prod/providers/Microsoft.ContainerService/managedClusters/prod"
AKS = AksCluster(name="prod", resource_group="rg-prod", subscription="s-1")


def function(builder: Any) -> Any:
    return builder._function.get_user_function()


def request(body: Any) -> func.HttpRequest:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return func.HttpRequest(method="POST", url="https://app.azurewebsites.net/api/x", body=raw)


async def post(trigger: Any, body: Any) -> tuple[int, dict[str, Any]]:
    response = await function(trigger)(request(body), BINDING)
    return response.status_code, json.loads(response.get_body())


# -- HTTP


async def test_a_backup_by_http_is_started_and_answered_with_where_to_look(engine: FakeEngine) -> None:
    given = {"plan": "orders-prod", "reason": "before release 7"}
    code, answer = await post(http.backup_by_http, given)
    assert code == 202
    assert engine.of("backup") == {answer["execution"]: given}
    assert answer["execution"] in answer["statusQueryGetUri"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"{", "not JSON"),
        ([1], "a list"),
        ("orders", "a text"),
        ({}, "'plan'"),
        ({"plan": 7}, "a number"),
        ({"action": "restore", "plan": "a"}, "no action 'restore'"),
    ],
)
async def test_a_body_that_is_no_request_is_refused_with_what_is_wrong(engine: FakeEngine, body: Any, words: str) -> None:
    code, answer = await post(http.backup_by_http, body)
    assert (code, answer["error"]) == (400, "InvalidRequest")
    assert words in answer["message"]
    assert engine.instances == {}


async def test_an_engine_that_does_not_answer_is_told_as_something_to_try_again(engine: FakeEngine) -> None:
    engine.problem = Unreachable("No answer.")
    code, answer = await post(http.backup_by_http, {"plan": "orders-prod"})
    assert (code, answer["error"]) == (503, "Unreachable")


async def test_a_restore_that_is_asked_for_is_answered_with_its_plan(engine: FakeEngine) -> None:
    engine.outputs["restore_request"] = {"ok": True, "answer": {"plan_id": "p1", "confirm_with": {}}}
    assert await post(http.restore_by_http, {"action": "restore", "plan": "orders-prod"}) == (
        200,
        {"plan_id": "p1", "confirm_with": {}},
    )


async def test_a_confirmed_restore_is_answered_with_the_addresses_of_its_orchestration(engine: FakeEngine) -> None:
    engine.outputs["restore_request"] = {"ok": True, "answer": {"run": "r-1", "execution": "r-1"}}
    code, answer = await post(http.restore_by_http, {"action": "restore", "plan": "orders-prod", "confirm": "x"})
    assert (code, answer["run"]) == (202, "r-1")
    assert "/r-1/" in answer["statusQueryGetUri"]


@pytest.mark.parametrize(("error", "code"), [("UnknownPlan", 404), ("Conflict", 409), ("NotReady", 409), ("Forbidden", 500)])
async def test_a_refused_restore_has_the_code_of_its_error(engine: FakeEngine, error: str, code: int) -> None:
    engine.outputs["restore_request"] = {"ok": False, "error": error, "cause": "Because."}
    assert await post(http.restore_by_http, {"action": "restore"}) == (
        code,
        {"error": error, "message": "Because.", "hint": ""},
    )


async def test_an_answer_that_takes_longer_than_http_may_is_fetched_later(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "ANSWER_WITHIN_SECONDS", 0.02)
    monkeypatch.setattr(http, "LOOK_EVERY_SECONDS", 0.01)
    code, answer = await post(http.restore_by_http, {"action": "restore", "plan": "orders-prod"})
    assert code == 202
    assert "restore-request" in answer["statusQueryGetUri"]


# -- events


def grid_event(kind: str, data: Any, id_: str = "e-1", topic: str = "t") -> func.EventGridEvent:
    return func.EventGridEvent(id=id_, data=data, topic=topic, subject="s", event_type=kind, event_time=None, data_version="1")


def cloud_event(kind: str, data: Any, id_: str = "e-1", source: str = "t") -> func.CloudEvent:
    return func.CloudEvent(id=id_, source=source, type=kind, data=data, specversion="1.0")


async def deliver(event: Any) -> None:
    await function(event_grid.on_event)(event, BINDING)


@pytest.mark.parametrize("make", [grid_event, cloud_event])
@pytest.mark.parametrize("encodings", [0, 1, 2])
async def test_a_requested_backup_is_started_in_either_schema_and_however_often_it_was_encoded(
    engine: FakeEngine, make: Any, encodings: int
) -> None:
    data: Any = {"plan": "orders-prod", "reason": "pre-upgrade"}
    for _ in range(encodings):
        data = json.dumps(data)
    await deliver(make("ScalarBackup.BackupRequested", data))
    assert list(engine.of("backup").values()) == [{"plan": "orders-prod", "reason": "pre-upgrade"}]


async def test_an_event_that_is_delivered_twice_starts_one_run_even_when_the_first_is_over(engine: FakeEngine) -> None:
    await deliver(cloud_event("Backup Requested", {"plan": "orders-prod"}))
    (instance,) = engine.of("backup")
    engine.put(instance, "backup", "Completed")
    await deliver(grid_event("Backup Requested", {"plan": "orders-prod"}))
    await deliver(grid_event("Backup Requested", {"plan": "orders-prod"}, id_="e-2"))
    assert len(engine.of("backup")) == 2


async def test_an_event_without_a_plan_becomes_a_run_that_fails_and_is_told(engine: FakeEngine, world: World) -> None:
    await deliver(grid_event("Backup Requested", {"plam": "orders-prod"}))
    ((instance, given),) = engine.of("backup").items()
    assert await Durable(world).run("backup", given, instance) == "FAILED"
    assert "'plan'" in world.told.published[-1].detail["cause"]["message"]


async def test_a_new_kubernetes_version_starts_the_plans_that_live_in_that_cluster(engine: FakeEngine, world: World) -> None:
    release = Release(cluster=AKS, namespace="scalar", helm_release="orders")
    world.stored.put_plan(replace(PLAN, name="on-aks", releases=(release,)), START)
    await deliver(cloud_event("Microsoft.ContainerService.NewKubernetesVersionAvailable", {"latest": "1.35"}, source=AKS_ID))
    assert [given["plan"] for given in engine.of("backup").values()] == ["on-aks"]


@pytest.mark.parametrize(
    "kind", ["Microsoft.ContainerService.NodePoolRollingStarted", "ScalarBackup.BackupSucceeded", "Anything.Else"]
)
async def test_other_events_start_nothing(engine: FakeEngine, kind: str) -> None:
    await deliver(grid_event(kind, {"plan": "orders-prod"}, topic=AKS_ID))
    assert engine.instances == {}


async def test_an_engine_that_does_not_answer_fails_the_event_so_that_it_is_delivered_again(engine: FakeEngine) -> None:
    engine.problem = Unreachable("No answer.")
    with pytest.raises(Unreachable):
        await deliver(grid_event("Backup Requested", {"plan": "orders-prod"}))


# -- time


def scheduled(world: World, cron: str = "0 3 * * *", zone: str = "Asia/Tokyo") -> None:
    world.stored.put_plan(replace(PLAN, schedule=Schedule(cron=cron, timezone=zone)), START)


def at(world: World, moment: str) -> None:
    world.clock.true = datetime.fromisoformat(moment)


async def tick(world: World) -> None:
    await function(timers.start_due_plans)(None, BINDING)


async def test_a_plan_is_started_at_its_own_time_in_its_own_zone_and_once(engine: FakeEngine, world: World) -> None:
    scheduled(world)  # 03:00 in Tokyo is 18:00 UTC
    at(world, "2026-11-24T17:59:30+00:00")
    await tick(world)
    assert engine.instances == {}
    at(world, "2026-11-24T18:00:10+00:00")
    await tick(world)
    await tick(world)
    assert list(engine.of("backup")) == ["orders-prod-20261124T180000Z-schedule"]


async def test_times_that_were_missed_are_made_up_for_by_one_run(engine: FakeEngine, world: World) -> None:
    scheduled(world)
    at(world, "2026-11-27T05:00:00+00:00")
    await tick(world)
    assert list(engine.of("backup")) == ["orders-prod-20261126T180000Z-schedule"]


async def test_a_plan_that_was_applied_after_its_time_waits_for_the_next(engine: FakeEngine, world: World) -> None:
    scheduled(world, cron="0 1 * * *", zone="UTC")
    at(world, "2026-11-23T23:00:00+00:00")
    await tick(world)
    assert engine.instances == {}


async def test_a_scheduled_run_that_the_catalog_knows_is_not_started_again_by_another_task_hub(
    engine: FakeEngine, world: World
) -> None:
    scheduled(world)
    at(world, "2026-11-24T18:00:10+00:00")
    world.stored.create_run(
        Run(id="orders-prod-20261124T180001Z-00000000", plan="orders-prod", plan_revision=1, reason="schedule", execution="x",
            started_at=world.clock.now())
    )  # fmt: skip
    await tick(world)
    assert engine.instances == {}


def at_the_hold() -> Callable[[str], None]:
    """Terminates the instance once, while its pods are paused."""
    struck: list[str] = []

    def strike(where: str) -> None:
        if where == "before releases.watch" and not struck:
            struck.append(where)
            raise Stopped

    return strike


async def test_a_run_that_was_terminated_has_its_pods_resumed_and_its_end_recorded(engine: FakeEngine, world: World) -> None:
    """The watchdog of the attempt is gone, too: somebody has purged the task hub."""
    interrupted = World(at_the_hold())
    durable = Durable(interrupted)
    assert await durable.run("backup", {"plan": "orders-prod"}, "e1") == "STOPPED"
    assert not interrupted.pods.all_open
    interrupted._interrupt = None
    interrupted.clock.advance(600)
    world.stored, world.pods, world.told, world.clock = (
        interrupted.stored, interrupted.pods, interrupted.told, interrupted.clock,
    )  # fmt: skip
    engine.put("e1", "backup", "Terminated", {"plan": "orders-prod"})
    await function(timers.look_after_runs)(None, BINDING)
    for orchestrator in ("watchdog", "record_end"):
        ((instance, given),) = engine.of(orchestrator).items()
        assert await durable.run(orchestrator, given, instance) == "SUCCEEDED"
    assert interrupted.pods.all_open
    (run,) = interrupted.stored.runs("orders-prod")
    assert run.status in (RunStatus.FAILED, RunStatus.INTERRUPTED)


@pytest.mark.parametrize(("runtime", "recorded"), [("Running", 0), ("Completed", 0), ("Failed", 0), ("Terminated", 1)])
async def test_only_what_was_terminated_is_recorded_while_it_is_young(
    engine: FakeEngine, world: World, runtime: str, recorded: int
) -> None:
    """Of the others one may just be writing its own end."""
    interrupted = World(at_the_hold())
    await Durable(interrupted).run("backup", {"plan": "orders-prod"}, "e1")
    interrupted._interrupt = None
    world.stored, world.clock = interrupted.stored, interrupted.clock
    engine.put("e1", "backup", runtime, {"plan": "orders-prod"})
    await function(timers.look_after_runs)(None, BINDING)
    assert len(engine.of("record_end")) == recorded


@pytest.mark.parametrize(("runtime", "started"), [("Running", 0), ("Suspended", 1), ("Terminated", 1), ("Failed", 1)])
async def test_a_pause_past_its_time_gets_a_watchdog_unless_a_live_one_is_at_it(
    engine: FakeEngine, world: World, runtime: str, started: int
) -> None:
    interrupted = World(at_the_hold())
    durable = Durable(interrupted)
    await durable.run("backup", {"plan": "orders-prod"}, "e1")
    (journal,) = interrupted.stored.open_pauses()
    interrupted._interrupt = None
    interrupted.clock.true = journal.resume_by + timedelta(seconds=30)
    world.stored, world.clock = interrupted.stored, interrupted.clock
    engine.put("e1", "backup", "Running")
    engine.put(f"{journal.run}-{journal.attempt}-watchdog", "watchdog", runtime)
    await function(timers.look_after_runs)(None, BINDING)
    assert sum(item.given is not None for item in engine.instances.values()) == started


async def test_old_copies_are_looked_for_by_one_orchestration_at_a_time(engine: FakeEngine) -> None:
    for _ in range(2):
        await function(timers.discard_old_copies)(None, BINDING)
    assert list(engine.of("clean_up")) == ["restore-clean-up"]


async def test_instances_that_ended_long_ago_are_purged_and_those_that_repeated_events_could_ask_for_are_kept(
    engine: FakeEngine,
) -> None:
    await function(timers.purge_old_instances)(None, BINDING)
    (before,) = engine.purged
    assert timedelta(days=29) < datetime.now(before.tzinfo) - before < timedelta(days=31)
    assert timers.KEPT > timers.LONGEST_DELAY


async def test_runs_are_swept_by_one_orchestration_at_a_time(engine: FakeEngine) -> None:
    for _ in range(2):
        await function(timers.sweep_runs)(None, BINDING)
    assert list(engine.of("sweep")) == ["sweep"]


# -- the app


def test_the_app_has_every_orchestrator_activity_and_trigger_by_its_name() -> None:
    called: dict[str, set[str]] = {}
    for item in APP.functions:
        called.setdefault(item.trigger, set()).add(item.called)
    assert called["orchestrationTrigger"] == {
        "backup", "watchdog", "protect_database", "restore", "restore_database", "restore_pods", "restore_request",
        "check_plan", "describe", "unpause", "record_end", "clean_up", "sweep",
    }  # fmt: skip
    assert called["activityTrigger"] == {
        "arm", "cancel_children", "check", "describe", "run", "window", "watchdog", "protect", "restore", "applications",
        "databases",
    }  # fmt: skip
    assert called["httpTrigger"] == {"backup_by_http", "restore_by_http"}
    assert called["timerTrigger"] == {
        "start_due_plans", "look_after_runs", "discard_old_copies", "sweep_runs", "purge_old_instances",
    }  # fmt: skip
    assert called["eventGridTrigger"] == {"on_event"}


def test_people_need_a_key() -> None:
    levels = [item.binding["authLevel"] for item in APP.functions if item.trigger == "httpTrigger"]
    assert {str(getattr(level, "value", level)).upper() for level in levels} == {"FUNCTION"}
    assert app is not None
