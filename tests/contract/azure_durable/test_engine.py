"""What an orchestration can rely on, in this process and in virtual time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from infra.sandbox.azure.durable.engine import Engine, Stuck
from infra.sandbox.azure.durable.protocol import CUSTOM_STATUS_BYTES, PAYLOAD_BYTES, Event
from infra.sandbox.azure.durable.task_hub import InstanceEnded, InstanceExists, UnknownFunction, UnknownInstance
from tests.contract.azure_durable.sample import function_app

Journal = Callable[[], list[str]]


def run(engine: Engine, name: str, value: Any = None) -> dict[str, Any]:
    return engine.run_until_done(engine.hub.start(name, value))


def output(engine: Engine, name: str, value: Any = None) -> Any:
    status = run(engine, name, value)
    assert status["runtimeStatus"] == "Completed", status
    return status["output"]


def test_activities_get_their_input_and_give_their_result_also_coroutines(engine: Engine) -> None:
    assert output(engine, "chain", {"a": [1]}) == ["Hello Tokyo", {"hello": "Osaka"}, {"a": [1]}]


def test_task_all_keeps_the_order_of_its_tasks(engine: Engine) -> None:
    names = [str(number) for number in range(12)]
    assert output(engine, "fan_out", names) == [f"Hello {name}" for name in names]


@pytest.mark.parametrize(("failures", "waits"), [(0, 0), (1, 60), (2, 120)])
def test_a_retried_activity_waits_the_interval_between_attempts(
    engine: Engine, journal: Journal, failures: int, waits: int
) -> None:
    result = output(engine, "retried", {"key": "k", "times": failures})
    assert result == {"result": f"attempt {failures + 1}", "seconds": waits, "after": "Hello after"}
    assert journal() == ["fails k"] * (failures + 1) + ["hello after"]


def test_the_last_failed_attempt_is_the_failure_and_is_not_waited_after(engine: Engine, journal: Journal) -> None:
    begun = engine.clock.now()
    status = run(engine, "retried", {"key": "k", "times": 3})
    assert status["runtimeStatus"] == "Failed"
    assert "Activity function 'fails' failed:  ValueError: attempt 3 of k" in status["output"]
    assert journal() == ["fails k"] * 3
    assert (engine.clock.now() - begun).total_seconds() == 120


def test_retries_side_by_side_keep_their_ids_apart(engine: Engine, journal: Journal) -> None:
    assert output(engine, "retried_side_by_side") == ["attempt 3", "attempt 3", "Hello last"]
    assert sorted(journal()) == ["fails x"] * 3 + ["fails y"] * 3 + ["hello last"]


def test_a_retried_sub_orchestration_is_a_new_instance_at_each_attempt(engine: Engine) -> None:
    assert output(engine, "retried_child", {"key": "k", "times": 2}) == "attempt 3"
    ends = [found["runtimeStatus"] for found in engine.hub.statuses() if found["name"] == "one_attempt"]
    assert ends == ["Failed", "Failed", "Completed"]


def test_a_failure_can_be_caught_and_compensated(engine: Engine, journal: Journal) -> None:
    result = output(engine, "catches")
    assert "Activity function 'fails' failed:  ValueError: attempt 1 of caught" in result["error"]
    assert journal() == ["fails caught", "hello compensation"]


def test_80_days_of_timers_and_generations_take_no_time(engine: Engine) -> None:
    begun = engine.clock.now()
    instance = engine.hub.start("eternal", 0)
    assert engine.run_until_done(instance)["output"] == 3
    assert (engine.clock.now() - begun).days == 80
    assert [event["EventType"] for event in engine.hub.history(instance)].count(Event.EXECUTION_STARTED) == 1


def test_a_timer_longer_than_six_days_is_split_by_the_sdk_and_fires_in_time(engine: Engine) -> None:
    instance = engine.hub.start("sleeper", 10)
    assert engine.run_until_done(instance)["output"] == "2030-01-11T00:00:00+00:00"
    created = [event for event in engine.hub.history(instance) if event["EventType"] == Event.TIMER_CREATED]
    assert [event["FireAt"][:10] for event in created] == ["2030-01-04", "2030-01-07", "2030-01-11"]


def test_an_event_wins_against_the_timer_that_is_then_cancelled(engine: Engine) -> None:
    begun = engine.clock.now()
    instance = engine.hub.start("approval")
    engine.run_until_idle()
    assert engine.hub.status(instance)["customStatus"] == "waiting"
    engine.hub.raise_event(instance, "Approve", {"by": "me"})
    assert engine.run_until_done(instance)["output"] == {"approved": {"by": "me"}}
    assert engine.clock.now() == begun


def test_without_the_event_the_timer_wins(engine: Engine) -> None:
    assert output(engine, "approval") == "too late"


def test_an_instance_stays_running_until_a_forgotten_timer_has_fired(engine: Engine) -> None:
    begun = engine.clock.now()
    instance = engine.hub.start("approval", "forget the timer")
    engine.run_until_idle()
    engine.hub.raise_event(instance, "Approve")
    engine.run_until_idle()
    assert engine.hub.status(instance)["runtimeStatus"] == "Running"
    assert engine.run_until_done(instance)["output"] == {"approved": None}
    assert (engine.clock.now() - begun).total_seconds() == 7200


def test_an_event_that_comes_before_it_is_waited_for_is_kept(engine: Engine) -> None:
    instance = engine.hub.start("waits_later")
    engine.hub.raise_event(instance, "Early", 7)
    assert engine.run_until_done(instance)["output"] == 7


def test_events_that_were_not_delivered_go_on_to_the_next_generation(engine: Engine) -> None:
    instance = engine.hub.start("collects", [])
    for item in ("a", "b", "c"):
        engine.hub.raise_event(instance, "Item", item)
    assert engine.run_until_done(instance)["output"] == ["a", "b", "c"]


def test_sub_orchestrations_have_the_id_they_were_given_or_one_of_their_own(engine: Engine) -> None:
    first, second = output(engine, "parent")
    assert (first[2], second[2]) == ({"n": 1}, {"n": 2})
    ids = [found["instanceId"] for found in engine.hub.statuses() if found["name"] == "chain"]
    assert len(ids) == 2
    assert "named-child" in ids


def test_a_sub_orchestration_whose_id_is_in_use_fails_and_leaves_the_other_alone(engine: Engine) -> None:
    engine.hub.start("approval", None, "taken")
    engine.run_until_idle()
    status = engine.run_until_done(engine.hub.start("calls_child", {"name": "chain", "id": "taken"}))
    assert status["runtimeStatus"] == "Failed"
    assert "with the status Running already exists" in status["output"]
    assert engine.hub.status("taken")["name"] == "approval"


def test_a_failed_sub_orchestration_fails_its_parent(engine: Engine) -> None:
    status = run(engine, "calls_child", {"name": "raises_at_once", "id": "c"})
    assert status["runtimeStatus"] == "Failed"
    assert "Orchestrator function 'raises_at_once' failed" in status["output"]


def test_an_unknown_sub_orchestrator_fails_its_parent(engine: Engine) -> None:
    assert "doesn't exist" in run(engine, "calls_child", {"name": "nobody", "id": "c"})["output"]


def test_entities_are_called_signalled_and_can_refuse(engine: Engine) -> None:
    added, read, error = output(engine, "counts")
    assert (added, read) == (7, 7)
    assert "refused" in error
    assert engine.hub.entity_state("counter", "c1") == "7"


def test_a_client_signals_an_entity(engine: Engine) -> None:
    engine.hub.signal_entity("Counter", "k", "add", "3")
    engine.run_until_idle()
    assert engine.hub.entity_state("Counter", "k") == "3"
    with pytest.raises(UnknownFunction):
        engine.hub.signal_entity("Nobody", "k", "add")


def test_changed_code_is_detected_and_says_where(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    instance = engine.hub.start("changeable")
    engine.run_until_idle()
    monkeypatch.setitem(function_app.CHANGED_CODE, "activity", "big")
    status = engine.run_until_done(instance)
    assert status["runtimeStatus"] == "Failed"
    assert "Non-Deterministic workflow detected: at position 0" in status["output"]
    assert "CALL_ACTIVITY hello, the replay for CALL_ACTIVITY big" in status["output"]


def test_an_orchestrator_that_raises_before_its_first_yield_fails(engine: Engine) -> None:
    status = run(engine, "raises_at_once")
    assert status["output"] == "Orchestrator function 'raises_at_once' failed: 'no yield before it'"


def test_terminate_ends_the_instance_at_once_but_not_what_it_started(engine: Engine) -> None:
    instance = engine.hub.start("calls_child", {"name": "approval", "id": "child"})
    engine.run_until_idle()
    engine.hub.terminate(instance, "because")
    engine.run_until_idle()
    status = engine.hub.status(instance)
    assert (status["runtimeStatus"], status["output"]) == ("Terminated", "because")
    assert engine.hub.status("child")["runtimeStatus"] == "Running"
    assert engine.run_until_done("child")["output"] == "too late"


def test_a_suspended_instance_plays_nothing_until_it_is_resumed(engine: Engine) -> None:
    instance = engine.hub.start("approval")
    engine.run_until_idle()
    engine.hub.suspend(instance)
    engine.hub.raise_event(instance, "Approve", 1)
    with pytest.raises(Stuck, match="Suspended"):
        engine.run_until_done(instance)
    engine.hub.resume(instance)
    assert engine.run_until_done(instance)["output"] == {"approved": 1}


def test_a_suspended_instance_can_be_terminated(engine: Engine) -> None:
    instance = engine.hub.start("approval")
    engine.hub.suspend(instance)
    engine.hub.terminate(instance)
    assert engine.run_until_done(instance)["runtimeStatus"] == "Terminated"


def test_an_instance_that_waits_for_nothing_but_an_event_is_reported_as_stuck(engine: Engine) -> None:
    with pytest.raises(Stuck, match="Nothing is due"):
        run(engine, "collects", [])


def test_a_live_instance_is_not_started_again_and_an_ended_one_is_replaced(engine: Engine) -> None:
    engine.hub.start("approval", "first", "one")
    with pytest.raises(InstanceExists, match="with the status Pending already exists"):
        engine.hub.start("chain", "second", "one")
    engine.run_until_done("one")
    engine.hub.start("chain", "second", "one")
    assert engine.run_until_done("one")["name"] == "chain"
    assert not [event for event in engine.hub.history("one") if event["EventType"] == Event.EVENT_RAISED]


def test_what_has_ended_takes_nothing_and_can_be_purged(engine: Engine) -> None:
    instance = engine.hub.start("chain")
    with pytest.raises(InstanceExists, match="Pending"):
        engine.hub.purge(instance)
    engine.run_until_done(instance)
    for refused in (engine.hub.terminate, engine.hub.suspend, engine.hub.resume):
        with pytest.raises(InstanceEnded):
            refused(instance)
    engine.hub.purge(instance)
    with pytest.raises(UnknownInstance):
        engine.hub.status(instance)
    assert engine.hub.history(instance) == []


def test_results_of_an_execution_before_are_dropped(engine: Engine) -> None:
    instance = engine.hub.start("slow_one", {"key": "old", "seconds": 0.2})
    while not engine.store.activities():
        engine.step(jump=False)
    engine.hub.terminate(instance)
    while engine.hub.status(instance)["runtimeStatus"] != "Terminated":
        engine.step(jump=False)
    engine.hub.start("approval", None, instance)
    engine.run_until_idle()
    assert not engine.store.activities()
    assert not [event for event in engine.hub.history(instance) if event["EventType"] == Event.TASK_COMPLETED]


@pytest.mark.parametrize(
    ("request_", "what"),
    [
        ({"activity_input": PAYLOAD_BYTES}, "The input of hello"),
        ({"activity_result": PAYLOAD_BYTES}, "The result of activity big"),
    ],
)
def test_a_payload_that_the_scheduler_refuses_fails_the_orchestration(engine: Engine, request_: Any, what: str) -> None:
    status = run(engine, "passes_big", request_)
    assert status["runtimeStatus"] == "Failed"
    assert what in status["output"]
    assert "takes 1048576" in status["output"]


def test_a_result_and_an_output_just_below_the_limit_pass(engine: Engine) -> None:
    size = PAYLOAD_BYTES - 2
    assert len(output(engine, "passes_big", {"activity_result": size, "output": size})) == size
    assert "The output of passes_big" in run(engine, "passes_big", {"output": size + 1})["output"]


def test_an_input_that_is_too_large_is_refused_at_the_start(engine: Engine) -> None:
    with pytest.raises(ValueError, match="The input of chain"):
        engine.hub.start("chain", "x" * PAYLOAD_BYTES)


def test_a_custom_status_has_at_most_16_kib_of_utf_16(engine: Engine) -> None:
    fits = CUSTOM_STATUS_BYTES // 2 - 2
    assert run(engine, "sets_status", fits)["runtimeStatus"] == "Completed"
    status = run(engine, "sets_status", fits + 1)
    assert status["runtimeStatus"] == "Failed"
    assert "must not exceed 16384 bytes" in status["output"]


@pytest.mark.parametrize("instance_id", ["@entity@key", "a/b", "a#b", "a?b", "a\\b", "a\nb", "x" * 101])
def test_instance_ids_that_the_extension_refuses(engine: Engine, instance_id: str) -> None:
    with pytest.raises(ValueError, match="is not valid"):
        engine.hub.start("chain", None, instance_id)


def test_a_start_of_an_unknown_orchestrator_names_those_there_are(engine: Engine) -> None:
    with pytest.raises(UnknownFunction, match=r"'nobody' doesn't exist.*approval.*chain"):
        engine.hub.start("nobody")


def test_ids_of_tasks_are_those_that_the_extension_gives(engine: Engine) -> None:
    """The attempts of a retried activity: task 0, timer 1, task 2; then the next call of the user has 3."""
    instance = engine.hub.start("retried", {"key": "k", "times": 1})
    engine.run_until_done(instance)
    begun = (Event.TASK_SCHEDULED, Event.TIMER_CREATED)
    ids = [(Event(e["EventType"]), e["EventId"]) for e in engine.hub.history(instance) if e["EventType"] in begun]
    scheduled, timer = begun
    assert ids == [(scheduled, 0), (timer, 1), (scheduled, 2), (scheduled, 3)]


def test_after_the_last_attempt_the_protocol_wants_one_more_timer_without_delay(engine: Engine) -> None:
    instance = engine.hub.start("retried", {"key": "k", "times": 3})
    engine.run_until_done(instance)
    history = engine.hub.history(instance)
    timers = [event for event in history if event["EventType"] == Event.TIMER_CREATED]
    assert [event["EventId"] for event in timers] == [1, 3, 5]
    assert timers[-1]["FireAt"] == timers[-1]["Timestamp"]
