"""The activities, one for each privilege class, as the Lambda functions are: where a step stands says what it may touch.

The SDKs of the rooms are imported when a step first asks for its room, so indexing the app loads none of them.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Any

import azure.durable_functions as df

from functions_azure.calling import CANCEL
from functions_azure.client import binding_of
from functions_azure.runtime import Result, StepHandler, failure
from functions_azure.settings import Settings
from shared.model.errors import BackupError, Conflict, Temporary
from shared.steps.begin import begin
from shared.steps.capture import capture
from shared.steps.check import check
from shared.steps.conclude import conclude
from shared.steps.ended import ended
from shared.steps.judge import judge
from shared.steps.pause import pause
from shared.steps.protect import protect
from shared.steps.publish import publish
from shared.steps.restore.applications import restore_lead, restore_start, restore_stop
from shared.steps.restore.begin import restore_begin
from shared.steps.restore.check import restore_check
from shared.steps.restore.clean_up import restore_clean_up
from shared.steps.restore.conclude import restore_conclude
from shared.steps.restore.databases import restore_cut_over, restore_prepare, restore_verify
from shared.steps.restore.pods import restore_look
from shared.steps.restore.publish import restore_publish
from shared.steps.restore.request import restore_request
from shared.steps.resume import resume
from shared.steps.sweep import sweep
from shared.steps.watchdog import unpause, watchdog

blueprint = df.Blueprint()

HANDLERS = {
    "check": StepHandler({"check": check}),
    "run": StepHandler(
        {
            "begin": begin,
            "judge": judge,
            "publish": publish,
            "conclude": conclude,
            "ended": ended,
            "sweep": sweep,
            "restore_begin": restore_begin,
            "restore_publish": restore_publish,
            "restore_conclude": restore_conclude,
        }
    ),
    "window": StepHandler({"pause": pause, "capture": capture, "resume": resume}),
    "watchdog": StepHandler({"watchdog": watchdog, "unpause": unpause}),
    "protect": StepHandler({"protect": protect}),
    "restore": StepHandler({"restore": restore_request, "restore_check": restore_check}),
    "applications": StepHandler(
        {
            "restore_stop": restore_stop,
            "restore_look": restore_look,
            "restore_lead": restore_lead,
            "restore_start": restore_start,
        }
    ),
    "databases": StepHandler(
        {
            "restore_prepare": restore_prepare,
            "restore_cut_over": restore_cut_over,
            "restore_verify": restore_verify,
            "restore_clean_up": restore_clean_up,
        }
    ),
}


@blueprint.activity_trigger(input_name="request", activity="check")
async def check_activity(request: dict[str, Any]) -> dict[str, Any]:
    """Reads clusters and databases, writes the run's record."""
    return await HANDLERS["check"](request)


@blueprint.activity_trigger(input_name="request", activity="run")
async def run_activity(request: dict[str, Any]) -> dict[str, Any]:
    """The catalog and the events, nothing else. Begins, judges and ends runs."""
    return await HANDLERS["run"](request)


@blueprint.activity_trigger(input_name="request", activity="window")
async def window_activity(request: dict[str, Any]) -> dict[str, Any]:
    """The cluster and its pods. Pauses, holds, resumes; knows no database's data."""
    return await HANDLERS["window"](request)


@blueprint.activity_trigger(input_name="request", activity="watchdog")
async def watchdog_activity(request: dict[str, Any]) -> dict[str, Any]:
    """Resumes pods from the journal, and can do nothing else."""
    return await HANDLERS["watchdog"](request)


@blueprint.activity_trigger(input_name="request", activity="protect")
async def protect_activity(request: dict[str, Any]) -> dict[str, Any]:
    """Makes what keeps restore points, and removes what was only made for that."""
    return await HANDLERS["protect"](request)


@blueprint.activity_trigger(input_name="request", activity="restore")
@blueprint.generic_input_binding(arg_name="client", type="durableClient")
async def restore_activity(request: dict[str, Any], client: str) -> dict[str, Any]:
    """Answers people: looks at everything that a restore touches and starts its orchestration; changes nothing itself."""
    return await HANDLERS["restore"](request, binding_of(client).executions())


@blueprint.activity_trigger(input_name="request", activity="applications")
async def applications_activity(request: dict[str, Any]) -> dict[str, Any]:
    """Stops and starts releases, leads their properties to another endpoint; knows no database."""
    return await HANDLERS["applications"](request)


@blueprint.activity_trigger(input_name="request", activity="databases")
async def databases_activity(request: dict[str, Any]) -> dict[str, Any]:
    """Restores databases, cuts over, deletes old copies when their time is over. The only one that can destroy data."""
    return await HANDLERS["databases"](request)


@blueprint.activity_trigger(input_name="request", activity="describe")
async def describe_activity(request: dict[str, Any]) -> dict[str, Any]:
    """Where the catalog and the topic of this deployment are: addresses, no secret among them."""
    try:
        settings = Settings.from_environment(os.environ)
    except BackupError as error:
        return failure(error.code, str(error), error.hint)
    return {
        "ok": True,
        "answer": {
            "catalog_endpoint": settings.catalog_endpoint,
            "catalog_table": settings.catalog_table,
            "event_topic": settings.event_topic,
        },
    }


@blueprint.activity_trigger(input_name="request", activity="arm")
@blueprint.generic_input_binding(arg_name="client", type="durableClient")
async def arm_activity(request: dict[str, Any], client: str) -> dict[str, Any]:
    """Starts the watchdog of one attempt as an orchestration of its own, which nothing that ends the run can end."""
    given = {key: request[key] for key in ("run", "plan", "attempt", "wake_at")}
    return await _started(client, watchdog_id(request["run"], request["attempt"]), given)


@blueprint.activity_trigger(input_name="request", activity="cancel_children")
@blueprint.generic_input_binding(arg_name="client", type="durableClient")
async def cancel_children_activity(request: dict[str, Any], client: str) -> dict[str, Any]:
    """Hands the event `cancel` on to `instances`. One that has ended needs none; one that is not there yet gets the next."""
    try:
        for instance in request["instances"]:
            with suppress(Conflict):
                await binding_of(client).raise_event(instance, CANCEL)
    except BackupError as error:
        return failure(error.code, str(error), error.hint)
    return {"ok": True, "answer": {}}


def watchdog_id(run: str, attempt: int) -> str:
    return f"{run}-{attempt}-watchdog"


async def _started(client: str, instance: str, given: dict[str, Any]) -> Result:
    """A repeated call finds the watchdog of the first. One that has ended already is not started again: then the run's time is
    over, and the step `pause` refuses."""
    try:
        started = await binding_of(client).start_once("watchdog", instance, given)
    except BackupError as error:
        after = error.retry_after_seconds if isinstance(error, Temporary) else 0.0
        return failure(error.code, str(error), error.hint, after)
    return {"ok": True, "answer": {"watchdog": instance, "started": started}}
