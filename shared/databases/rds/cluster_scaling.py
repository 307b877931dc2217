"""Application Auto Scaling of a cluster's readers: a scalable target `cluster:<identifier>` with its policies and schedules.

It is a resource of its own that knows the cluster by name only, so a restored cluster has none (Aurora user guide, Amazon
Aurora Auto Scaling with Aurora Replicas).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from shared.databases.rds.calls import Calls
from shared.model.cluster_settings import ReplicaScaling
from shared.model.times import iso

DIMENSION = "rds:cluster:ReadReplicaCount"
MADE_BY_SCALING = "application-autoscaling-"
"""How the identifiers of readers begin that scaling has made; it makes new ones itself."""
_POLICY_FIELDS = (
    "PolicyName",
    "PolicyType",
    "StepScalingPolicyConfiguration",
    "TargetTrackingScalingPolicyConfiguration",
    "PredictiveScalingPolicyConfiguration",
)
_ACTION_FIELDS = ("ScheduledActionName", "Schedule", "Timezone", "StartTime", "EndTime", "ScalableTargetAction")
_SERVICE_LINKED = ":role/aws-service-role/"
_SUSPENDED = dict.fromkeys(("DynamicScalingInSuspended", "DynamicScalingOutSuspended", "ScheduledScalingSuspended"), True)


def read_scaling(cluster: str, calls: Calls) -> ReplicaScaling | None:
    """What scales the readers of a cluster; None when nothing does."""
    targets = _described("describe_scalable_targets", "ScalableTargets", cluster, calls, ResourceIds=[f"cluster:{cluster}"])
    if not targets:
        return None
    target = targets[0]
    resource = f"cluster:{cluster}"
    policies = _described("describe_scaling_policies", "ScalingPolicies", cluster, calls, ResourceId=resource)
    actions = _described("describe_scheduled_actions", "ScheduledActions", cluster, calls, ResourceId=resource)
    role = target.get("RoleARN") or ""
    return ReplicaScaling(
        min_capacity=target["MinCapacity"],
        max_capacity=target["MaxCapacity"],
        role_arn="" if _SERVICE_LINKED in role else role,
        suspended={key: True for key, value in (target.get("SuspendedState") or {}).items() if value},
        policies=tuple(sorted((_kept(one, _POLICY_FIELDS) for one in policies), key=lambda one: str(one["PolicyName"]))),
        scheduled_actions=tuple(
            sorted((_kept(one, _ACTION_FIELDS) for one in actions), key=lambda one: str(one["ScheduledActionName"]))
        ),
    )


def suspend_scaling(cluster: str, found: ReplicaScaling, calls: Calls) -> None:
    """Nothing is scaled while names change hands: a reader made then might land in the wrong cluster."""
    if dict(found.suspended) != _SUSPENDED:
        calls.autoscaling("register_scalable_target", f"cluster {cluster}", **_which(cluster), SuspendedState=_SUSPENDED)


def put_scaling(cluster: str, wanted: ReplicaScaling | None, found: ReplicaScaling | None, calls: Calls) -> None:
    """The target, its policies and schedules as wanted, and no others. Each call may be repeated."""
    subject = f"cluster {cluster}"
    if wanted is None:
        if found is not None:
            calls.autoscaling("deregister_scalable_target", subject, **_which(cluster))
        return
    role = {"RoleARN": wanted.role_arn} if wanted.role_arn else {}
    calls.autoscaling(
        "register_scalable_target",
        subject,
        **_which(cluster),
        MinCapacity=wanted.min_capacity,
        MaxCapacity=wanted.max_capacity,
        SuspendedState={key: bool(wanted.suspended.get(key)) for key in _SUSPENDED},
        **role,
    )
    for policy in wanted.policies:
        calls.autoscaling("put_scaling_policy", subject, **_which(cluster), **policy)
    for action in wanted.scheduled_actions:
        calls.autoscaling("put_scheduled_action", subject, **_which(cluster), **action)
    if found is not None:
        _remove_others(cluster, wanted, found, calls)


def _described(operation: str, items: str, cluster: str, calls: Calls, **which: Any) -> list[dict[str, Any]]:
    """Only those of this very cluster: another one's name may begin with its name."""
    found = calls.autoscaling_list(operation, items, f"cluster {cluster}", ScalableDimension=DIMENSION, **which)
    return [one for one in found if one.get("ResourceId") == f"cluster:{cluster}"]


def _remove_others(cluster: str, wanted: ReplicaScaling, found: ReplicaScaling, calls: Calls) -> None:
    subject = f"cluster {cluster}"
    for name in _names(found.policies, "PolicyName") - _names(wanted.policies, "PolicyName"):
        calls.autoscaling("delete_scaling_policy", subject, **_which(cluster), PolicyName=name)
    for name in _names(found.scheduled_actions, "ScheduledActionName") - _names(
        wanted.scheduled_actions, "ScheduledActionName"
    ):
        calls.autoscaling("delete_scheduled_action", subject, **_which(cluster), ScheduledActionName=name)


def _which(cluster: str) -> dict[str, str]:
    return {"ResourceId": f"cluster:{cluster}", "ScalableDimension": DIMENSION}


def _names(things: tuple[Mapping[str, Any], ...], field: str) -> set[str]:
    return {str(thing[field]) for thing in things}


def _kept(described: Mapping[str, Any], fields: tuple[str, ...]) -> dict[str, Any]:
    """Times as text: in a record they are text, too, and must compare equal."""
    found = ((field, described[field]) for field in fields if field in described)
    return {field: iso(value) if isinstance(value, datetime) else value for field, value in found}
