"""That a restore led a release to another endpoint, and the check that finds it led back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from shared.model.checks import CheckResult, failed, passed, warned
from shared.model.records import Value
from shared.model.storage import ReleaseStorage
from shared.model.times import Instant

NAME = "endpoint-drift"


class EndpointChange(Value):
    """Recorded before the endpoint is rewritten. `release` is the release's key, `storage` the storage's name under
    multi-storage, otherwise "default". `old` and `new` are as `Storage.contact_point` has them: never with a credential."""

    release: str
    storage: str
    old: str
    new: str
    run: str
    changed_at: Instant


def check_drift(changes: Iterable[EndpointChange], releases: Sequence[ReleaseStorage]) -> tuple[CheckResult, ...]:
    """One result for each storage that a restore has led elsewhere, the last change of each against what its release's
    properties say now.

    A `helm upgrade` with the old values writes the old endpoint back and restarts no pod: those that run stay on the restored
    database, and the next one to start writes to the old one. Nothing else shows it.
    """
    newest: dict[tuple[str, str], EndpointChange] = {}
    for change in sorted(changes, key=lambda change: change.changed_at):
        newest[change.release, change.storage] = change
    by_release = {release.release: release for release in releases}
    return tuple(
        _check(change, by_release[release]) for (release, _), change in sorted(newest.items()) if release in by_release
    )


def _check(change: EndpointChange, release: ReleaseStorage) -> CheckResult:
    subject = f"{change.release}, storage {change.storage}"
    storage = next((storage for storage in release.storages if storage.name == change.storage), None)
    restored = f"run {change.run} restored it to {change.new} at {change.changed_at:%Y-%m-%dT%H:%M:%SZ}"
    if storage is None:
        return warned(NAME, subject, f"{release.source} has no such storage any more; {restored}.")
    now = storage.contact_point
    if now == change.new:
        return passed(NAME, subject, f"still leads to {change.new}")
    if now == change.old:
        return failed(
            NAME,
            subject,
            f"{release.source} leads back to {change.old}, although {restored}: pods that start from now on write to the old "
            "database, those that run to the restored one.",
            "Stop the release, give its values the restored endpoint, and run helm upgrade; then find out what was written to "
            "the old database since.",
        )
    if "unresolved(" in now:
        return warned(
            NAME,
            subject,
            f"the endpoint is in a Secret that may not be read ({now}), so it is not known whether it still leads to "
            f"{change.new}.",
            "Grant `get` on that Secret by name to the group of the backup, or compare by hand.",
        )
    return warned(
        NAME,
        subject,
        f"{release.source} leads to {now}, which is neither what a restore wrote nor what was there before; {restored}.",
        "If the database was moved on purpose, all is well.",
    )
