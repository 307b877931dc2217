"""What a DB instance is restored from: the recovery window of the instance that had the point, alive or deleted, a snapshot, or
the old copy that an undo goes back to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from shared.databases.rds import snapshots
from shared.databases.rds.calls import Calls
from shared.databases.rds.errors import none_if_gone
from shared.databases.rds.instance_manifest import read
from shared.databases.rds.inventory import Fleet, Instance
from shared.databases.rds.names import is_aside
from shared.model.checks import CheckResult, failed
from shared.model.instance_settings import InstanceSettings
from shared.model.plan import RdsInstance
from shared.model.protection import ItemProtection
from shared.model.records import from_record
from shared.model.restore import RestoreOrder
from shared.model.times import iso

PITR, SNAPSHOT, OLD_COPY = "point-in-time recovery", "snapshot", "old copy"
CHECK = "rds-source"
_GOING = "deleting"


@dataclass(frozen=True)
class Window:
    """RestoreWindow of an instance's automated backups; None for what there is not (yet)."""

    earliest: datetime | None = None
    latest: datetime | None = None

    def reaches_back_to(self, point: datetime) -> bool:
        return self.earliest is not None and self.earliest <= point

    def has_reached(self, point: datetime) -> bool:
        return self.latest is not None and point <= self.latest

    def __str__(self) -> str:
        if self.earliest is None or self.latest is None:
            return "nothing yet"
        return f"{iso(self.earliest)} to {iso(self.latest)}"


@dataclass(frozen=True)
class Source:
    """`way` is the word of `DatabaseForecast.source`, empty when there is none: then `problem` says why.

    `settings` is what the restored instance shall have, `live` what bears the name now, `noted` what the restore point keeps.
    `identifier` names an existing instance to restore from, `resource_id` says which one it is or, without a name, was.
    """

    way: str = ""
    settings: InstanceSettings | None = None
    live: InstanceSettings | None = None
    noted: InstanceSettings | None = None
    identifier: str = ""
    resource_id: str = ""
    snapshot_arn: str = ""
    window: Window = Window()
    is_reached: bool = True
    """Whether the point is restorable already."""
    problem: CheckResult | None = None

    @property
    def text(self) -> str:
        """For `ItemRestore.source`."""
        return {PITR: "pitr", SNAPSHOT: self.snapshot_arn, OLD_COPY: self.identifier}.get(self.way, "")


def window_of(resource_id: str, instance: Instance | None, calls: Calls) -> Window:
    """Of the instance with this id, which may be deleted: DescribeDBInstances knows the latest time only.

    Raises:
        Unreachable, Throttled, Forbidden: the service.
    """
    found = none_if_gone(
        lambda: calls.rds_list(
            "describe_db_instance_automated_backups", "DBInstanceAutomatedBackups", resource_id, DbiResourceId=resource_id
        )
    )
    window = found[0].get("RestoreWindow", {}) if found else {}
    latest = window.get("LatestTime")
    if instance is not None and instance.latest_restorable is not None:
        latest = max(latest or instance.latest_restorable, instance.latest_restorable)
    return Window(window.get("EarliestTime"), latest)


def noted_item(order: RestoreOrder) -> ItemProtection | None:
    """What the restore point keeps of this instance."""
    return order.protection.items[0] if order.protection and order.protection.items else None


def find_source(order: RestoreOrder, fleet: Fleet, now: datetime, calls: Calls) -> Source:
    """Where this order's data is. Settings are the live instance's as they are now: a restore brings data back, it does not
    take back what was configured since. Where no instance is live, they are those of the restore point.

    Raises:
        Unreachable, Throttled, Forbidden: the service.
    """
    database = order.database
    if not isinstance(database, RdsInstance):
        raise TypeError(f"{database.key} is not a DB instance")
    bearer = fleet.named(database.instance)
    live = read(bearer, now) if bearer else None
    if order.undo is not None:
        return _old_copy(order, database, fleet, live)
    item = noted_item(order)
    noted = from_record(item.settings, InstanceSettings) if item and item.settings else None
    if order.at is None or (live is None and noted is None):
        return Source(live=live, problem=_missing(database, calls))
    owner_id = noted.resource_id if noted else live.resource_id if live else ""
    owner = fleet.being(owner_id)
    if live is None and owner is not None and not is_aside(owner.identifier):
        return Source(noted=noted, problem=_renamed(database, owner))
    is_there = owner is not None and owner.status != _GOING
    window = window_of(owner_id, owner if is_there else None, calls)
    settings = live or noted
    begins = window.earliest is None and is_there and owner is not None and owner.retention_days > 0
    if begins or (window.reaches_back_to(order.at) and (is_there or window.has_reached(order.at))):
        return Source(
            way=PITR,
            settings=settings,
            live=live,
            noted=noted,
            identifier=owner.identifier if owner and is_there else "",
            resource_id=owner_id,
            window=window,
            is_reached=window.has_reached(order.at),
        )
    snapshot = snapshots.find(snapshots.OF_INSTANCE, item.backup_arn, calls) if item and item.backup_arn else None
    if snapshot is not None and snapshot.is_available:
        return Source(
            way=SNAPSHOT,
            settings=settings,
            live=live,
            noted=noted,
            resource_id=owner_id,
            snapshot_arn=snapshot.arn,
            window=window,
        )
    problem = _out_of_reach(database, order.at, owner, owner_id, window, bool(item and item.backup_arn))
    return Source(settings=settings, live=live, noted=noted, resource_id=owner_id, window=window, problem=problem)


def _old_copy(order: RestoreOrder, database: RdsInstance, fleet: Fleet, live: InstanceSettings | None) -> Source:
    """The instance that the first restore has set aside, whatever it is called."""
    item = order.undo.items[0] if order.undo and order.undo.items else None
    if item is None or not item.kept_settings:
        return Source(live=live, problem=_nothing_kept(database, "the restore has set nothing aside"))
    kept = from_record(item.kept_settings, InstanceSettings)
    old = fleet.being(kept.resource_id)
    if old is None:
        named = item.kept or kept.identifier
        return Source(live=live, problem=_nothing_kept(database, f"{named} ({kept.resource_id}) does not exist any more"))
    return Source(way=OLD_COPY, settings=kept, live=live, identifier=old.identifier, resource_id=kept.resource_id)


def _nothing_kept(database: RdsInstance, reason: str) -> CheckResult:
    return failed(CHECK, database.key, f"There is nothing to go back to: {reason}.", "Restore to a restore point instead.")


def _missing(database: RdsInstance, calls: Calls) -> CheckResult:
    retained = calls.rds_list(
        "describe_db_instance_automated_backups",
        "DBInstanceAutomatedBackups",
        database.instance,
        Filters=[{"Name": "status", "Values": ["retained"]}],
    )
    ours = [one for one in retained if one.get("DBInstanceIdentifier") == database.instance.lower()]
    windows = (one.get("RestoreWindow", {}) for one in ours)
    shown = [
        f"{one['DbiResourceId']} ({Window(w.get('EarliestTime'), w.get('LatestTime'))})"
        for one, w in zip(ours, windows, strict=True)
    ]
    found = f"Retained automated backups of it: {', '.join(shown)}." if shown else "No automated backup of it is retained."
    return failed(
        CHECK,
        database.key,
        f"DB instance {database.instance} does not exist, and without a restore point its settings are not known. {found}",
        "Restore to a restore point; or restore the retained backup by hand.",
    )


def _renamed(database: RdsInstance, owner: Instance) -> CheckResult:
    return failed(
        CHECK,
        database.key,
        f"DB instance {database.instance} does not exist: the one that the restore point is of ({owner.resource_id}) is called "
        f"{owner.identifier} now.",
        "Name it so in the plan, or rename it back.",
    )


def _out_of_reach(
    database: RdsInstance, point: datetime, owner: Instance | None, owner_id: str, window: Window, had_snapshot: bool
) -> CheckResult:
    if owner is not None:
        who = f"{owner.identifier} ({owner_id})"
        reach = f"can be restored to {window}" if owner.retention_days else "has its automated backups off"
    else:
        who, reach = f"The deleted instance {owner_id}", f"left automated backups of {window}"
    snapshot = " Its snapshot is gone, too." if had_snapshot else ""
    return failed(
        CHECK,
        database.key,
        f"{iso(point)} cannot be restored: {who} {reach}.{snapshot}",
        "Choose another restore point; a longer retention, or snapshot: true in the plan, keeps later ones longer.",
    )
