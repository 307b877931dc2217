"""A deployment on AWS: Step Functions, Lambda functions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from infra.sandbox.world import CLUSTER, STACK, World
from shared.cli.engine import Execution
from shared.cli.operator import AwsOperator
from shared.model.run import run_id
from tests.scenarios.deployment import Deployment, Refusal

FUNCTIONS = ("check", "run", "window", "watchdog", "protect", "restore", "applications", "databases")


class AwsDeployment(Deployment):
    cloud = "aws"
    world: World

    @cached_property
    def operator(self) -> AwsOperator:
        return AwsOperator(STACK, self.world.aws.region)

    def input_of(self, execution: Execution) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self._described(execution)["input"])
        return found

    def run_id_of(self, execution: Execution) -> str:
        described = self._described(execution)
        return run_id(json.loads(described["input"])["plan"], execution.arn, described["startDate"])

    def _described(self, execution: Execution) -> dict[str, Any]:
        described: dict[str, Any] = self._states.describe_execution(executionArn=execution.arn)
        return described

    def stop(self, execution: Execution) -> None:
        self._states.stop_execution(executionArn=execution.arn, error="Operator", cause="stopped while paused")

    def notice_the_end_of(self, *stopped: Execution) -> None:
        self.await_end(*stopped)

    @property
    def nowhere(self) -> dict[str, str]:
        return {"SCALAR_BACKUP_STACK": "there-is-none"}

    @property
    def named_cluster(self) -> list[str]:
        return ["--eks", CLUSTER]

    def kill(self, step: str, plan: str, after_seconds: float) -> None:
        self.world.aws.kill("-window", {"step": step, "plan": plan}, after_seconds=after_seconds)

    def killed(self) -> list[dict[str, Any]]:
        return [json.loads(kill["payload"]) for kill in self.world.aws.killed()]

    def send(self, payload: Mapping[str, Any]) -> dict[str, Any] | Refusal:
        """Pasted into the console of the Restore function."""
        answer = self.world.aws.client("lambda").invoke(
            FunctionName=self.world.outputs["RestoreFunctionName"], Payload=json.dumps(payload).encode()
        )
        body = json.loads(answer["Payload"].read())
        if "FunctionError" in answer:
            return Refusal(body["errorType"], body["errorMessage"])
        found: dict[str, Any] = body
        return found

    @property
    def _states(self) -> Any:
        return self.world.aws.client("stepfunctions")

    def story(self) -> str:
        """The last events of the test's executions and the last lines of each function's log."""
        parts = [self._last_events(arn) for arn in self.followed]
        for function in FUNCTIONS:
            lines = self.world.aws.logs(f"{STACK}-{function}")[-15:]
            parts.append(f"--- log of {function}\n" + "\n".join(line.rstrip()[:300] for line in lines))
        return "\n".join(parts)

    def _last_events(self, arn: str) -> str:
        events = self._states.get_execution_history(executionArn=arn, reverseOrder=True, maxResults=14)["events"]
        lines = [f"{item['timestamp']:%H:%M:%S.%f} {item['type']} {_details(item)}" for item in reversed(events)]
        return f"--- {arn}\n" + "\n".join(lines)


def _details(event: dict[str, Any]) -> str:
    found = next((value for key, value in event.items() if key.endswith("EventDetails")), {})
    return json.dumps(found, default=str, ensure_ascii=False)[:400]
