"""Executions of AWS Step Functions.

Source: API reference, StartExecution: for a standard state machine a second call with the same name and input is answered like
the first, as long as that execution runs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
)
from botocore.exceptions import ConnectionError as NoConnection

from shared.executions.console import console_link
from shared.model.aws_errors import AwsCall, no_credentials, refused, unanswered
from shared.model.errors import BackupError, Conflict, InvalidRequest, Misconfigured
from shared.model.execution import StartedExecution

ACTIONS = ("states:StartExecution",)
"""What a role needs on the restore state machine."""
CLIENT = Config(connect_timeout=2, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 4})


class StepFunctionsExecutions:
    """`restore_machine` is the ARN of the restore state machine. `session_or_client` is a boto3 Session, or a Step Functions
    client that brings its own time-outs."""

    def __init__(self, restore_machine: str, session_or_client: Any) -> None:
        is_session = isinstance(session_or_client, boto3.Session)
        self._client = session_or_client.client("stepfunctions", config=CLIENT) if is_session else session_or_client
        self._restore_machine = restore_machine

    def start_restore(self, name: str, given: Mapping[str, Any]) -> StartedExecution:
        """Starts the restore machine. The same name and input again, while it runs, answers with the same execution.

        Raises:
            Conflict: an execution of that name exists with another input, or is over.
            InvalidRequest: a name that Step Functions does not take.
            Misconfigured: there is no such state machine, or no credentials.
            Throttled, Unreachable, Forbidden: the service.
        """
        call = AwsCall("states:StartExecution", f"state machine {self._restore_machine.rpartition(':')[2]}")
        # Compared as text by the service: the keys in one order, whoever built the input.
        document = json.dumps(given, sort_keys=True)
        try:
            started = self._client.start_execution(stateMachineArn=self._restore_machine, name=name, input=document)
        except ClientError as error:
            raise _refused(call, name, error) from error
        except (NoCredentialsError, PartialCredentialsError, NoRegionError) as error:
            raise no_credentials(call, str(error)) from error
        except (NoConnection, HTTPClientError) as error:
            raise unanswered(call, str(error)) from error
        except BotoCoreError as error:
            raise BackupError(f"{call} failed: {error}.", hint="This is unexpected: please report it.") from error
        arn, about = str(started["executionArn"]), self._client.meta
        return StartedExecution(id=arn, console=console_link(arn, str(about.endpoint_url), str(about.region_name)))


def _refused(call: AwsCall, name: str, error: ClientError) -> BackupError:
    about = error.response["Error"]
    code, message = about.get("Code", ""), about.get("Message", "")
    if code == "ExecutionAlreadyExists":
        return Conflict(
            f"{call}: an execution named {name} exists already: it is over, or was started with another input.",
            hint="Look at it in the Step Functions console; ask for a new plan to restore once more.",
        )
    if code == "InvalidName":
        return InvalidRequest(
            f"{call}: {name!r} cannot be the name of an execution ({message}).",
            hint="Names have at most 80 letters, digits, '-' and '_'; give the plan a shorter name.",
        )
    if code in ("InvalidArn", "StateMachineDoesNotExist", "StateMachineDeleting"):
        return Misconfigured(
            f"{call}: there is no such state machine ({code}: {message}).",
            hint="The template infra/aws/template.yaml makes it and names it to the function; deploy it again.",
        )
    if code == "ExecutionLimitExceeded":
        # Step Functions' own word for a quota on open executions; another try succeeds when some have ended.
        return refused(call, "LimitExceededException", message)
    return refused(call, code, message, error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
