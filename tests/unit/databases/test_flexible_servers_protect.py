"""Backups of a flexible server: the checks, the wait for the logs, the backup of the pause window, what is left over."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.databases.flexible_servers import FlexibleServerAccess, backups, names
from shared.databases.flexible_servers.engines import MYSQL, POSTGRESQL
from shared.databases.flexible_servers.servers import Backup
from shared.model.checks import CheckResult, CheckStatus, failures
from shared.model.errors import BackupError, Conflict, Forbidden, InvalidRequest, NotReady, Unreachable
from shared.model.protection import ItemPhase
from shared.model.records import replace
from tests.unit.databases.fake_clock import START
from tests.unit.databases.servers_world import HOST, NAME, RUN, ServersWorld, leading_to

ORDINARY = {"tier": "GeneralPurpose", "storage_type": "Premium_LRS"}


def checked(world: ServersWorld, *hosts: str) -> dict[str, CheckResult]:
    return {check.name: check for check in world.access.check(world.database, tuple(leading_to(host) for host in hosts))}


def test_a_server_that_can_be_restored_passes_with_what_was_seen() -> None:
    found = checked(ServersWorld(), HOST)
    assert [check for check in found.values() if check.status is CheckStatus.FAILED] == []
    assert "kept 14 days, geo-redundant; restorable from 2026-11-24T03:00:00Z on" in found["flexible-backups"].detail
    assert found["flexible-network"].detail == "public access"
    assert "ZoneRedundant" in found["flexible-standby"].detail
    assert "orders-reader" in found["flexible-read-replicas"].detail
    assert found["flexible-endpoint"].status is CheckStatus.OK


def test_a_misspelt_server_is_told_with_those_that_look_alike() -> None:
    world = ServersWorld()
    world.database = replace(world.database, server="order")
    assert "There are: orders." in checked(world)["flexible-server"].detail


@pytest.mark.parametrize("state", ["Stopped", "Disabled", "Inaccessible", "Dropping"])
def test_a_server_in_a_state_that_does_not_end_fails(state: str) -> None:
    world = ServersWorld()
    world.live.state = state
    assert checked(world)["flexible-state"].status is CheckStatus.FAILED


def test_a_server_that_is_being_changed_is_a_warning() -> None:
    world = ServersWorld()
    world.live.state = "Updating"
    assert checked(world)["flexible-state"].status is CheckStatus.WARNING


def test_a_server_without_a_first_backup_fails() -> None:
    world = ServersWorld()
    world.live.earliest = None
    assert checked(world)["flexible-backups"].status is CheckStatus.FAILED


def test_releases_that_name_another_host_are_a_warning_that_says_which() -> None:
    strange = HOST.replace("azure.com", "chinacloudapi.cn")
    found = checked(ServersWorld(), strange)["flexible-endpoint"]
    assert found.status is CheckStatus.WARNING
    assert strange in found.detail


def test_a_missing_right_is_a_failed_check_that_names_it() -> None:
    world = ServersWorld()
    world.servers.faults["parameters"] = [Forbidden("Microsoft.DBforPostgreSQL/flexibleServers/configurations/read on orders")]
    (problem,) = failures(world.access.check(world.database, ()))
    assert (problem.name, "configurations/read" in problem.detail) == ("flexible-rights", True)


def test_a_point_is_covered_six_minutes_after_it_and_not_sooner_with_the_settings_noted() -> None:
    world = ServersWorld()
    point = world.clock.now().replace(microsecond=0)
    protected = world.protect(point=point)
    waited = world.clock.now() - point
    assert timedelta(minutes=6) <= waited < timedelta(minutes=8)
    (item,) = protected.items
    assert (item.phase, item.restorable_until) == (ItemPhase.COVERED, point + timedelta(days=14))
    assert item.settings["configurations"] == {"max_connections": "500", "work_mem": "8192"}
    assert item.size_bytes == 256 * 2**30


def test_a_point_before_the_first_backup_is_refused_and_one_before_any_is_waited_for() -> None:
    world = ServersWorld()
    world.live.earliest = None
    first = world.access.protect(world.database, (), world.point, True, None)
    assert not first.done
    world.live.earliest = world.point + timedelta(minutes=1)
    with pytest.raises(NotReady, match="the backups of orders begin at"):
        world.access.protect(world.database, (), world.point, True, first)


def test_a_server_that_never_has_a_backup_ends_the_wait() -> None:
    world = ServersWorld()
    world.live.earliest = None
    first = world.access.protect(world.database, (), world.point, True, None)
    world.later(6)
    with pytest.raises(NotReady, match="has no backup yet, 6 hours after the point"):
        world.access.protect(world.database, (), world.point, True, first)


def test_a_server_that_cannot_be_read_for_a_while_is_a_failed_check_and_protecting_waits() -> None:
    world = ServersWorld()
    world.servers.faults["parameters"] = [Conflict("orders is busy"), Conflict("orders is busy")]
    assert checked(world)["flexible-settings"].detail == "orders is busy"
    first = world.access.protect(world.database, (), world.point, True, None)
    assert (first.done, first.message) == (False, "orders: waiting until its settings can be read.")
    assert world.access.protect(world.database, (), world.point, True, first).items[0].settings


def test_another_server_under_the_name_is_refused() -> None:
    world = ServersWorld()
    first = world.access.protect(world.database, (), world.clock.now().replace(microsecond=0), True, None)
    world.live.settings = replace(world.live.settings, created_at="2026-11-24T09:00:00Z")
    with pytest.raises(NotReady, match="is another one than at the restore point"):
        world.access.protect(world.database, (), first.point, True, first)


def test_a_point_between_two_seconds_is_refused() -> None:
    world = ServersWorld()
    with pytest.raises(InvalidRequest, match="cannot be restored to exactly"):
        world.access.protect(world.database, (), world.point.replace(microsecond=1), True, None)


def in_the_window(world: ServersWorld, seconds: float) -> tuple[str, Any]:
    """A backup that took so long, asked for five seconds before the point."""
    world.servers.backup_seconds = seconds
    begun = world.access.begin_snapshot(world.database, RUN, 1)
    point = world.clock.now().replace(microsecond=0) + timedelta(seconds=5)
    world.clock.advance(15)
    return begun.arn, point


def test_a_backup_that_was_complete_in_the_window_is_the_point_s_without_waiting_for_the_logs() -> None:
    world = ServersWorld(snapshot=True, **ORDINARY)
    arn, point = in_the_window(world, 6)
    protected = world.protect(arn, point=point)
    assert world.clock.now() - point < timedelta(minutes=1)
    assert (protected.items[0].phase, protected.items[0].backup_arn) == (ItemPhase.KEPT, arn)
    assert protected.items[0].restorable_until == point + timedelta(days=14)
    assert world.access.forecast(world.order(protected)).source == "on-demand backup"
    restored = world.prepare(world.order(protected))
    assert (world.side.data, restored.items[0].source) == ("second", "on-demand backup")


def test_a_kept_backup_that_is_gone_leaves_the_point_to_the_logs() -> None:
    world = ServersWorld(snapshot=True, **ORDINARY)
    arn, point = in_the_window(world, 6)
    protected = world.protect(arn, point=point)
    world.live.backups.clear()
    world.later(1)
    assert world.access.forecast(world.order(protected)).source == "point-in-time recovery"
    world.prepare(world.order(protected))
    assert world.side.data == "second"


def test_a_backup_that_ended_after_the_window_proves_nothing_and_the_logs_are_waited_for() -> None:
    world = ServersWorld(snapshot=True, **ORDINARY)
    arn, point = in_the_window(world, 30)
    protected = world.protect(arn, point=point)
    assert world.clock.now() - point >= timedelta(minutes=6)
    assert protected.items[0].phase is ItemPhase.COVERED
    assert "not surely in the window. The point is restored by logs." in protected.items[0].note


def test_why_no_backup_was_begun_stays_with_the_point() -> None:
    world = ServersWorld(snapshot=True, **ORDINARY)
    note = world.protect(note="orders: too many.").items[0].note
    assert note == "orders: too many. The point is restored by logs."


def test_the_same_attempt_asked_again_finds_the_first_backup() -> None:
    world = ServersWorld(snapshot=True, **ORDINARY)
    first = world.access.begin_snapshot(world.database, RUN, 1)
    world.clock.advance(2)
    again = world.access.begin_snapshot(world.database, RUN, 1)
    assert (again.arn, again.asked_at) == (first.arn, first.asked_at)
    assert len(world.live.backups) == 1
    assert not first.problem


@pytest.mark.parametrize(
    ("engine", "settings", "problem"),
    [
        (POSTGRESQL, {**ORDINARY, "tier": "Burstable"}, "Burstable tier takes no on-demand backups"),
        (POSTGRESQL, {**ORDINARY, "storage_type": "PremiumV2_LRS"}, "Premium SSD v2 takes no on-demand backups"),
        (MYSQL, {**ORDINARY, "tier": "Burstable", "engine": "mysql"}, ""),
    ],
)
def test_servers_that_take_no_backups_are_not_asked_and_the_check_says_so(
    engine: Any, settings: dict[str, Any], problem: str
) -> None:
    own = {name: value for name, value in settings.items() if name != "engine"}
    world = ServersWorld(engine, snapshot=True, **own)
    begun = world.access.begin_snapshot(world.database, RUN, 1)
    assert problem in begun.problem
    assert bool(begun.arn) != bool(problem)
    assert (checked(world)["flexible-on-demand-backup"].status is CheckStatus.WARNING) == bool(problem)


def test_the_eighth_backup_of_a_postgresql_server_is_not_asked_for() -> None:
    world = ServersWorld(snapshot=True, **ORDINARY)
    world.live.backups = {f"own-{number}": world.clock.now() for number in range(7)}
    assert "has 7 on-demand backups, the most" in world.access.begin_snapshot(world.database, RUN, 1).problem
    assert "7 on-demand backups" in checked(world)["flexible-on-demand-backup"].detail


@pytest.mark.parametrize("error", [Conflict("busy"), Unreachable("no answer"), Forbidden("backups/write")])
def test_a_refused_backup_is_a_problem_and_never_an_error_for_pods_are_paused(error: BackupError) -> None:
    world = ServersWorld(snapshot=True, **ORDINARY)
    world.servers.faults["begin_backup"] = [error]
    assert world.access.begin_snapshot(world.database, RUN, 1).problem == error.message


def test_old_backups_of_ours_go_but_the_newest_three_and_never_somebody_else_s() -> None:
    world = ServersWorld(snapshot=True, **ORDINARY)
    now = world.clock.now()
    ours = {names.backup_name(f"run-{day}", 1, now - timedelta(days=day)): now for day in range(2, 7)}
    world.live.backups = {**ours, "by-hand": now}
    removed = []
    for _ in range(4):
        removed += world.access.clean_up(world.database, frozenset())
        world.later(0.1)
    assert sorted(removed) == sorted(ours)[:2]
    world.servers.server(NAME)
    assert "by-hand" in world.live.backups


def test_a_backup_of_a_run_that_is_at_work_stays() -> None:
    now = START
    there = tuple(Backup(names.backup_name(f"run-{day}", 1, now - timedelta(days=day)), "", True, now) for day in range(2, 7))
    in_use = frozenset({now - timedelta(days=6, minutes=-5)})
    assert [one.name for one in backups.left_over(there, now, in_use)] == [there[3].name]


@given(asked=st.integers(0, 10), point=st.integers(0, 20), took=st.integers(0, 60))
def test_a_backup_is_never_proven_outside_a_window_that_its_request_and_its_point_span(
    asked: int, point: int, took: int
) -> None:
    at, middle = START + timedelta(seconds=asked), START + timedelta(seconds=asked + point)
    backup = Backup(names.backup_name(RUN, 1, at), "", True, at + timedelta(seconds=took))
    if backups.is_proven_for(backup, middle):
        assert took <= max(2 * point - 1, point + 1)


@given(st.from_regex(r"[a-z][a-z0-9-]{1,60}[a-z0-9]", fullmatch=True))
def test_names_fit_do_not_grow_and_bear_the_stamp(server: str) -> None:
    first = names.side_name(server, "20261124t040000z")
    second = names.side_name(first, "20261125t040000z")
    assert len(first) <= 63
    assert names.bears_stamp(first, "20261124t040000z")
    assert len(second) == len(first)
    assert names.bears_stamp(second, "20261125t040000z")


async def test_a_clock_is_measured_against_resource_manager_and_a_closed_port_is_a_problem() -> None:
    world = ServersWorld()
    access = FlexibleServerAccess(None, world.clock, resource_manager="https://127.0.0.1:1")
    bounds = await access.measure_clock(world.database, world.clock)
    assert "127.0.0.1" in bounds.problem
