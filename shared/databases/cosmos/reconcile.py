"""Gives a restored account the settings it shall have, one kind of change per call, until every one of them compares equal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from shared.databases.cosmos.account import Account
from shared.databases.cosmos.calls import Calls
from shared.databases.cosmos.compare import ON_CREATION, account_differences, content_differences, role_differences
from shared.databases.cosmos.manifest import read_account, with_contents, with_roles
from shared.databases.cosmos.patches import (
    account_patch,
    assignment_document,
    container_resource,
    role_document,
    throughput_resource,
)
from shared.model.cosmos_settings import CosmosSettings, Throughput
from shared.model.errors import Conflict, NotReady
from shared.model.naming import listed
from shared.model.restore import ItemRestore

SETTLES_WITHIN = timedelta(hours=6)
"""A difference that stays the same for longer than this will not go away: adding a region copies all data into it."""
SHOWS_WITHIN = timedelta(minutes=1)
"""What was asked for is not asked for again so soon."""


@dataclass(frozen=True)
class Reconciled:
    """`differences` are sentences; none means that everything compares equal. `doing` says what was asked of the service."""

    differences: tuple[str, ...] = ()
    doing: str = ""

    @property
    def is_done(self) -> bool:
        return not self.differences


def reconcile(
    account: Account, wanted: CosmosSettings, item: ItemRestore, ours: Mapping[str, str], now: datetime, calls: Calls
) -> Reconciled:
    """Does the next missing thing. `item` is what is remembered: since when which differences are there.

    The account itself first, then roles, then what is in it: contents are read only when the rest is right.

    Raises:
        NotReady: a setting cannot be put right; the message names it and both values.
        Unreachable, Throttled, Forbidden: the service.
    """
    found = read_account(account, now)
    if told := account_differences(wanted, found):
        return _reconciled(told, item, now, account, lambda: _patch(account, wanted, told, ours, calls))
    found = with_roles(found, calls)
    if told := role_differences(wanted, found):
        return _reconciled(told, item, now, account, lambda: _put_role(account, wanted, told, calls))
    found = with_contents(found, calls, scripts=False)
    if told := content_differences(wanted, found):
        return _reconciled(told, item, now, account, lambda: _put_contents(account, wanted, found, calls))
    return Reconciled()


def _reconciled(
    told: Mapping[str, str], item: ItemRestore, now: datetime, account: Account, change: Callable[[], str]
) -> Reconciled:
    sentences = tuple(told.values())
    if item.differences == sentences and item.since is not None and now - item.since > SETTLES_WITHIN:
        raise NotReady(
            f"{account.name}: its settings do not become what they shall be. {listed(sentences, ' ')}",
            hint="Look at the account's activity log, put it right by hand, then go on.",
        )
    if item.differences == sentences and item.since is not None and now - item.since < SHOWS_WITHIN:
        return Reconciled(sentences, f"waiting until it shows: {listed(sentences, ' ')}")
    try:
        return Reconciled(sentences, change())
    except Conflict:
        # Between the look and the change something else may have begun on the account: a later call goes on.
        return Reconciled(sentences, "waiting until it can be changed")


def _patch(account: Account, wanted: CosmosSettings, told: Mapping[str, str], ours: Mapping[str, str], calls: Calls) -> str:
    document, names = account_patch(told, wanted, ours)
    if not names:
        stays = [told[name] for name in told if name in ON_CREATION] or list(told.values())
        raise NotReady(
            f"{account.name}: {listed(stays, ' ')}",
            hint="These come with the restore and cannot be changed here: change them by hand if that is possible, then go on.",
        )
    calls.begin_patch(account.name, document)
    return f"setting {', '.join(name.replace('_', ' ') for name in names)}"


def _put_role(account: Account, wanted: CosmosSettings, told: Mapping[str, str], calls: Calls) -> str:
    """Definitions before the assignments that name them; one at a time, as the service wants it."""
    account_id = str(account.described["id"])
    for role in wanted.roles:
        if role.guid in told:
            calls.begin_put_role(account.name, role.guid, role_document(role, account_id))
            return f"setting role definition {role.name}"
    for assignment in wanted.role_assignments:
        if assignment.guid in told:
            calls.begin_put_role_assignment(account.name, assignment.guid, assignment_document(assignment, account_id))
            return f"assigning a data role to {assignment.principal}"
    raise NotReady(
        f"{account.name} has data roles that it shall not have: {listed(sorted(told))}.",
        hint="Remove them with az cosmosdb sql role assignment delete (or role definition delete), then go on.",
    )


def _put_contents(account: Account, wanted: CosmosSettings, found: CosmosSettings, calls: Calls) -> str:
    """Throughput and definitions first, times to live last: with them, what has expired since the point goes."""
    containers = {item.path: item for item in found.containers}
    if missing := [item.path for item in wanted.containers if item.path not in containers]:
        raise NotReady(
            f"{account.name}: {listed(missing)} was not restored, although the backup has it.",
            hint="Restore again; if it stays so, ask Azure support with the account's instance id.",
        )
    changes: list[Callable[[], None]] = []
    for database in wanted.databases:
        have = next((item.throughput for item in found.databases if item.name == database.name), Throughput())
        changes += _throughput(account, database.name, "", database.throughput, have, calls)
    for want in wanted.containers:
        there = containers[want.path]
        changes += _throughput(account, want.database, want.name, want.throughput, there.throughput, calls)
    what = "throughput"
    if not changes:
        what = "indexing and times to live"
        for want in wanted.containers:
            there = containers[want.path]
            _refuse_other_data(account, want.path, want.definition, there.definition)
            if _as_put(want) != _as_put(there):
                changes.append(partial(calls.begin_put_container, account.name, want.database, container_resource(want, there)))
    calls.at_once(lambda change: change(), changes)
    return f"setting {what} ({len(changes)} changes)"


def _as_put(container: object) -> tuple[object, ...]:
    return tuple(getattr(container, name) for name in ("ttl_seconds", "analytical_ttl_seconds", "definition"))


def _throughput(
    account: Account, database: str, container: str, wanted: Throughput, found: Throughput, calls: Calls
) -> list[Callable[[], None]]:
    """From fixed to autoscale and back is a migration; the number follows by a later call."""
    name = f"{database}/{container}".rstrip("/")
    if wanted == found:
        return []
    if not (wanted.is_provisioned and found.is_provisioned):
        raise NotReady(
            f"{account.name}: {name} has {found}, wanted {wanted}; sharing that of its database cannot be changed.",
            hint="It was created anew since the restore point: restore side by side and copy by hand, or take a later point.",
        )
    if (wanted.fixed is None) != (found.fixed is None):
        autoscale = wanted.fixed is None
        return [lambda: calls.begin_migrate_throughput(account.name, database, container, autoscale=autoscale)]
    return [lambda: calls.begin_set_throughput(account.name, database, container, throughput_resource(wanted))]


def _refuse_other_data(account: Account, path: str, wanted: Mapping[str, object], found: Mapping[str, object]) -> None:
    for name in ("partitionKey", "uniqueKeyPolicy"):
        if wanted.get(name) != found.get(name):
            raise NotReady(
                f"{account.name}: {path} has {name} {found.get(name)}, wanted {wanted.get(name)}.",
                hint="It was created anew since the restore point, and this cannot be changed: take a later point.",
            )
