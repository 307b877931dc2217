"""A deployment on Azure: one Durable Functions app on its host."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from infra.sandbox.azure.durable.keys import DURABLE_TASK
from infra.sandbox.azure_databases import RESOURCE_GROUP
from infra.sandbox.azure_world import CLUSTER, AzureWorld
from shared.cli.azure_operator import AzureOperator
from shared.cli.engine import Execution
from shared.model.errors import UnknownRun
from tests.scenarios.deployment import Deployment, Refusal

QUICK = {
    "cosmos_lag_seconds": 0.5,
    "cosmos_create_seconds": 0.1,
    "cosmos_restore_seconds": 0.5,
    "cosmos_update_seconds": 0.1,
    "cosmos_delete_seconds": 0.1,
    "servers_lag_seconds": 0.5,
    "servers_create_seconds": 0.1,
    "servers_restore_seconds": 0.5,
    "servers_update_seconds": 0.1,
    "servers_delete_seconds": 0.1,
    "servers_first_backup_seconds": 0.1,
    "servers_backup_seconds": 0.1,
}


class AzureDeployment(Deployment):
    cloud = "azure"
    world: AzureWorld

    @cached_property
    def operator(self) -> AzureOperator:
        host = self.world.host
        return AzureOperator(host.url, host.keys.systems[DURABLE_TASK], self.world.azure.url)

    def input_of(self, execution: Execution) -> dict[str, Any]:
        given = self.world.host.status(execution.arn)["input"]
        found: dict[str, Any] = json.loads(given) if isinstance(given, str) else given
        return found

    def run_id_of(self, execution: Execution) -> str:
        """By its record: the id holds the moment at which the orchestrator began, which no status shows."""
        for run in self.catalog.runs(self.input_of(execution)["plan"]):
            if run.execution == execution.arn:
                return run.id
        raise UnknownRun(f"No run of instance {execution.arn} is recorded.")

    def stop(self, execution: Execution) -> None:
        answer = self.world.host.manage("POST", f"/instances/{execution.arn}/terminate?reason=stopped%20while%20paused")
        assert answer.status == 202, answer

    def notice_the_end_of(self, *stopped: Execution) -> None:
        """The timer that does it every minute does it now."""
        assert self.world.host.fire("look_after_runs").status == 202
        self.await_end(*stopped)

    @property
    def nowhere(self) -> dict[str, str]:
        return {"SCALAR_BACKUP_APP": "http://127.0.0.1:9"}

    @property
    def named_cluster(self) -> list[str]:
        group = ["--resource-group", RESOURCE_GROUP]
        return ["--aks", CLUSTER, *group, "--subscription", self.world.azure.subscription]

    def kill(self, step: str, plan: str, after_seconds: float) -> None:
        """The worker, with all that runs in it: a host that is restarted."""
        self.world.host.kill_worker("window", {"step": step, "plan": plan}, after_seconds=after_seconds)

    def killed(self) -> list[dict[str, Any]]:
        return [kill["payload"] for kill in self.world.host.killed()]

    def send(self, payload: Mapping[str, Any]) -> dict[str, Any] | Refusal:
        """By HTTP, with the key of the host."""
        answer = self.world.host.call("POST", "/api/restore", dict(payload))
        if answer.status >= 400:
            told = answer.json or {"error": f"HTTP {answer.status}", "message": "no body"}
            return Refusal(told["error"], told["message"])
        found: dict[str, Any] = answer.json
        return found

    def story(self) -> str:
        """How far the test's instances have come, and the last lines of the app's log."""
        parts = [f"--- {instance}\n{json.dumps(self.world.host.status(instance))[:800]}" for instance in self.followed]
        lines = "\n".join(line[:300] for line in self.world.host.logs()[-80:])
        return "\n".join([*parts, f"--- log of the app\n{lines}"])
