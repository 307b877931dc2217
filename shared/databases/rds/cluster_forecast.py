"""What a restore of a cluster would do, lose, put back and keep, and whether it can be done. Only reads."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from shared.databases.rds import tags
from shared.databases.rds.cluster_compare import NOT_COMPARED, differences
from shared.databases.rds.cluster_fitness import check_fitness, check_renamable
from shared.databases.rds.cluster_progress import Work, rivals_of
from shared.databases.rds.cluster_scaling import MADE_BY_SCALING
from shared.databases.rds.cluster_scene import Described
from shared.databases.rds.cluster_source import Source, Way, cluster_of, find_source
from shared.model.checks import CheckResult, failed, passed, warned
from shared.model.cluster_settings import ClusterSettings
from shared.model.naming import listed
from shared.model.records import to_record
from shared.model.restore import DatabaseForecast, Target
from shared.model.times import iso

CLUSTER_SECONDS = 1200.0
"""A guess: AWS states no time; it grows with the size and with what was written since the last daily backup."""
USUAL_LAG = timedelta(minutes=5)
"""Between now and LatestRestorableTime (RDS user guide, Restoring to a specified time)."""


def forecast(work: Work) -> DatabaseForecast:
    """See `DatabaseAccess.forecast`."""
    order = work.order
    source = find_source(order, work.kind, work.scene, work.now, work.calls)
    live = work.scene.cluster(work.name)
    seconds, basis = _estimate(work, source)
    window_days = source.live.backup_retention_days if source.live else None
    is_pitr = source.way is Way.PITR
    return DatabaseForecast(
        database=order.database.key,
        point=order.at,
        source=source.way.value,
        steps=tuple(_steps(work, source)),
        loses=tuple(_loses(work, source)),
        puts_back=tuple(_puts_back(work, source)),
        keeps=_keeps(work, source),
        checks=tuple(_checks(work, source, live)),
        observed=_observed(work, source),
        restorable_from=source.earliest,
        restorable_until=order.at + timedelta(days=window_days) if is_pitr and order.at and window_days else None,
        ready_at=order.at + USUAL_LAG if is_pitr and order.at and not source.is_reached else None,
        estimate_seconds=seconds,
        estimate_basis=basis,
    )


def _steps(work: Work, source: Source) -> Iterator[str]:
    side, settings = work.side(work.name), source.settings
    if settings is None or not source.way.value:
        return
    if source.way is Way.OLD_COPY:
        yield f"{source.identifier}, which the restore has set aside, is checked."
    else:
        at = f" to {iso(work.order.at)}" if source.way is Way.PITR and work.order.at else ""
        yield f"{source.way.value} of {source.identifier or source.resource_id or source.snapshot}{at} as {side}."
        if work.kind.makes_instances:
            yield f"RDS makes its three instances ({settings.instance_class})."
        else:
            names = [work.side(one.identifier) for one in settings.members]
            yield f"{len(names)} instances are created, the writer first: {listed(names)}."
        yield "Every setting is put in place and compared."
    if work.order.target is Target.SIDE_BY_SIDE:
        return
    if work.leads_to_endpoint and work.order.undo is None:
        yield f"The releases are led to the endpoints of {side}; {work.name} keeps its name."
        yield f"Afterwards the plan has to name {side}."
        return
    if source.live is not None:
        parts = "it" if work.kind.makes_instances else "it and its instances"
        yield f"{source.live.identifier} is renamed {work.aside(work.name)}, {parts} aside."
    yield f"The {'old' if work.order.undo else 'restored'} cluster takes the name {work.name}; endpoints stay as they are."
    if settings.custom_endpoints or settings.replica_scaling:
        yield "Custom endpoints and replica auto scaling are made again for it, deletion protection is set again."


def _loses(work: Work, source: Source) -> Iterator[str]:
    settings = source.settings
    if settings is None or work.order.undo is not None:
        return
    yield "The cluster's resource id, and what refers to it: IAM policies for rds-db:connect, RDS Proxy, AWS DMS, zero-ETL."
    yield "Blue/Green deployments, replicas and exports of the old cluster stay with the old one."
    if work.kind.makes_instances:
        yield "The names and endpoints of its three instances; those of the cluster stay."
    if settings.managed_master_password:
        yield "The master user's secret in Secrets Manager becomes another one, with another ARN and password."
    if settings.activity_stream:
        yield "The database activity stream."
    made = [one.identifier for one in settings.members if one.identifier.startswith(MADE_BY_SCALING)]
    if made and settings.replica_scaling:
        yield f"Readers that auto scaling has made: {listed(made)}. It makes new ones as it needs them."
    if settings.backtrack_window_seconds:
        yield "The change records for backtracking: it can go back to no moment before the restore."


def _puts_back(work: Work, source: Source) -> Iterator[str]:
    """Every field of the manifest that is set, in the words of the manifest."""
    settings = source.settings
    if settings is None:
        return
    empty = ClusterSettings(taken_at=settings.taken_at, identifier="", engine="")
    for field in ClusterSettings.__struct_fields__:
        value = getattr(settings, field)
        if field in NOT_COMPARED or field in ("engine", "members") or value == getattr(empty, field):
            continue
        yield f"{field.replace('_', ' ')}: {_short(value)}"
    for one in settings.members:
        role = "writer" if one.is_writer else "reader"
        yield f"{role} {one.identifier}: {one.instance_class}, promotion tier {one.promotion_tier}, {one.availability_zone}"


def _short(value: Any) -> str:
    if isinstance(value, tuple) and value and hasattr(value[0], "identifier"):
        return ", ".join(one.identifier for one in value)
    return str(to_record(value))


def _keeps(work: Work, source: Source) -> tuple[str, ...]:
    if source.live is None or work.order.target is Target.SIDE_BY_SIDE:
        return ()
    if work.leads_to_endpoint and work.order.undo is None:
        return (source.live.identifier,)
    return (work.aside(work.name),)


def _checks(work: Work, source: Source, live: Described | None) -> Iterator[CheckResult]:
    check, subject = work.kind.check, work.order.database.key
    yield from source.problems
    if source.way.value and not source.problems:
        yield passed(
            f"{check}-source", subject, f"{source.way.value} of {source.identifier or source.resource_id or source.snapshot}"
        )
    if not source.is_reached and source.latest:
        yield warned(
            f"{check}-not-yet",
            subject,
            f"can be restored until {iso(source.latest)} only; the point is reached a few minutes later.",
            "The restore waits for it.",
        )
    if live is None and work.order.undo is None:
        yield warned(
            f"{check}-missing", subject, f"{work.name} does not exist; it is made again.", "Its settings are the point's."
        )
    if live is not None:
        yield from check_fitness(work.kind, subject, live, work.scene)
        if work.order.target is Target.IN_PLACE and not (work.leads_to_endpoint and work.order.undo is None):
            yield from check_renamable(work.kind, subject, live, work.scene)
    yield from _names(work, check, subject)
    if source.settings is not None:
        yield from _settings(check, subject, source, source.settings)


def _names(work: Work, check: str, subject: str) -> Iterator[CheckResult]:
    for name in (work.side(work.name), work.aside(work.name)):
        found = work.scene.cluster(name)
        if found is not None and tags.as_mapping(found.get("TagList") or ()).get(tags.RUN) != work.order.run:
            yield failed(
                f"{check}-name", subject, f"{name} exists and was not made by this restore.", "Rename it, or ask again."
            )
    if rivals := rivals_of(work):
        yield failed(
            f"{check}-rival", subject, f"is being restored already: {listed(rivals)}.", "Wait until that restore has ended."
        )


def _settings(check: str, subject: str, source: Source, settings: ClusterSettings) -> Iterator[CheckResult]:
    if source.manifest is not None and source.live is not None:
        changed = differences(source.manifest, source.live)
        if changed:
            yield warned(
                f"{check}-changed",
                subject,
                f"settings were changed since the restore point: {listed(changed, '; ')}.",
                "The present ones are kept: a restore takes data back, not configuration.",
            )
    if settings.unknown:
        told = "; ".join(f"{field}: {reason}" for field, reason in sorted(settings.unknown.items()))
        yield warned(f"{check}-unread", subject, f"settings that cannot be read. {told}", "Put them back by hand afterwards.")
    if settings.iam_authentication:
        yield warned(
            f"{check}-iam",
            subject,
            f"IAM database authentication is on. Policies that name {settings.resource_id} do not fit the restored cluster.",
            "Let them name its resource id as well, before the releases start; or name cluster-* in them.",
        )
    if settings.managed_master_password:
        yield warned(
            f"{check}-managed-password",
            subject,
            "Secrets Manager manages the master password; of the restored cluster it does so in a new secret.",
            "If the releases sign in as the master user, give them the new secret before they start.",
        )


def _observed(work: Work, source: Source) -> dict[str, Any]:
    """What the answer rests on, without what changes by itself: states, restorable times, when it was read."""

    def stable(settings: ClusterSettings | None) -> Any:
        record = to_record(settings) if settings else {}
        return {key: value for key, value in record.items() if key not in ("taken_at", "unknown")}

    return {
        "cut_over": str(cluster_of(work.order).cut_over),
        "source": source.way.value,
        "from": source.identifier or source.resource_id or source.snapshot,
        "live": stable(source.live),
        "settings": {} if source.settings is source.live else stable(source.settings),
    }


def _estimate(work: Work, source: Source) -> tuple[float, str]:
    settings, kind = source.settings, work.kind
    if settings is None or not source.way.value:
        return 0.0, ""
    seconds, parts = 0.0, []
    if source.way is not Way.OLD_COPY:
        waves = 0 if kind.makes_instances else min(2, len(settings.members))
        seconds += CLUSTER_SECONDS + waves * kind.instance_seconds
        parts.append(f"restoring the cluster about {CLUSTER_SECONDS / 60:.0f} min, more for large or busy ones")
        if waves:
            parts.append(f"its instances {kind.instance_seconds / 60:.0f} min for the writer and as long for all readers")
    if work.order.target is Target.IN_PLACE and not (work.leads_to_endpoint and work.order.undo is None):
        renames = (2 if source.live else 1) * (1 if kind.makes_instances else 2)
        seconds += renames * kind.rename_seconds
        parts.append(f"{renames} rounds of renames of {kind.rename_seconds / 60:.0f} min")
    return seconds, "; ".join(parts)
