"""Is what is live now what a restore of a DB instance has promised? Only reads."""

from __future__ import annotations

from collections.abc import Iterator

from shared.databases.rds import tags
from shared.databases.rds.instance_compare import differences
from shared.databases.rds.instance_manifest import read
from shared.databases.rds.instance_progress import Work, settings_of
from shared.databases.rds.inventory import Instance, look
from shared.model.checks import CheckResult, failed, passed, warned
from shared.model.instance_settings import InstanceSettings
from shared.model.restore import DatabaseRestore
from shared.model.times import iso


def verify(work: Work, restored: DatabaseRestore) -> tuple[CheckResult, ...]:
    """See the port's `verify`."""
    item, fleet = work.item(restored), look(work.calls)
    wanted = settings_of(item.settings)
    found = fleet.being(wanted.resource_id) if wanted else None
    subject = work.database.key
    if wanted is None or found is None:
        return (failed("rds-restored", subject, "The restored instance does not exist.", "Restore again."),)
    expected = work.name if work.renames else item.side
    if found.identifier != expected:
        identity = failed(
            "rds-restored",
            subject,
            f"The restored instance is called {found.identifier}, not {expected}.",
            "Go on with the restore: its cut-over is not complete.",
        )
    else:
        identity = passed("rds-restored", subject, f"{expected} is {found.resource_id}, from {item.source}")
    if found.is_available:
        status = passed("rds-status", subject, "available")
    else:
        status = failed("rds-status", subject, f"It is {found.status}.", "See its events in the RDS console.")
    told = differences(wanted, read(found, work.now))
    if told:
        settings = failed("rds-settings", subject, " ".join(told.values()), "Put them right by hand, or undo the restore.")
    else:
        settings = passed("rds-settings", subject, "every setting compares equal")
    return (identity, *_data(work, found), status, settings, *_endpoint(work, found, wanted))


def _data(work: Work, found: Instance) -> Iterator[CheckResult]:
    """A copy says by its tags to which second it was restored; an old one that came back was not restored at all."""
    if work.order.undo is not None or work.order.at is None:
        return
    point, run = found.tags.get(tags.POINT), found.tags.get(tags.RUN)
    if point == iso(work.order.at) and run == work.order.run:
        yield passed("rds-data", work.database.key, f"restored to {point} from {found.tags.get(tags.SOURCE, 'unknown')}")
    else:
        detail = f"Its tags say {point or 'nothing'} of {run or 'no run'}, not {iso(work.order.at)} of {work.order.run}."
        yield failed("rds-data", work.database.key, detail, "Find out what it was made from before the application uses it.")


def _endpoint(work: Work, found: Instance, wanted: InstanceSettings) -> Iterator[CheckResult]:
    """With an identifier that changed hands it stays, unless AWS gives this instance another host name."""
    if work.renames and wanted.endpoint and found.host != wanted.endpoint:
        detail = f"Its endpoint is {found.host} now, it was {wanted.endpoint}."
        yield warned("rds-endpoint", work.database.key, detail, "Lead the properties of the releases to it.")
