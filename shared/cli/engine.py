"""What the command line asks of the deployed stack: start an execution, look at it, invoke a function."""

from __future__ import annotations

import json
from typing import Any, NamedTuple, Protocol
from uuid import uuid4

from shared.cli.aws_errors import calling
from shared.cli.deployment import Deployment, client
from shared.executions.console import console_link
from shared.model import errors
from shared.model.errors import BackupError, InvalidRequest, Misconfigured

INVOKE_READ_TIMEOUT_SECONDS = 310.0
"""Longer than the functions of the stack that are invoked directly may run, but for the next one."""
RESTORE_READ_TIMEOUT_SECONDS = 910.0
"""The restore function looks at every table before it answers with a plan."""


class Execution(NamedTuple):
    """One execution. `status` is Step Functions' word, also on Azure: RUNNING, SUCCEEDED, FAILED, TIMED_OUT, ABORTED …

    `error` and `cause` are empty while it runs. `console` is the link to it, empty when this is not AWS itself.
    """

    arn: str
    status: str
    error: str = ""
    cause: str = ""
    console: str = ""

    @property
    def is_over(self) -> bool:
        return self.status not in ("RUNNING", "PENDING_REDRIVE")


class Engine(Protocol):
    """The executions and functions of one deployment. Errors are those of the product, raised by name."""

    def start_backup(self, plan: str, reason: str) -> Execution:
        """Starts a run. Safe to repeat when its answer was lost."""

    def look(self, execution: Execution) -> Execution:
        """The execution as it is now."""

    def check(self, plan: str) -> dict[str, Any]:
        """What the check answers: `plan`, `revision`, `ok`, `pause` and `checks`."""

    def restore(self, payload: dict[str, Any]) -> dict[str, Any]:
        """What is answered to a payload with an `action`, see `shared.steps.restore.restore_request`."""

    def started(self, arn: str) -> Execution:
        """An execution that the deployment has started itself."""

    def unpause(self, selector: dict[str, str]) -> dict[str, Any]:
        """Resumes pods from inside the network of the cluster. `selector` is `{"run": …}` or `{"plan": …}`.

        Answer: `runs`, the ids of the runs whose pause was ended, and `resumed`, the number of pods.
        """


class StepFunctionsEngine:
    """`Engine` of a deployment on AWS."""

    def __init__(self, session: Any, deployment: Deployment) -> None:
        self._session = session
        self._deployment = deployment

    def start_backup(self, plan: str, reason: str) -> Execution:
        """The name of the execution makes it safe for boto3 to repeat a call whose answer was lost."""
        document = json.dumps({"action": "backup", "plan": plan, "reason": reason})
        arn = self._deployment.backup_state_machine
        with calling("states:StartExecution"):
            started = self._states().start_execution(
                stateMachineArn=arn, name=f"{plan}-by-hand-{uuid4().hex[:12]}", input=document
            )
        return self.started(str(started["executionArn"]))

    def look(self, execution: Execution) -> Execution:
        with calling("states:DescribeExecution"):
            found = self._states().describe_execution(executionArn=execution.arn)
        return execution._replace(status=found["status"], error=found.get("error", ""), cause=found.get("cause", ""))

    def check(self, plan: str) -> dict[str, Any]:
        return self._invoke(self._deployment.check_function, {"step": "check", "plan": plan})

    def restore(self, payload: dict[str, Any]) -> dict[str, Any]:
        return self._invoke(self._deployment.restore_function, payload, RESTORE_READ_TIMEOUT_SECONDS)

    def started(self, arn: str) -> Execution:
        return Execution(arn, "RUNNING", console=self._console_link(arn))

    def unpause(self, selector: dict[str, str]) -> dict[str, Any]:
        return self._invoke(self._deployment.watchdog_function, {"step": "unpause", **selector})

    def _invoke(
        self, function: str, payload: dict[str, Any], read_timeout_seconds: float = INVOKE_READ_TIMEOUT_SECONDS
    ) -> dict[str, Any]:
        """Raises what the function raised, as the same error of the product."""
        with calling("lambda:InvokeFunction"):
            caller = client(self._session, "lambda", read_timeout_seconds=read_timeout_seconds, attempts=1)
            answer = caller.invoke(FunctionName=function, Payload=json.dumps(payload).encode())
            body = answer["Payload"].read()
        try:
            document = json.loads(body)
        except ValueError as error:
            raise Misconfigured(f"Function {function} did not answer with JSON: {body[:200]!r}.") from error
        if answer.get("FunctionError"):
            raise _raised_by(function, document)
        if not isinstance(document, dict):
            raise Misconfigured(
                f"Function {function} answered {str(document)[:200]!r}, not with an object.",
                hint="The stack is of another release than this command line; deploy it again.",
            )
        return document

    def _states(self) -> Any:
        return client(self._session, "stepfunctions")

    def _console_link(self, arn: str) -> str:
        return console_link(arn, str(self._states().meta.endpoint_url), self._deployment.region)


def _raised_by(function: str, document: Any) -> BackupError:
    """The error that a function raised: by its class name when it is one of ours, which then decides the exit code."""
    described = document if isinstance(document, dict) else {}
    name, message = str(described.get("errorType", "")), str(described.get("errorMessage", document))
    kind = getattr(errors, name, None)
    if isinstance(kind, type) and issubclass(kind, BackupError):
        return kind(message)
    if name in ("Sandbox.Timedout", "Runtime.ExitError") or "Task timed out" in message:
        return Misconfigured(
            f"Function {function} ended without an answer: {message}",
            hint="Its log says why; if it ran into its time limit or its memory, raise them in the template.",
        )
    return BackupError(f"Function {function} failed unexpectedly: {name}: {message}", hint="Its log has the traceback.")


def check_reason(reason: str) -> str:
    """Raises InvalidRequest for a reason that does not fit into a list."""
    if not reason.strip() or len(reason) > 200 or not reason.isprintable():
        raise InvalidRequest("--reason is one line of at most 200 characters.", hint='For example --reason "before 3.19".')
    return reason.strip()
