"""What a restore of a DB instance would do, lose, put back and keep, and whether it can be done. Only reads."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from shared.databases.rds.engines import particulars, why_not
from shared.databases.rds.instance_compare import of_the_data
from shared.databases.rds.instance_progress import Work
from shared.databases.rds.instance_source import OLD_COPY, PITR, SNAPSHOT, Source, find_source, noted_item
from shared.databases.rds.inventory import STUCK, Fleet, Instance, look
from shared.model.checks import CheckResult, failed, passed, warned
from shared.model.instance_settings import InstanceSettings
from shared.model.naming import listed
from shared.model.records import to_record
from shared.model.restore import DatabaseForecast, Target
from shared.model.times import iso

RESTORE_SECONDS = 30 * 60.0
"""To start an instance, attach its volume and take its first backup."""
SECONDS_PER_GIB = 2.0
"""For the log to be applied since the last daily snapshot; a busy terabyte then takes about an hour in all."""
SETTINGS_SECONDS = 10 * 60.0
RENAME_SECONDS = 10 * 60.0
"""RDS User Guide, Renaming a DB instance: about ten minutes until a new name is in force."""
USUAL_LAG = timedelta(minutes=5)
"""LatestRestorableTime is typically within five minutes of now (Amazon RDS, Backup and restore features)."""
LOST = (
    "RDS restores to default security, subnet, parameter and option groups, in one Availability Zone, without tags, IAM "
    "authentication, log exports, monitoring, Performance Insights, storage autoscaling and deletion protection."
)


def forecast(work: Work) -> DatabaseForecast:
    """See the port's `forecast`."""
    fleet = look(work.calls)
    source = find_source(work.order, fleet, work.now, work.calls)
    checks = tuple(_checks(work, fleet, source))
    seconds, basis = _estimate(work, source)
    item, at = noted_item(work.order), work.order.at
    return DatabaseForecast(
        database=work.database.key,
        point=at,
        source=source.way,
        steps=tuple(_steps(work, source)),
        loses=tuple(_loses(source)),
        puts_back=tuple(_puts_back(source)),
        gone_for_good=tuple(_gone(work, source)),
        keeps=tuple(_keeps(work, source)),
        checks=checks,
        observed=_observed(work, fleet, source),
        restorable_from=source.window.earliest,
        restorable_until=None if source.way == SNAPSHOT else item.restorable_until if item else _until(work, source),
        ready_at=None if source.is_reached else _ready_at(work, source),
        estimate_seconds=seconds,
        estimate_basis=basis,
    )


def _checks(work: Work, fleet: Fleet, source: Source) -> Iterator[CheckResult]:
    subject = work.database.key
    yield source.problem or passed("rds-source", subject, f"{source.way}; restorable: {source.window}")
    if source.way and not source.is_reached and work.order.at is not None:
        yield warned(
            "rds-recovery-lag",
            subject,
            f"{iso(work.order.at)} is not restorable yet; restorable: {source.window}.",
            "The restore waits for it, with the application stopped. Ask again later to wait less.",
        )
    live = fleet.named(work.name)
    if live is not None:
        yield from _live_checks(work, live)
    if source.settings is not None and (reason := why_not(source.settings.engine)):
        yield failed("rds-engine", subject, f"{source.settings.engine}: {reason}.", "Restore it by hand.")
    if source.noted is not None and source.live is not None and (bound := of_the_data(source.live, source.noted)):
        yield failed(
            "rds-bound-to-data",
            subject,
            f"At the restore point it was otherwise. {' '.join(bound.values())}",
            "No restore changes these: restore side by side by hand, or a later restore point.",
        )
    yield from _name_checks(work, fleet)


def _live_checks(work: Work, live: Instance) -> Iterator[CheckResult]:
    subject = work.database.key
    if live.status in STUCK and work.renames:
        yield failed(
            "rds-status",
            subject,
            f"{live.identifier} is {live.status}, and in that state it cannot be renamed aside.",
            "Bring it to available; or delete it with a final snapshot: the restore does not need it.",
        )
    else:
        yield passed("rds-status", subject, live.status)
    if live.pending:
        yield warned(
            "rds-pending",
            subject,
            f"{live.identifier} has pending modifications: {', '.join(sorted(live.pending))}.",
            "The restored instance gets the settings that are in force now, not the pending ones.",
        )


def _name_checks(work: Work, fleet: Fleet) -> Iterator[CheckResult]:
    """The side copy's name may be ours already: the same restore, asked again."""
    side, old = fleet.named(work.side), fleet.named(work.old)
    taken = [one.identifier for one in (side, old) if one is not None and not work.is_ours(one)]
    if work.order.undo is None and taken:
        yield failed(
            "rds-names", work.database.key, f"Names are taken: {', '.join(taken)}.", "Rename or delete these instances."
        )


def _steps(work: Work, source: Source) -> Iterator[str]:
    name = work.name
    if source.way == OLD_COPY:
        yield f"The old copy {source.identifier} takes the place of {name} again; no data is copied."
    else:
        at = iso(work.order.at) if work.order.at else ""
        from_what = {PITR: f"by point-in-time recovery to {at}", SNAPSHOT: f"from snapshot {source.snapshot_arn}"}.get(
            source.way
        )
        yield f"{work.side} is restored {from_what or 'from nothing that was found'}, with all settings, and compared."
    if work.order.target is Target.SIDE_BY_SIDE:
        yield f"{name} and the application are not touched."
    elif work.renames:
        if _gives_way(source):
            yield f"{name} is renamed to {work.old}."
        new = source.identifier if source.way == OLD_COPY else work.side
        yield f"{new} is renamed to {name}: the endpoint stays."
    else:
        new = source.identifier if source.way == OLD_COPY else work.side
        yield f"The properties are led to the endpoint of {new}; write its name into the plan afterwards."
    if source.settings is not None:
        yield from particulars(source.settings.engine)


def _loses(source: Source) -> Iterator[str]:
    """Of the restore itself; the old copy of an undo has all its settings."""
    settings = source.settings
    if settings is None or source.way == OLD_COPY:
        return
    yield LOST
    if settings.read_replicas:
        yield f"Read replicas stay with the old instance and its data: {listed(settings.read_replicas)}. Make new ones."
    if settings.activity_stream:
        yield f"The database activity stream {settings.activity_stream} stays with the old instance. Start a new one."
    if settings.replicated_backups:
        yield f"Backups replicated to other regions are of the old instance: {listed(settings.replicated_backups)}."
    if settings.managed_master_password:
        yield "The master user's secret in Secrets Manager becomes another one, with another ARN and password."


def _puts_back(source: Source) -> Iterator[str]:
    settings = source.settings
    if settings is None or source.way == OLD_COPY:
        return
    zone = "Multi-AZ" if settings.multi_az else settings.availability_zone
    yield f"Class {settings.instance_class}, {zone}, storage {settings.storage_type} of {settings.allocated_gib} GiB."
    yield (
        f"Subnet group {settings.subnet_group}, security groups {', '.join(settings.security_groups)}, "
        f"parameter group {settings.parameter_group}, option group {settings.option_group}."
    )
    yield (
        f"Backups kept {settings.backup_retention_days} days, deletion protection "
        f"{'on' if settings.deletion_protection else 'off'}, {len(settings.tags)} tags; every other setting, too."
    )


def _gone(work: Work, source: Source) -> Iterator[str]:
    if source.settings is None or work.order.target is Target.SIDE_BY_SIDE:
        return
    if source.way != OLD_COPY:
        yield "The restored instance's recovery window begins anew: older seconds are restorable from the old instance only."


def _keeps(work: Work, source: Source) -> Iterator[str]:
    if work.order.target is Target.SIDE_BY_SIDE:
        return
    if work.renames:
        if _gives_way(source):
            yield work.old
    elif work.order.undo is not None and work.order.undo.items:
        yield work.order.undo.items[0].side
    elif source.live is not None:
        yield work.name


def _gives_way(source: Source) -> bool:
    """Is there a live instance that has to be renamed aside? Not where an undo finds the old copy in its place still."""
    if source.live is None:
        return False
    return source.way != OLD_COPY or source.live.resource_id != source.resource_id


def _observed(work: Work, fleet: Fleet, source: Source) -> dict[str, Any]:
    """Nothing that changes by itself: times of the recovery window do."""
    live = fleet.named(work.name)
    return {
        "live": live.resource_id if live else "",
        "status": live.status if live and live.status in STUCK else "",
        "endpoint": live.host if live else "",
        "settings": _digest(source.settings),
        "source": f"{source.way}:{source.resource_id}:{source.snapshot_arn}",
        "cut_over": work.database.cut_over.value,
    }


def _digest(settings: InstanceSettings | None) -> str:
    """Without when they were read, and without storage that grows by itself."""
    if settings is None:
        return ""
    record = {name: value for name, value in to_record(settings).items() if name not in ("taken_at", "allocated_gib")}
    return sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()[:16]


def _until(work: Work, source: Source) -> datetime | None:
    if source.way != PITR or source.live is None or work.order.at is None:
        return None
    return work.order.at + timedelta(days=source.live.backup_retention_days)


def _ready_at(work: Work, source: Source) -> datetime | None:
    """The window moves on with the clock: as far behind as it is now, or, where it has not begun, as it usually is."""
    if work.order.at is None:
        return None
    if source.window.latest is None:
        return max(work.now, work.order.at + USUAL_LAG)
    return work.now + (work.order.at - source.window.latest)


def _estimate(work: Work, source: Source) -> tuple[float, str]:
    """How long the application waits."""
    if source.settings is None or work.order.target is Target.SIDE_BY_SIDE:
        return 0.0, ""
    size = source.settings.allocated_gib
    seconds, parts = 0.0, []
    if source.way != OLD_COPY:
        seconds += RESTORE_SECONDS + size * SECONDS_PER_GIB + SETTINGS_SECONDS
        parts.append(f"restoring {size} GiB and its settings")
    renames = (2 if _gives_way(source) else 1) if work.renames else 0
    if renames:
        seconds += renames * RENAME_SECONDS
        parts.append(f"{renames} renames of about 10 minutes")
    return seconds, f"{' and '.join(parts) or 'nothing to wait for'}; an assumption, AWS promises no times"
