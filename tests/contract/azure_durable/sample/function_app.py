"""A function app that has every construct which the host must serve. Its activities write lines to a journal file.

The environment names the journal (SAMPLE_JOURNAL); nothing in the app knows which host runs it.
"""

import json
import os
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import azure.durable_functions as df
import azure.functions as func

app = df.DFApp(http_auth_level=func.AuthLevel.FUNCTION)


def note(*words: object) -> None:
    """One line; O_APPEND keeps lines of several processes whole."""
    with Path(os.environ["SAMPLE_JOURNAL"]).open("a") as journal:
        journal.write(" ".join(str(word) for word in words) + "\n")


# --- activities


@app.activity_trigger(input_name="name")
def hello(name: str) -> str:
    note("hello", name)
    return f"Hello {name}"


@app.activity_trigger(input_name="request")
async def hello_async(request: dict) -> dict:
    return {"hello": request["name"]}


@app.activity_trigger(input_name="request")
def fails(request: dict) -> str:
    """Fails `times` times, counted in the journal, so that a new process counts on."""
    note("fails", request["key"])
    attempt = Path(os.environ["SAMPLE_JOURNAL"]).read_text().splitlines().count(f"fails {request['key']}")
    if attempt <= request["times"]:
        raise ValueError(f"attempt {attempt} of {request['key']}")
    return f"attempt {attempt}"


@app.activity_trigger(input_name="request")
def slow(request: dict) -> str:
    note("slow begins", request["key"])
    time.sleep(request["seconds"])
    note("slow ends", request["key"])
    return str(request["key"])


@app.activity_trigger(input_name="size")
def big(size: int) -> str:
    return "x" * size


# --- orchestrators


@app.orchestration_trigger(context_name="context")
def chain(context: df.DurableOrchestrationContext) -> Any:
    first = yield context.call_activity("hello", "Tokyo")
    second = yield context.call_activity("hello_async", {"name": "Osaka"})
    return [first, second, context.get_input()]


@app.orchestration_trigger(context_name="context")
def fan_out(context: df.DurableOrchestrationContext) -> Any:
    return (yield context.task_all([context.call_activity("hello", name) for name in context.get_input()]))


@app.orchestration_trigger(context_name="context")
def retried(context: df.DurableOrchestrationContext) -> Any:
    options = df.RetryOptions(60_000, 3)
    begun = context.current_utc_datetime
    result = yield context.call_activity_with_retry("fails", options, context.get_input())
    took = (context.current_utc_datetime - begun).total_seconds()
    after = yield context.call_activity("hello", "after")
    return {"result": result, "seconds": took, "after": after}


@app.orchestration_trigger(context_name="context")
def retried_side_by_side(context: df.DurableOrchestrationContext) -> Any:
    """Two retried activities and a timer: ids of attempts and of user actions mix."""
    options = df.RetryOptions(1_000, 3)
    tasks = [context.call_activity_with_retry("fails", options, {"key": key, "times": 2}) for key in ("x", "y")]
    timer = context.create_timer(context.current_utc_datetime + timedelta(milliseconds=1500))
    results = yield context.task_all([*tasks, timer])
    last = yield context.call_activity("hello", "last")
    return [*results[:2], last]


@app.orchestration_trigger(context_name="context")
def retried_child(context: df.DurableOrchestrationContext) -> Any:
    return (yield context.call_sub_orchestrator_with_retry("one_attempt", df.RetryOptions(1_000, 3), context.get_input()))


@app.orchestration_trigger(context_name="context")
def one_attempt(context: df.DurableOrchestrationContext) -> Any:
    return (yield context.call_activity("fails", context.get_input()))


@app.orchestration_trigger(context_name="context")
def catches(context: df.DurableOrchestrationContext) -> Any:
    try:
        yield context.call_activity("fails", {"key": "caught", "times": 99})
    except Exception as error:  # noqa: BLE001 - the SDK raises nothing more exact
        done = yield context.call_activity("hello", "compensation")
        return {"error": str(error), "done": done}


@app.orchestration_trigger(context_name="context")
def sleeper(context: df.DurableOrchestrationContext) -> Any:
    yield context.create_timer(context.current_utc_datetime + timedelta(days=context.get_input()))
    return context.current_utc_datetime.isoformat()


@app.orchestration_trigger(context_name="context")
def approval(context: df.DurableOrchestrationContext) -> Any:
    context.set_custom_status("waiting")
    event = context.wait_for_external_event("Approve")
    timer = context.create_timer(context.current_utc_datetime + timedelta(hours=2))
    winner = yield context.task_any([event, timer])
    if winner == timer:
        return "too late"
    if context.get_input() != "forget the timer":
        timer.cancel()
    return {"approved": event.result}


@app.orchestration_trigger(context_name="context")
def waits_later(context: df.DurableOrchestrationContext) -> Any:
    yield context.create_timer(context.current_utc_datetime + timedelta(minutes=5))
    return (yield context.wait_for_external_event("Early"))


@app.orchestration_trigger(context_name="context")
def parent(context: df.DurableOrchestrationContext) -> Any:
    named = context.call_sub_orchestrator("chain", {"n": 1}, "named-child")
    unnamed = context.call_sub_orchestrator("chain", {"n": 2})
    return (yield context.task_all([named, unnamed]))


@app.orchestration_trigger(context_name="context")
def calls_child(context: df.DurableOrchestrationContext) -> Any:
    request = context.get_input()
    return (yield context.call_sub_orchestrator(request["name"], request.get("input"), request["id"]))


@app.orchestration_trigger(context_name="context")
def eternal(context: df.DurableOrchestrationContext) -> Any:
    generation = context.get_input()
    yield context.create_timer(context.current_utc_datetime + timedelta(days=20))
    if generation < 3:
        context.continue_as_new(generation + 1)
        return None
    return generation


@app.orchestration_trigger(context_name="context")
def collects(context: df.DurableOrchestrationContext) -> Any:
    """Takes one event per generation."""
    got = context.get_input()
    got.append((yield context.wait_for_external_event("Item")))
    if len(got) < 3:
        context.continue_as_new(got)
        return None
    return got


@app.orchestration_trigger(context_name="context")
def counts(context: df.DurableOrchestrationContext) -> Any:
    entity = df.EntityId("Counter", "c1")
    context.signal_entity(entity, "add", 5)
    added = yield context.call_entity(entity, "add", 2)
    try:
        yield context.call_entity(entity, "refuse")
    except Exception as error:  # noqa: BLE001 - the SDK raises nothing more exact
        return [added, (yield context.call_entity(entity, "get")), str(error)]


@app.entity_trigger(context_name="context", entity_name="Counter")
def counter(context: df.DurableEntityContext) -> None:
    value = context.get_state(lambda: 0)
    if context.operation_name == "add":
        value += context.get_input()
        context.set_state(value)
    elif context.operation_name == "refuse":
        raise ValueError("refused")
    context.set_result(value)


CHANGED_CODE = {"activity": "hello"}


@app.orchestration_trigger(context_name="context")
def changeable(context: df.DurableOrchestrationContext) -> Any:
    yield context.call_activity(CHANGED_CODE["activity"], "x")
    yield context.create_timer(context.current_utc_datetime + timedelta(minutes=1))
    return "done"


@app.orchestration_trigger(context_name="context")
def sets_status(context: df.DurableOrchestrationContext) -> Any:
    context.set_custom_status("x" * context.get_input())
    yield context.create_timer(context.current_utc_datetime + timedelta(minutes=1))


@app.orchestration_trigger(context_name="context")
def passes_big(context: df.DurableOrchestrationContext) -> Any:
    request = context.get_input()
    if "activity_input" in request:
        yield context.call_activity("hello", "x" * request["activity_input"])
    if "activity_result" in request:
        yield context.call_activity("big", request["activity_result"])
    return "x" * request.get("output", 0)


@app.orchestration_trigger(context_name="context")
def raises_at_once(context: df.DurableOrchestrationContext) -> Any:
    raise KeyError("no yield before it")


@app.orchestration_trigger(context_name="context")
def slow_one(context: df.DurableOrchestrationContext) -> Any:
    return (yield context.call_activity("slow", context.get_input()))


@app.orchestration_trigger(context_name="context")
def pause_and_resume(context: df.DurableOrchestrationContext) -> Any:
    """One of everything on the way of a backup: what the crash tests cut off at each line."""
    context.set_custom_status("pausing")
    paused = yield context.call_activity("hello", "pause")
    error = None
    try:
        yield context.create_timer(context.current_utc_datetime + timedelta(seconds=10))
        copies = yield context.task_all(
            [context.call_sub_orchestrator("copy", name) for name in ("a", "b")]
            + [context.call_activity_with_retry("hello", df.RetryOptions(1_000, 2), "c")]
        )
        count = yield context.call_entity(df.EntityId("Counter", "runs"), "add", 1)
        answer = yield context.wait_for_external_event("Go")
        yield context.call_activity_with_retry("fails", df.RetryOptions(1_000, 2), {"key": "late", "times": 99})
    except Exception as failure:  # noqa: BLE001 - the SDK raises nothing more exact
        error = str(failure).splitlines()[0]
    context.set_custom_status("resumed")
    resumed = yield context.call_activity("hello", "resume")
    return [paused, copies, count, answer, error is not None, resumed, str(context.new_uuid())]


@app.orchestration_trigger(context_name="context")
def copy(context: df.DurableOrchestrationContext) -> Any:
    done = yield context.call_activity("hello", context.get_input())
    yield context.create_timer(context.current_utc_datetime + timedelta(minutes=1))
    return done


# --- triggers


@app.route(route="backups/{name}", methods=["POST"])
@app.durable_client_input(client_name="client")
async def start_backup(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    instance = await client.start_new("chain", f"backup-{req.route_params['name']}", req.get_json())
    return client.create_check_status_response(req, instance)


@app.route(route="environment", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
def environment(req: func.HttpRequest) -> func.HttpResponse:
    body = {"value": os.environ.get(req.params["name"]), "pid": os.getpid()}
    return func.HttpResponse(json.dumps(body), mimetype="application/json")


@app.route(route="breaks", auth_level=func.AuthLevel.ADMIN)
def breaks(req: func.HttpRequest) -> str:
    raise RuntimeError("as asked")


@app.timer_trigger(arg_name="timer", schedule="%SAMPLE_SCHEDULE%")
@app.durable_client_input(client_name="client")
async def nightly(timer: func.TimerRequest, client: df.DurableOrchestrationClient) -> None:
    note("nightly", "late" if timer.past_due else "in time")
    await client.start_new("chain", client_input="nightly")


@app.event_grid_trigger(arg_name="event")
def cluster_event(event: Any) -> None:
    kind = getattr(event, "event_type", None) or event.type
    if event.get_json().get("fail"):
        raise RuntimeError("as asked")
    note("event", kind, event.subject)


@app.activity_trigger(input_name="name")
@app.durable_client_input(client_name="client")
async def starts_another(name: str, client: df.DurableOrchestrationClient) -> str:
    """Activities may hold a client too."""
    return str(await client.start_new(name, client_input="from an activity"))


@app.orchestration_trigger(context_name="context")
def starts_through_activity(context: df.DurableOrchestrationContext) -> Any:
    return (yield context.call_activity("starts_another", "chain"))
