"""Puts right what a cluster or its instances have otherwise than they shall, as far as it can be changed at all."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial

from shared.databases.rds import tags
from shared.databases.rds.calls import Calls
from shared.databases.rds.cluster_compare import differences, member_differences
from shared.databases.rds.cluster_manifest import read_member, without_extras
from shared.databases.rds.cluster_parameters import modify_cluster_parameters, modify_member_parameters
from shared.databases.rds.cluster_scene import Described
from shared.databases.rds.errors import BUSY, TAKEN, aws_code
from shared.model.cluster_settings import AssociatedRole, ClusterSettings, MemberSettings
from shared.model.errors import BackupError
from shared.model.records import replace

AVAILABLE = "available"
REBOOT_NEEDED = "pending-reboot"


@dataclass(frozen=True)
class Reconciled:
    """`differences` are what did not compare equal when it was looked at; a later look tells whether that has changed."""

    differences: tuple[str, ...] = ()
    acted: bool = False


def when_free(call: Callable[[], object]) -> bool:
    """Makes the call; false when the object is busy or the name not yet free, so that a later call has to try again."""
    try:
        call()
    except BackupError as error:
        if aws_code(error) in BUSY | TAKEN:
            return False
        raise
    return True


def reconcile_cluster(cluster: Described, wanted: ClusterSettings, leave_out: Collection[str], calls: Calls) -> Reconciled:
    """Modifies an available cluster where it differs from `wanted`, `leave_out` excepted. Its instances are another matter."""
    actual = without_extras(cluster, (), wanted.taken_at)
    skipped = {*leave_out, "members", "custom_endpoints", "replica_scaling"}
    found = differences(wanted, actual, skipped)
    if not found:
        return Reconciled()
    aim = replace(
        wanted, **{field: getattr(actual, field) for field in leave_out if field not in ("members", "custom_endpoints")}
    )
    name = cluster["DBClusterIdentifier"]
    subject = f"cluster {name}"
    if changes := modify_cluster_parameters(aim, actual):
        when_free(lambda: calls.rds("modify_db_cluster", subject, DBClusterIdentifier=name, ApplyImmediately=True, **changes))
    _tags(subject, cluster["DBClusterArn"], aim.tags, actual.tags, calls)
    _roles(name, aim, actual, calls)
    if aim.data_api != actual.data_api:
        operation = "enable_http_endpoint" if aim.data_api else "disable_http_endpoint"
        calls.rds(operation, subject, ResourceArn=cluster["DBClusterArn"])
    return Reconciled(found, acted=True)


def reconcile_member(instance: Described, wanted: MemberSettings, calls: Calls) -> Reconciled:
    """Modifies an available instance where it differs from `wanted`; reboots it where a parameter group waits for that."""
    actual = read_member(instance, wanted.is_writer)
    found = member_differences(wanted, actual)
    name = instance["DBInstanceIdentifier"]
    subject = f"instance {name}"
    if found:
        if changes := modify_member_parameters(wanted, actual):
            when_free(
                lambda: calls.rds("modify_db_instance", subject, DBInstanceIdentifier=name, ApplyImmediately=True, **changes)
            )
        _tags(subject, instance["DBInstanceArn"], wanted.tags, actual.tags, calls)
        return Reconciled(found, acted=True)
    groups = instance.get("DBParameterGroups", ())
    if any(group.get("ParameterApplyStatus") == REBOOT_NEEDED for group in groups):
        when_free(lambda: calls.rds("reboot_db_instance", subject, DBInstanceIdentifier=name))
        return Reconciled((f"instance {wanted.identifier}: its parameter group waits for a reboot",), acted=True)
    return Reconciled()


def _tags(subject: str, arn: str, wanted: Mapping[str, str], actual: Mapping[str, str], calls: Calls) -> None:
    if more := {key: value for key, value in wanted.items() if actual.get(key) != value}:
        calls.rds("add_tags_to_resource", subject, ResourceName=arn, Tags=tags.as_list(more))
    if fewer := sorted(set(actual) - set(wanted)):
        calls.rds("remove_tags_from_resource", subject, ResourceName=arn, TagKeys=fewer)


def _roles(name: str, wanted: ClusterSettings, actual: ClusterSettings, calls: Calls) -> None:
    changes = [("add_role_to_db_cluster", role) for role in wanted.associated_roles if role not in actual.associated_roles]
    changes += [
        ("remove_role_from_db_cluster", role) for role in actual.associated_roles if role not in wanted.associated_roles
    ]
    for operation, role in changes:
        when_free(partial(calls.rds, operation, f"cluster {name}", **_role(name, role)))


def _role(name: str, role: AssociatedRole) -> dict[str, str]:
    feature = {"FeatureName": role.feature} if role.feature else {}
    return {"DBClusterIdentifier": name, "RoleArn": role.role_arn, **feature}
