"""What a restore of a server would do, lose, put back and keep, and whether it can be done. Only reads."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from shared.databases.flexible_servers.compare import server_differences
from shared.databases.flexible_servers.progress import Work
from shared.databases.flexible_servers.servers import READY, STUCK
from shared.databases.flexible_servers.source import OLD_COPY, ON_DEMAND, PITR, Source, find_source, noted_item
from shared.model.checks import CheckResult, failed, passed, warned
from shared.model.errors import Conflict
from shared.model.naming import listed
from shared.model.records import to_record
from shared.model.restore import DatabaseForecast, Target
from shared.model.server_settings import ServerSettings
from shared.model.times import iso

RESTORE_SECONDS, SECONDS_PER_GIB = 20 * 60.0, 2.0
"""To make a server and attach its volume; and for the logs to be applied since the last daily backup."""
SETTINGS_SECONDS, STANDBY_SECONDS = 10 * 60.0, 20 * 60.0
OF_THE_RESOURCE = "Role assignments, locks, alerts and diagnostic settings stay with the old server: make them for the new one."


def forecast(work: Work) -> DatabaseForecast:
    """See the port's `forecast`."""
    try:
        source = find_source(work)
    except Conflict as error:
        problem = failed("flexible-source", work.database.key, error.message, "Ask again when the server is Ready.")
        source = Source(problem=problem)
    item, at = noted_item(work.order), work.order.at
    seconds, basis = _estimate(work, source)
    return DatabaseForecast(
        database=work.database.key,
        point=at,
        source=source.way,
        steps=tuple(_steps(work, source)),
        loses=tuple(_loses(work, source)),
        puts_back=tuple(_puts_back(source)),
        gone_for_good=tuple(_gone(work, source)),
        keeps=tuple(_keeps(work, source)),
        checks=tuple(_checks(work, source)),
        observed=_observed(source),
        restorable_from=source.earliest,
        restorable_until=item.restorable_until if item else _until(source, at),
        ready_at=source.ready_at,
        estimate_seconds=seconds,
        estimate_basis=basis,
    )


def _checks(work: Work, source: Source) -> Iterator[CheckResult]:
    subject = work.database.key
    since = f", from {iso(source.earliest)} on" if source.earliest else ""
    yield source.problem or passed("flexible-source", subject, f"{source.way}{since}")
    if source.way and not source.is_reached and work.order.at is not None:
        when = iso(source.ready_at) if source.ready_at else "the first backup"
        yield warned(
            "flexible-recovery-lag",
            subject,
            f"The logs of {iso(work.order.at)} may not be backed up before {when}.",
            "The restore waits for it, with the application stopped. Ask again later to wait less.",
        )
    yield from _server_checks(work)
    if source.live and source.noted:
        yield from _bound_checks(subject, source.live, source.noted)
    side = work.servers.server(work.side)
    if work.order.undo is None and side is not None and not side.was_made_by(work.order.run):
        yield failed("flexible-names", subject, f"The name {work.side} is taken.", "Delete that server, or ask again later.")
    if source.settings and source.way != OLD_COPY and source.settings.private_endpoints:
        yield warned(
            "flexible-private-endpoints",
            subject,
            f"A restored server has no private endpoint: {listed(source.settings.private_endpoints)}.",
            "When it is prepared, make them for it, with their DNS records, before the releases start.",
        )


def _server_checks(work: Work) -> Iterator[CheckResult]:
    live = work.servers.server(work.name)
    if live is None or work.order.undo is not None:
        return
    subject = work.database.key
    if live.state in STUCK:
        yield failed(
            "flexible-state",
            subject,
            f"{live.name} is {live.state}, and its backups are restored through the server only.",
            "Bring it to Ready: start it if it is stopped, or see its activity log in the portal.",
        )
    elif live.state == READY:
        yield passed("flexible-state", subject, live.state)
    else:
        yield warned("flexible-state", subject, f"{live.name} is {live.state}.", "The restore waits until Azure takes it.")


def _bound_checks(subject: str, live: ServerSettings, noted: ServerSettings) -> Iterator[CheckResult]:
    """An upgrade since the point: the restored server has the version of then, and nothing here upgrades it."""
    told = server_differences(live, noted)
    if bound := [told[name] for name in ("version", "encryption", "key_uri") if name in told]:
        yield failed(
            "flexible-bound-to-data",
            subject,
            f"At the restore point it was otherwise. {listed(bound, ' ')}",
            "No restore changes these: restore side by side by hand, or a later restore point.",
        )


def _steps(work: Work, source: Source) -> Iterator[str]:
    settings = source.settings
    if source.way == OLD_COPY and settings:
        yield f"The properties are led back to {settings.server}; no data is copied."
        return
    how = {
        PITR: f"by point-in-time recovery of {work.name} to {iso(source.at)}" if source.at else "",
        ON_DEMAND: "from the on-demand backup of the pause window",
    }.get(source.way) or "from nothing that was found"
    yield f"{work.side} is made {how}, with all settings, and compared."
    if work.order.target is Target.SIDE_BY_SIDE:
        yield f"{work.name} and the application are not touched."
        return
    yield f"The properties are led to the endpoint of {work.side}; users and passwords are those of the point."
    yield f"Write {work.side} into the plan afterwards."


def _loses(work: Work, source: Source) -> Iterator[str]:
    """Of the restore itself; the old server of an undo has all its settings."""
    settings = source.settings
    if settings is None or source.way == OLD_COPY:
        return
    yield work.servers.engine.loses
    yield OF_THE_RESOURCE
    if settings.replicas:
        yield f"Read replicas stay with the old server and its data: {listed(settings.replicas)}. Make new ones."
    if settings.private_endpoints:
        yield f"Private endpoints stay with the old server: {listed(settings.private_endpoints)}. Make new ones."


def _puts_back(source: Source) -> Iterator[str]:
    settings = source.settings
    if settings is None or source.way == OLD_COPY:
        return
    standby = f"standby {settings.ha_mode}" if settings.ha_mode else "no standby"
    yield f"{settings.sku}, {settings.storage_gib} GiB, {standby}, backups kept {settings.retention_days} days."
    network = f"subnet {settings.subnet}" if settings.is_private else f"{len(settings.firewall_rules)} firewall rules"
    yield (
        f"{len(settings.configurations)} parameters, {network}, {len(settings.administrators)} Microsoft Entra administrators, "
        f"{len(settings.tags)} tags; every other setting, too."
    )


def _gone(work: Work, source: Source) -> Iterator[str]:
    if source.way in (PITR, ON_DEMAND) and work.order.target is Target.IN_PLACE:
        yield "The new server's backups begin anew: older seconds are restorable from the old server only."


def _keeps(work: Work, source: Source) -> Iterator[str]:
    if work.order.target is Target.SIDE_BY_SIDE:
        return
    if work.order.undo is not None and work.order.undo.items:
        yield work.order.undo.items[0].side
    elif source.live is not None:
        yield work.name


def _observed(source: Source) -> dict[str, Any]:
    """Nothing that changes by itself: how far backups reach does."""
    return {
        "live": f"{source.live.server}:{source.live.created_at}" if source.live else "",
        "endpoint": source.live.endpoint if source.live else "",
        "settings": _digest(source.settings),
        "source": source.way,
    }


def _digest(settings: ServerSettings | None) -> str:
    """Without when they were read, and without storage that grows by itself."""
    if settings is None:
        return ""
    record = {name: value for name, value in to_record(settings).items() if name not in ("taken_at", "storage_gib")}
    return sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()[:16]


def _until(source: Source, at: datetime | None) -> datetime | None:
    days = source.live.retention_days if source.live else 0
    return at + timedelta(days=days) if at and days and source.way == PITR else None


def _estimate(work: Work, source: Source) -> tuple[float, str]:
    """How long the application waits."""
    settings = source.settings
    if settings is None or work.order.target is Target.SIDE_BY_SIDE:
        return 0.0, ""
    if source.way == OLD_COPY:
        return 0.0, "nothing is copied"
    seconds = RESTORE_SECONDS + settings.storage_gib * SECONDS_PER_GIB + SETTINGS_SECONDS
    standby = ""
    if settings.ha_mode:
        seconds += STANDBY_SECONDS
        standby = ", making the standby"
    basis = f"restoring {settings.storage_gib} GiB and its settings{standby}; an assumption, Azure promises no times"
    return seconds, basis
