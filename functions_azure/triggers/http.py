"""HTTP: `backup` and `restore`, with a function key. Payloads are those of the functions on AWS; the status addresses in an
answer carry a key of their own and are not for everybody."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import azure.durable_functions as df
import azure.functions as func

from functions_azure.client import Binding, binding_of
from functions_azure.runtime import failure, log
from functions_azure.triggers import instances
from shared.executions.durable import BACKUP
from shared.model.errors import BackupError, InvalidRequest
from shared.steps.request import Request, mapping, text

blueprint = df.Blueprint(http_auth_level=func.AuthLevel.FUNCTION)

ANSWER_WITHIN_SECONDS = 90.0
"""An HTTP function has 230 s, and people's tools often less; what takes longer is answered with where to look."""
LOOK_EVERY_SECONDS = 0.5
STATUS_CODES = {
    "InvalidRequest": 400,
    "InvalidPlan": 400,
    "UnknownPlan": 404,
    "UnknownRun": 404,
    "UnknownPoint": 404,
    "NotReady": 409,
    "Conflict": 409,
    "LeaseHeld": 409,
    "FencedOff": 409,
    "RevisionConflict": 409,
    "PausedByAnother": 409,
    "Temporary": 503,
    "Throttled": 503,
    "Unreachable": 503,
}
"""By the name of the error; any other is 500."""


@blueprint.route(route="backup", methods=["POST"])
@blueprint.generic_input_binding(arg_name="client", type="durableClient")
async def backup_by_http(req: func.HttpRequest, client: str) -> func.HttpResponse:
    """Starts a backup: 202 with its status addresses."""
    try:
        given = _payload(req)
        if given.get("action", "backup") != "backup":
            raise InvalidRequest(
                f"Here is no action {given['action']!r}.", hint='Send {"plan": "orders-prod"}, or use `restore`.'
            )
        engine, name = binding_of(client), instances.asked(text(given, "plan"), datetime.now(UTC))
        await engine.start_once(BACKUP, name, given)
        return _started(req, engine, name, {"plan": given["plan"], "execution": name})
    except BackupError as error:
        return _refused(failure(error.code, error.message, error.hint))


@blueprint.route(route="restore", methods=["POST"])
@blueprint.generic_input_binding(arg_name="client", type="durableClient")
async def restore_by_http(req: func.HttpRequest, client: str) -> func.HttpResponse:
    """Answers as the restore function of every cloud: 200 with the plan or the status, 202 with the status addresses of what
    was started. An answer that takes long: 202 with the addresses where it will be the output."""
    try:
        given = _payload(req)
        engine, name = binding_of(client), instances.asked("restore-request", datetime.now(UTC))
        await engine.start_once("restore_request", name, given)
        result = await _output(engine, name)
        if result is None:
            return _started(req, engine, name, {"next": "The answer takes longer; it will be the output at statusQueryGetUri."})
    except BackupError as error:
        return _refused(failure(error.code, error.message, error.hint))
    if not result["ok"]:
        return _refused(result)
    answer = result["answer"]
    if "execution" in answer:
        return _started(req, engine, answer["execution"], answer)
    return _json(200, answer)


async def _output(engine: Binding, name: str) -> Any:
    """The output of an instance, when it has ended in time."""
    waited = 0.0
    while waited < ANSWER_WITHIN_SECONDS:
        await asyncio.sleep(LOOK_EVERY_SECONDS)
        waited += LOOK_EVERY_SECONDS
        status = await engine.status(name)
        if status is not None and not status.is_live:
            if isinstance(status.output, dict) and "ok" in status.output:
                return status.output
            return failure(status.runtime, f"The orchestration that should answer ended as {status.runtime}.")
    return None


def _payload(req: func.HttpRequest) -> Request:
    """Raises InvalidRequest. Only a JSON object is handed on: the engine takes nothing else for an input."""
    try:
        body = req.get_json()
    except ValueError as error:
        raise InvalidRequest("The body is not JSON.", hint='Send for example {"plan": "orders-prod"}.') from error
    return mapping(body, "The body")


def _started(req: func.HttpRequest, engine: Binding, name: str, answer: Mapping[str, Any]) -> func.HttpResponse:
    response = df.DurableOrchestrationClient(engine.text).create_check_status_response(req, name)
    addresses = json.loads(response.get_body())
    return _json(202, dict(answer) | addresses, {"Location": addresses["statusQueryGetUri"], "Retry-After": "10"})


def _refused(result: Mapping[str, Any]) -> func.HttpResponse:
    code = STATUS_CODES.get(result["error"], 500)
    log("request refused", error=result["error"], cause=result["cause"])
    headers = {"Retry-After": str(max(1, round(result.get("retry_after_seconds") or 1)))} if code == 503 else {}
    return _json(code, {"error": result["error"], "message": result["cause"], "hint": result.get("hint", "")}, headers)


def _json(code: int, body: Any, headers: dict[str, str] | None = None) -> func.HttpResponse:
    text_ = json.dumps(body, ensure_ascii=False)
    return func.HttpResponse(text_, status_code=code, headers=headers, mimetype="application/json")
