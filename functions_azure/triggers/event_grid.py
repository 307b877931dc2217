"""Event Grid: our own "Backup Requested", and events of AKS clusters that releases of a plan live in.

Events come in either schema, more than once, in any order, and a batch in which one fails is sent again as a whole. A failure
here is therefore only what a repetition can mend; an event that says nothing sensible becomes a run that fails and is told.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import azure.durable_functions as df
import azure.functions as func

from functions_azure.client import binding_of
from functions_azure.runtime import log, workers
from functions_azure.triggers import instances
from shared.executions.durable import BACKUP
from shared.model.plan import AksCluster
from shared.steps.ports import Rooms

blueprint = df.Blueprint()

BACKUP_REQUESTED = "Backup Requested"
AKS = "Microsoft.ContainerService."
BEFORE_UPGRADES = frozenset(
    {"Microsoft.ContainerService.NewKubernetesVersionAvailable", "Microsoft.ContainerService.ClusterSupportEnding"}
)
"""What tells of an upgrade before it begins. When node pools are rolling already, no window would hold.
Source: "Azure Kubernetes Service (AKS) as an Event Grid source"."""
DEEPEST = 3
"""How often an event's data may have been encoded: our events are JSON in JSON when a pipeline quoted them once too often."""


class Event(NamedTuple):
    """An event of either schema. `source` is the cluster's resource id in those of AKS."""

    id: str
    type: str
    source: str
    data: Any


@blueprint.event_grid_trigger(arg_name="event")
@blueprint.generic_input_binding(arg_name="client", type="durableClient")
async def on_event(event: func.EventGridEvent, client: str) -> None:
    """Starts the backups that an event asks for."""
    told = read_event(event)
    if is_backup_requested(told):
        plan = told.data.get("plan") if isinstance(told.data, dict) else None
        plans = {plan if isinstance(plan, str) and plan.replace("-", "").isalnum() else "unknown": told.data}
    elif told.type in BEFORE_UPGRADES:
        reason = told.type.removeprefix(AKS)

        async def affected(rooms: Rooms) -> list[str]:
            return plans_on(told.source, rooms)

        plans = {plan: {"action": "backup", "plan": plan, "reason": reason} for plan in await workers().run("", affected)}
    else:
        log("event without meaning here", event=told.id, type=told.type)
        return
    for name, given in plans.items():
        instance = instances.by_event(name, told.source, told.id)
        started = await binding_of(client).start_once(BACKUP, instance, given)
        log("backup asked for by an event", event=told.id, type=told.type, plan=name, instance=instance, started=started)


def read_event(event: Any) -> Event:
    """From what the worker hands over: `EventGridEvent`, or `CloudEvent` when the body is one."""
    kind = getattr(event, "event_type", None) or event.type
    source = getattr(event, "topic", None) or getattr(event, "source", None) or ""
    return Event(id=str(event.id), type=str(kind), source=str(source), data=_decoded(event.get_json()))


def is_backup_requested(event: Event) -> bool:
    """Whether the type is ours, however its words are joined: `Backup Requested`, `com.example.BackupRequested`."""
    letters = "".join(character for character in event.type.lower() if character.isalnum())
    return letters.endswith("backuprequested")


def plans_on(cluster_id: str, rooms: Rooms) -> list[str]:
    """The plans with a release in the cluster of that resource id, whose parts Azure writes in any case."""
    return [
        stored.plan.name
        for stored in rooms.catalog.plans()
        if any(_id_of(release.cluster) == cluster_id.lower() for release in stored.plan.releases)
    ]


def _id_of(cluster: Any) -> str:
    if not isinstance(cluster, AksCluster):
        return ""
    group = f"/subscriptions/{cluster.subscription}/resourceGroups/{cluster.resource_group}"
    return f"{group}/providers/Microsoft.ContainerService/managedClusters/{cluster.name}".lower()


def _decoded(data: Any) -> Any:
    for _ in range(DEEPEST):
        if not isinstance(data, str):
            break
        try:
            data = json.loads(data)
        except ValueError:
            break
    return data
