"""Does the plan name every database that its releases really use? A restore that misses one is worse than none."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from shared.model.azure_endpoint import account_keys, server_keys
from shared.model.checks import CheckResult, failed, passed, warned
from shared.model.plan import Database, Plan
from shared.model.rds_endpoint import database_keys
from shared.model.storage import ReleaseStorage, Storage

NAME = "databases-covered"
UNKNOWN_LOCATION = "?"


def check_coverage(plan: Plan, releases: Sequence[ReleaseStorage]) -> tuple[CheckResult, ...]:
    """One result per release: every storage of its properties against the plan; and a warning for each database of the plan
    that no release names."""
    results = [_check_release(plan, release) for release in releases]
    named = {key for release in releases for storage in release.storages for key in locations(storage)}
    if releases:
        results += [
            warned(
                "database-used",
                database.key,
                "no release of the plan names this database in its properties.",
                "Remove it from the plan, or add the release that uses it.",
            )
            for database in plan.databases
            if database.key not in named
        ]
    return tuple(results)


def _check_release(plan: Plan, release: ReleaseStorage) -> CheckResult:
    missing = [storage for storage in release.storages if not _is_named(plan.databases, storage)]
    if not missing:
        found = ", ".join(_named(storage) for storage in release.storages)
        return passed(NAME, release.release, f"{release.source} names {found}")
    listed = ", ".join(f"{_named(storage)} (storage {storage.name!r})" for storage in missing)
    return failed(
        NAME,
        release.release,
        f"{release.source} names {listed}, which the plan does not have.",
        "Add it to the plan's databases: a backup without it cannot be restored consistently.",
    )


def _is_named(databases: Iterable[Database], storage: Storage) -> bool:
    return any(database.key in locations(storage) for database in databases)


def _named(storage: Storage) -> str:
    return " or ".join(locations(storage))


def locations(storage: Storage) -> tuple[str, ...]:
    """The keys of the plan's database that this storage can be, or a text that shows why there is none."""
    if storage.kind == "dynamo":
        return (f"dynamodb:{storage.contact_point}",)
    where = storage.contact_point
    if storage.kind == "cosmos" and (keys := account_keys(where)):
        return keys
    if storage.kind == "jdbc" and (keys := database_keys(where) + server_keys(where)):
        return keys
    return (f"{storage.kind}:{storage.contact_point or UNKNOWN_LOCATION}",)
