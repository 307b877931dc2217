"""Gives a restored server the settings it shall have, one kind of change per call, until every one of them compares equal.

the server itself ─► parameters ─► a restart, where one needs it ─► firewall ─► administrators ─► the standby
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.databases.flexible_servers.compare import (
    ON_CREATION,
    STANDBY,
    administrator_differences,
    firewall_differences,
    parameter_differences,
    server_differences,
)
from shared.databases.flexible_servers.documents import CHANGEABLE
from shared.databases.flexible_servers.manifest import overrides
from shared.databases.flexible_servers.servers import Parameter, Server, Servers
from shared.model.errors import Conflict, NotReady
from shared.model.naming import listed
from shared.model.records import replace
from shared.model.restore import ItemRestore
from shared.model.server_settings import ServerSettings

SETTLES_WITHIN = timedelta(hours=2)
"""A difference that stays the same for longer than this will not go away: a standby of a large server takes up to an hour."""
RESTARTS_WITHIN = timedelta(minutes=10)
"""A restart is not asked for again sooner than this."""
NOT_READ = "its settings cannot be read while something is being done to it."
STANDBY_IS_THERE = ("", "Healthy")


@dataclass(frozen=True)
class Reconciled:
    """`differences` are sentences; none means that everything compares equal. `doing` says what was asked of the service."""

    differences: tuple[str, ...] = ()
    doing: str = ""

    @property
    def is_done(self) -> bool:
        return not self.differences


@dataclass(frozen=True)
class Target:
    """`ours` are the tags that this product sets; `item` is what is remembered: since when which differences are there."""

    server: Server
    wanted: ServerSettings
    ours: Mapping[str, str]
    item: ItemRestore
    now: datetime
    servers: Servers

    def has_lasted(self, sentences: Sequence[str]) -> timedelta:
        """How long these have been the differences; nothing when they are new."""
        same = self.item.differences == tuple(sentences) and self.item.since is not None
        return self.now - self.item.since if same and self.item.since else timedelta()


def reconcile(target: Target) -> Reconciled:
    """Does the next missing thing, on a server that is Ready.

    Raises:
        NotReady: a setting cannot be put right; the message names it and both values.
        Unreachable, Throttled, Forbidden: the service.
    """
    try:
        return _reconcile(target)
    except Conflict:
        return _reconciled(target, {"": NOT_READ}, lambda: "waiting until its settings can be read")


def _reconcile(target: Target) -> Reconciled:
    server, wanted, servers = target.server, target.wanted, target.servers
    told = server_differences(wanted, server.settings)
    if any(server.tags.get(name) != value for name, value in target.ours.items()):
        told["tags"] = told.get("tags", "tags of the restore are missing.")
    _refuse_what_stays(server, told)
    if now_wanted := {name: text for name, text in told.items() if name not in STANDBY}:
        return _reconciled(target, now_wanted, lambda: _update(target, now_wanted))
    parameters = servers.parameters(server.name)
    if changed := parameter_differences(wanted.configurations, overrides(parameters)):
        return _reconciled(target, changed, lambda: _set_parameters(target, changed, parameters))
    if pending := {one.name: f"parameter {one.name} is in force after a restart only." for one in parameters if one.is_pending}:
        return _reconciled(target, pending, lambda: _restart(target, pending))
    rules = {} if wanted.is_private else servers.firewall_rules(server.name)
    if doors := firewall_differences(wanted.firewall_rules, rules):
        return _reconciled(target, doors, lambda: _set_firewall(target, doors))
    found = replace(server.settings, administrators=servers.administrators(server.name))
    if people := administrator_differences(wanted, found):
        return _reconciled(target, people, lambda: _set_administrator(target, found, people))
    if told:
        return _reconciled(target, told, lambda: _update(target, told))
    if wanted.ha_mode and server.ha_state not in STANDBY_IS_THERE:
        return _reconciled(target, {"ha_state": f"the standby is {server.ha_state}."}, lambda: "waiting for the standby")
    return Reconciled()


def _refuse_what_stays(server: Server, told: Mapping[str, str]) -> None:
    stays = [text for name, text in told.items() if name in ON_CREATION or name not in CHANGEABLE]
    if stays:
        raise NotReady(
            f"{server.name}: {listed(stays, ' ')}",
            hint="These come with the restore and cannot be changed afterwards: see whether the live server has another "
            "version, key or network than at the point; then restore by hand.",
        )


def _reconciled(target: Target, told: Mapping[str, str], change: Callable[[], str]) -> Reconciled:
    sentences = tuple(told.values())
    if target.has_lasted(sentences) > SETTLES_WITHIN:
        raise NotReady(
            f"{target.server.name}: its settings do not become what they shall be. {listed(sentences, ' ')}",
            hint="Look at the server's activity log, put it right by hand, then go on.",
        )
    try:
        return Reconciled(sentences, change())
    except Conflict:
        # Between the look and the change something else may have begun on the server: a later call goes on.
        return Reconciled(sentences, "waiting until it can be changed")


def _update(target: Target, told: Mapping[str, str]) -> str:
    tags = {**target.wanted.tags, **target.ours}
    target.servers.begin_update(target.server.name, frozenset(told), target.wanted, tags)
    return f"setting {', '.join(name.replace('_', ' ') for name in told)}"


def _set_parameters(target: Target, told: Mapping[str, str], parameters: Sequence[Parameter]) -> str:
    known, wanted = {one.name: one for one in parameters}, target.wanted.configurations
    if strange := sorted(set(told) - set(known)):
        raise NotReady(
            f"{target.server.name} knows no parameter {listed(strange)}, which the settings name.",
            hint="The live server may have another minor version: take the parameter out there, or restore by hand.",
        )
    changes = [
        Parameter(name, wanted[name], is_override=True) if name in wanted else Parameter(name, known[name].default)
        for name in told
    ]
    begun = target.servers.begin_set_parameters(target.server.name, changes)
    return f"setting {begun} of {len(changes)} parameters"


def _restart(target: Target, told: Mapping[str, str]) -> str:
    lasted = target.has_lasted(tuple(told.values()))
    if timedelta() < lasted < RESTARTS_WITHIN:
        return "waiting for the restart"
    target.servers.begin_restart(target.server.name)
    return f"restarting, so that {listed(sorted(told))} is in force"


def _set_firewall(target: Target, told: Mapping[str, str]) -> str:
    """Rules are set one after the other until the server is busy; what shall not be there goes first."""
    name, wanted = target.server.name, target.wanted.firewall_rules
    begun = 0
    for rule in sorted(told, key=lambda rule: rule in wanted):
        try:
            if rule in wanted:
                target.servers.begin_put_firewall_rule(name, rule, *wanted[rule])
            else:
                target.servers.begin_delete_firewall_rule(name, rule)
        except Conflict:
            if not begun:
                raise
            break
        begun += 1
    return f"setting {begun} of {len(told)} firewall rules"


def _set_administrator(target: Target, found: ServerSettings, told: Mapping[str, str]) -> str:
    """One at a time; MySQL has one only, so the one that is not wanted goes first."""
    name = target.server.name
    wanted = {one.object_id: one for one in target.wanted.administrators}
    for one in found.administrators:
        if one.object_id in told and one.object_id not in wanted:
            target.servers.begin_delete_administrator(name, one)
            return f"removing the Microsoft Entra administrator {one.name}"
    missing = next(one for object_id, one in wanted.items() if object_id in told)
    target.servers.begin_put_administrator(name, missing)
    return f"setting the Microsoft Entra administrator {missing.name}"
