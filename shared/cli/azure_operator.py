"""The command line on Azure: a Durable Functions app, known by its address and a key, and everything behind it."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from shared.cli.engine import Execution
from shared.cli.operator import Operator
from shared.executions.durable import BACKUP, DurableExecutions, InstanceStatus, ManagementApi
from shared.model import errors
from shared.model.errors import BackupError, InvalidRequest, Misconfigured, Unreachable

if TYPE_CHECKING:
    from shared.model.plan import Schedule
    from shared.steps.ports import Rooms
    from shared.wiring.azure import AzureRooms

KEY_VARIABLE = "SCALAR_BACKUP_APP_KEY"
MANAGEMENT_PATH = "runtime/webhooks/durabletask/"
ANSWER_SECONDS = 910.0
"""As long as a step that looks at everything may take."""
POLL_SECONDS = 0.5
_STATUSES = {"Completed": "SUCCEEDED", "Failed": "FAILED", "Terminated": "ABORTED", "Canceled": "ABORTED"}


class AzureOperator(Operator):
    """`app` is the address of the function app, `https://<name>.azurewebsites.net`; `key` its system key
    `durabletask_extension`. `resource_manager` names another cloud than the public one."""

    def __init__(self, app: str, key: str, resource_manager: str = "") -> None:
        self._app, self._key, self._resource_manager = app, key, resource_manager

    @cached_property
    def engine(self) -> DurableEngine:
        if not self._key:
            raise InvalidRequest(
                f"No key for {self._app}.",
                hint=f"Set {KEY_VARIABLE} to its system key durabletask_extension: az functionapp keys list.",
            )
        return DurableEngine(ManagementApi(f"{self._app.rstrip('/')}/{MANAGEMENT_PATH}", self._key))

    @cached_property
    def rooms(self) -> Rooms:
        where = self.engine.describe()
        return self._rooms(where["catalog_endpoint"], where["catalog_table"], where["event_topic"])

    @cached_property
    def rooms_without_deployment(self) -> Rooms:
        return self._rooms("", "", "")

    @property
    def region(self) -> str:
        raise InvalidRequest("This deployment is on Azure: it has no AWS region.", hint="Leave --app out for one on AWS.")

    def about_schedule(self, plan: str, schedule: Schedule) -> str:
        return "The app looks every minute which plans are due: the schedule takes effect at once."

    def _rooms(self, catalog_endpoint: str, catalog_table: str, event_topic: str) -> AzureRooms:
        from shared.wiring.azure import AzureRooms

        return AzureRooms(catalog_endpoint, catalog_table, event_topic, resource_manager=self._resource_manager)


class DurableEngine:
    """`Engine` of a deployment on Azure. What is asked is an orchestration of its own, whose output is the answer."""

    def __init__(self, management: ManagementApi) -> None:
        self._management = management

    def start_backup(self, plan: str, reason: str) -> Execution:
        name = f"{plan}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{uuid4().hex[:8]}"
        given = {"action": BACKUP, "plan": plan, "reason": reason}
        return self.started(DurableExecutions(self._management).start_backup(name, given).id)

    def look(self, execution: Execution) -> Execution:
        found = self._management.status(execution.arn)
        if found is None:
            raise Misconfigured(f"There is no instance {execution.arn} any more.", hint="Its history was purged.")
        return execution._replace(
            status=_STATUSES.get(found.runtime, "RUNNING"), cause=str(found.output or "") if not found.is_live else ""
        )

    def check(self, plan: str) -> dict[str, Any]:
        return self._ask("check_plan", {"plan": plan})

    def restore(self, payload: dict[str, Any]) -> dict[str, Any]:
        return self._ask("restore_request", payload)

    def describe(self) -> dict[str, Any]:
        """`catalog_endpoint`, `catalog_table` and `event_topic` of the deployment."""
        return self._ask("describe", {})

    def started(self, arn: str) -> Execution:
        return Execution(arn, "RUNNING")

    def unpause(self, selector: dict[str, str]) -> dict[str, Any]:
        return self._ask("unpause", selector)

    def _ask(self, orchestrator: str, payload: dict[str, Any]) -> dict[str, Any]:
        name = f"{orchestrator.replace('_', '-')}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{uuid4().hex[:8]}"
        self._management.start_once(orchestrator, name, payload)
        output = self._ended(name).output
        if not isinstance(output, dict) or "ok" not in output:
            raise Misconfigured(f"{orchestrator} answered {str(output)[:200]!r}.", hint="Deploy the app again.")
        if not output["ok"]:
            raise _raised(str(output.get("error", "")), str(output.get("cause", "")))
        answer: dict[str, Any] = output["answer"]
        return answer

    def _ended(self, name: str) -> InstanceStatus:
        ends = time.monotonic() + ANSWER_SECONDS
        while time.monotonic() < ends:
            found = self._management.status(name)
            if found is not None and not found.is_live:
                return found
            time.sleep(POLL_SECONDS)
        raise Unreachable(f"{name} has not answered within {ANSWER_SECONDS:.0f} s.", hint="Look at it in the portal.")


def _raised(name: str, message: str) -> BackupError:
    """By its class name when it is one of ours, which then decides the exit code."""
    kind = getattr(errors, name, None)
    if isinstance(kind, type) and issubclass(kind, BackupError):
        return kind(message)
    return BackupError(f"The app failed unexpectedly: {name}: {message}", hint="Its log has the traceback.")
