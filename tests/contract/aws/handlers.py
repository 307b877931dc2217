"""Lambda handlers that the tests of this folder deploy; they run in the sandbox's function processes."""

import json
import os
import sys
import time
from typing import Any

import boto3

_attempts = 0
_cold = True


class PodNotReadyError(Exception):
    """An error of the handler's own, matched by name in state machines."""


def echo(event: Any, context: Any) -> Any:
    """Answers what it got and where it runs."""
    global _cold
    was_cold, _cold = _cold, False
    sys.stdout.write("echo was called\n")
    return {
        "event": event,
        "pid": os.getpid(),
        "cold": was_cold,
        "function": context.function_name,
        "variable": os.environ.get("VARIABLE"),
        "region": os.environ["AWS_REGION"],
        "remaining_ms": context.get_remaining_time_in_millis(),
    }


def identity(event: Any, context: Any) -> Any:
    """Who STS says it is."""
    return boto3.client("sts").get_caller_identity()["Arn"]


def misbehave(event: dict[str, Any], context: Any) -> Any:
    """Fails in the way that the event asks for."""
    how = event["how"]
    if how == "raise":
        raise PodNotReadyError("pod a-0 is not ready")
    if how == "exit":
        os._exit(3)
    if how == "sleep":
        time.sleep(event["seconds"])
    if how == "not json":
        return object()
    return {"slept": True}


def fail_twice(event: Any, context: Any) -> Any:
    """The third call in one process succeeds."""
    global _attempts
    _attempts += 1
    if _attempts < 3:
        raise PodNotReadyError(f"attempt {_attempts}")
    return {"attempts": _attempts}


def note(event: Any, context: Any) -> Any:
    """Leaves a row in the table of the environment variable NOTES."""
    row = {"pk": {"S": context.aws_request_id}, "event": {"S": json.dumps(event)}}
    boto3.client("dynamodb").put_item(TableName=os.environ["NOTES"], Item=row)
    return {"noted": True}
