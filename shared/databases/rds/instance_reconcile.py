"""Gives an available DB instance the settings it shall have, one change per call, until every one of them compares equal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.databases.rds import tags
from shared.databases.rds.calls import Calls
from shared.databases.rds.errors import BUSY, aws_code
from shared.databases.rds.instance_compare import differences, of_the_data
from shared.databases.rds.instance_manifest import read
from shared.databases.rds.instance_parameters import of_modification
from shared.databases.rds.inventory import Instance
from shared.model.errors import BackupError, NotReady
from shared.model.instance_settings import InstanceSettings
from shared.model.restore import ItemRestore

SETTLES_WITHIN = timedelta(minutes=45)
"""A change that an available instance has taken and that does not show after this time will not show any more."""
LAST = "deletion_protection"


@dataclass(frozen=True)
class Reconciled:
    """`differences` are sentences; none means that everything compares equal. `doing` says what was asked of the service."""

    differences: tuple[str, ...] = ()
    doing: str = ""

    @property
    def is_done(self) -> bool:
        return not self.differences and not self.doing


def reconcile(
    instance: Instance, wanted: InstanceSettings, item: ItemRestore, now: datetime, calls: Calls, *, may_reboot: bool
) -> Reconciled:
    """Does the next missing thing. `item` is what is remembered: since when which differences are there.

    Raises:
        NotReady: a setting cannot be put right; the message names it and both values.
        Unreachable, Throttled, Forbidden, Misconfigured: the service.
    """
    found = read(instance, now)
    if bound := of_the_data(wanted, found):
        raise NotReady(
            f"{instance.identifier}: {' '.join(bound.values())}",
            hint="These come with the data and cannot be changed: restore the source that has them.",
        )
    told = differences(wanted, found)
    if not told:
        return Reconciled(doing=_reboot(instance, calls) if may_reboot else "")
    sentences = tuple(told.values())
    if instance.pending:
        return Reconciled(sentences, f"waiting for {', '.join(sorted(instance.pending))}")
    if item.differences == sentences and item.since is not None and now - item.since > SETTLES_WITHIN:
        raise NotReady(
            f"{instance.identifier}: its settings do not become what they shall be. {' '.join(sentences)}",
            hint="Look at the instance's events in the console, put it right by hand, then go on.",
        )
    return Reconciled(sentences, _unless_busy(lambda: _put_right(instance, wanted, found, told, calls)))


def _put_right(
    instance: Instance, wanted: InstanceSettings, found: InstanceSettings, told: Mapping[str, str], calls: Calls
) -> str:
    """Tags and roles by calls of their own, the rest in one modification; what protects from deletion last."""
    if "tags" in told:
        return _tag(instance, wanted, found, calls)
    rest = [name for name in told if name not in (LAST, "associated_roles")]
    given = of_modification(rest or [name for name in told if name == LAST and len(told) == 1], wanted, found)
    if given:
        calls.rds(
            "modify_db_instance",
            instance.identifier,
            DBInstanceIdentifier=instance.identifier,
            ApplyImmediately=True,
            **given,
        )
        return f"setting {', '.join(sorted(given))}"
    if rest:
        raise NotReady(
            f"{instance.identifier}: {' '.join(told[name] for name in rest)}",
            hint="No modification can change this; put it right by hand if that is possible, then go on.",
        )
    return _add_role(instance, wanted, found, calls)


def _tag(instance: Instance, wanted: InstanceSettings, found: InstanceSettings, calls: Calls) -> str:
    if missing := {key: value for key, value in wanted.tags.items() if found.tags.get(key) != value}:
        calls.rds("add_tags_to_resource", instance.identifier, ResourceName=instance.arn, Tags=tags.as_list(missing))
    if excess := sorted(set(found.tags) - set(wanted.tags)):
        calls.rds("remove_tags_from_resource", instance.identifier, ResourceName=instance.arn, TagKeys=excess)
    return "setting tags"


def _add_role(instance: Instance, wanted: InstanceSettings, found: InstanceSettings, calls: Calls) -> str:
    missing = {name: arn for name, arn in wanted.associated_roles.items() if found.associated_roles.get(name) != arn}
    for feature, role in sorted(missing.items()):
        calls.rds(
            "add_role_to_db_instance",
            instance.identifier,
            DBInstanceIdentifier=instance.identifier,
            RoleArn=role,
            FeatureName=feature,
        )
        return f"adding the role for {feature}"
    raise NotReady(
        f"{instance.identifier} has roles that it shall not have: {', '.join(sorted(found.associated_roles))}.",
        hint="Remove them from the instance, then go on.",
    )


def _reboot(instance: Instance, calls: Calls) -> str:
    """A parameter group given to a restore is in force, one given by a modification only after a reboot."""
    groups = instance.described.get("DBParameterGroups", [])
    if all(group.get("ParameterApplyStatus") != "pending-reboot" for group in groups):
        return ""

    def reboot() -> str:
        calls.rds("reboot_db_instance", instance.identifier, DBInstanceIdentifier=instance.identifier)
        return "rebooting, so that its parameter group is in force"

    return _unless_busy(reboot)


def _unless_busy(change: Callable[[], str]) -> str:
    """Between the look and the change something else may have begun on the instance: a later call goes on."""
    try:
        return change()
    except BackupError as error:
        if aws_code(error) in BUSY:
            return "waiting until it can be changed"
        raise
