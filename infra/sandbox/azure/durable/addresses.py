"""The addresses that a host gives away: management links of instances, and the binding of a durable client."""

from __future__ import annotations

import json
from dataclasses import dataclass

WEBHOOK = "/runtime/webhooks/durabletask"
RPC = "/durabletask"
_PLACEHOLDER = "INSTANCEID"


@dataclass(frozen=True)
class Addresses:
    """`url` is the host's. `rpc_url` is where only the worker on the same machine calls, without a key."""

    url: str
    rpc_url: str
    task_hub: str
    system_key: str

    def links(self, instance_id: str) -> dict[str, str]:
        """What a start answers with."""
        return {"id": instance_id, **self._links(instance_id)}

    def client_binding(self) -> str:
        """The text that the SDK's DurableOrchestrationClient is made from; rpcBaseUrl must end with a slash."""
        new = f"{self.url}{WEBHOOK}/orchestrators/{{functionName}}[/{{instanceId}}]"
        code = f"code={self.system_key}"
        wait = "timeout={timeoutInSeconds}&pollingInterval={intervalInSeconds}"
        return json.dumps(
            {
                "taskHubName": self.task_hub,
                "creationUrls": {
                    "createNewInstancePostUri": f"{new}?{code}",
                    "createAndWaitOnNewInstancePostUri": f"{new}?{wait}&{code}",
                },
                "managementUrls": {"id": _PLACEHOLDER, **self._links(_PLACEHOLDER)},
                "baseUrl": self.url + WEBHOOK,
                "requiredQueryStringParameters": code,
                "rpcBaseUrl": f"{self.rpc_url}{RPC}/",
            }
        )

    def _links(self, instance_id: str) -> dict[str, str]:
        instance = f"{self.url}{WEBHOOK}/instances/{instance_id}"
        query = f"taskHub={self.task_hub}&connection=Storage&code={self.system_key}"
        return {
            "statusQueryGetUri": f"{instance}?{query}",
            "sendEventPostUri": f"{instance}/raiseEvent/{{eventName}}?{query}",
            "terminatePostUri": f"{instance}/terminate?reason={{text}}&{query}",
            "rewindPostUri": f"{instance}/rewind?reason={{text}}&{query}",
            "purgeHistoryDeleteUri": f"{instance}?{query}",
            "restartPostUri": f"{instance}/restart?{query}",
            "suspendPostUri": f"{instance}/suspend?reason={{text}}&{query}",
            "resumePostUri": f"{instance}/resume?reason={{text}}&{query}",
        }
