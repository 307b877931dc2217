"""What a restore of an account would do, lose, put back and keep, and whether it can be done. Only reads."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from shared.databases.cosmos.account import TIER_DAYS, find_account
from shared.databases.cosmos.progress import Work
from shared.databases.cosmos.source import OLD_COPY, PITR, Source, find_source, noted_item
from shared.model.checks import CheckResult, failed, passed, warned
from shared.model.cosmos_settings import CosmosSettings
from shared.model.naming import listed
from shared.model.records import to_record
from shared.model.restore import DatabaseForecast, Target
from shared.model.times import iso

RESTORE_SECONDS, REGION_SECONDS, SETTINGS_SECONDS = 3600.0, 1800.0, 900.0
"""Assumptions: Azure names no duration; it grows with the amount of data."""
REPAIR_SECONDS = 120.0
USUAL_LAG = timedelta(seconds=100)
LOST = (
    "Azure restores into a new account in one region, without stored procedures, triggers and functions, firewall and VNet "
    "rules, data-plane roles and private endpoints; consistency and throughput may be others."
)


def forecast(work: Work) -> DatabaseForecast:
    """See the port's `forecast`."""
    source = find_source(work)
    item, at = noted_item(work.order), work.order.at
    seconds, basis = _estimate(work, source)
    return DatabaseForecast(
        database=work.database.key,
        point=at,
        source=source.way,
        steps=tuple(_steps(work, source)),
        loses=tuple(_loses(source)),
        puts_back=tuple(_puts_back(source)),
        gone_for_good=tuple(_gone(work, source)),
        keeps=tuple(_keeps(work, source)),
        checks=tuple(_checks(work, source)),
        observed=_observed(work, source),
        restorable_from=source.earliest,
        restorable_until=item.restorable_until if item else _until(source, at),
        ready_at=None if source.is_reached else max(work.now, (at or work.now) + USUAL_LAG),
        estimate_seconds=seconds,
        estimate_basis=basis,
    )


def _checks(work: Work, source: Source) -> Iterator[CheckResult]:
    subject = work.database.key
    since = f", from {iso(source.earliest)} on" if source.earliest else ""
    yield source.problem or passed("cosmos-source", subject, f"{source.way}{since}")
    if source.way and not source.is_reached and work.order.at is not None:
        until = f"up to {iso(source.latest)}" if source.latest else "no second yet"
        yield warned(
            "cosmos-recovery-lag",
            subject,
            f"{iso(work.order.at)} is not restorable in every container yet; restorable: {until}.",
            "The restore waits for it, with the application stopped. Ask again later to wait less.",
        )
    side = find_account(work.side, work.calls)
    if work.order.undo is None and side is not None and not side.was_made_by(work.order.run):
        yield failed("cosmos-names", subject, f"The name {work.side} is taken.", "Delete that account, or ask again later.")
    if source.settings is not None and source.way == PITR:
        yield from _settings_checks(subject, source.settings)


def _settings_checks(subject: str, settings: CosmosSettings) -> Iterator[CheckResult]:
    if settings.multiple_write_regions:
        yield failed(
            "cosmos-write-regions",
            subject,
            "The account is written to in several regions, which excludes the consistency level Strong.",
            "Turn multi-region writes off first.",
        )
    if settings.local_auth_disabled or settings.key_metadata_writes_disabled:
        yield failed(
            "cosmos-keys",
            subject,
            "The account does not let its key in, or not change metadata: the Schema Loader could not bring back the stored "
            "procedures.",
            "Set disableLocalAuth and disableKeyBasedMetadataWriteAccess to false first.",
        )
    if settings.private_endpoints:
        yield warned(
            "cosmos-private-endpoints",
            subject,
            f"A restored account has no private endpoint: {listed(settings.private_endpoints)}.",
            "When it is prepared, make them for it, with their DNS records, before the releases start.",
        )


def _steps(work: Work, source: Source) -> Iterator[str]:
    settings = source.settings
    if source.way == OLD_COPY and settings:
        yield f"The properties are led back to {settings.account}, with its key; no data is copied."
        return
    at = iso(work.order.at) if work.order.at else "nothing"
    yield f"{work.side} is made by point-in-time recovery of {work.name} to {at}, with all settings, and compared."
    if source.settings and any(item.ttl_seconds is not None for item in source.settings.containers):
        yield "It is restored with times to live off; they are set again last, and what has expired since then goes."
    if work.order.target is Target.SIDE_BY_SIDE:
        yield f"{work.name} and the application are not touched."
        return
    yield f"The properties are led to the endpoint of {work.side}, with its key."
    yield "The Schema Loader brings back the stored procedures (--repair-all) before the releases start."
    yield f"Write {work.side} into the plan afterwards."


def _loses(source: Source) -> Iterator[str]:
    """Of the restore itself; the old account of an undo has all its settings."""
    settings = source.settings
    if settings is None or source.way == OLD_COPY:
        return
    yield LOST
    if settings.private_endpoints:
        yield f"Private endpoints, which you make anew: {listed(settings.private_endpoints)}."
    if "SystemAssigned" in settings.identity_kind:
        yield "The system-assigned identity becomes another principal: what it may do elsewhere has to be granted anew."
    own = [
        f"{item.path}: {', '.join((*item.triggers, *item.functions))}"
        for item in settings.containers
        if item.triggers or item.functions
    ]
    if own:
        yield f"Triggers and functions that are not ScalarDB's come back by nobody: {listed(own, '; ')}."
    if created := source.created_since:
        yield f"Containers created after the point: {listed(created)}."


def _puts_back(source: Source) -> Iterator[str]:
    settings = source.settings
    if settings is None or source.way == OLD_COPY:
        return
    yield f"Consistency {settings.consistency}; regions {', '.join(item.name for item in settings.regions)}."
    yield (
        f"{len(settings.ip_rules)} firewall rules, {len(settings.virtual_network_rules)} VNet rules, public access "
        f"{settings.public_network_access or 'as by default'}, {len(settings.role_assignments)} data-plane role assignments."
    )
    yield f"Throughput, indexing and times to live of {len(settings.containers)} containers; {len(settings.tags)} tags."
    procedures = sum(len(item.stored_procedures) for item in settings.containers)
    yield f"{procedures} stored procedures, by the Schema Loader."
    if deleted := source.deleted_since:
        yield f"Containers deleted since the point: {listed(deleted)}."


def _gone(work: Work, source: Source) -> Iterator[str]:
    if source.way == PITR and work.order.target is Target.IN_PLACE:
        yield "The new account's backups begin anew: older seconds are restorable from the old account only."


def _keeps(work: Work, source: Source) -> Iterator[str]:
    if work.order.target is Target.SIDE_BY_SIDE:
        return
    if work.order.undo is not None and work.order.undo.items:
        yield work.order.undo.items[0].side
    elif source.live is not None:
        yield work.name


def _observed(work: Work, source: Source) -> dict[str, Any]:
    """Nothing that changes by itself: how far backups reach does."""
    return {
        "live": source.live.instance_id if source.live else "",
        "endpoint": source.live.endpoint if source.live else "",
        "settings": _digest(source.settings),
        "source": f"{source.way}:{source.restorable.resource_id if source.restorable else ''}",
    }


def _digest(settings: CosmosSettings | None) -> str:
    if settings is None:
        return ""
    record = {name: value for name, value in to_record(settings).items() if name != "taken_at"}
    return sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()[:16]


def _until(source: Source, at: datetime | None) -> datetime | None:
    days = TIER_DAYS.get(source.settings.backup_tier, 0) if source.settings else 0
    return at + timedelta(days=days) if at and days and source.way == PITR else None


def _estimate(work: Work, source: Source) -> tuple[float, str]:
    """How long the application waits."""
    if source.settings is None or work.order.target is Target.SIDE_BY_SIDE:
        return 0.0, ""
    if source.way == OLD_COPY:
        return 0.0, "nothing is copied"
    others = len(source.settings.regions) - 1
    seconds = RESTORE_SECONDS + SETTINGS_SECONDS + REPAIR_SECONDS + others * REGION_SECONDS
    more = f", adding {others} region(s)" if others else ""
    return seconds, f"restoring the account{more}, settings and schema repair; an assumption, it grows with the amount of data"
