"""Flexible servers of both engines through Azure's own packages, on a strict Resource Manager: rows, rights, bad days."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from infra.sandbox.azure.arm.rights import RoleAssignment
from infra.sandbox.azure.entra import Entra
from infra.sandbox.azure.server import SUBSCRIPTION, running_azure
from shared.databases.flexible_servers import actions
from shared.databases.flexible_servers.compare import differences
from shared.databases.flexible_servers.engines import MYSQL, POSTGRESQL, Engine
from shared.databases.flexible_servers.names import backup_name
from shared.databases.flexible_servers.opening import open_servers
from shared.databases.flexible_servers.servers import RestoreCall
from shared.model.checks import CheckStatus, failures
from shared.model.errors import Conflict, Forbidden, NotReady, Throttled, Unreachable
from shared.model.plan import FlexibleServer
from shared.model.protection import DatabaseProtection, ItemPhase, ItemProtection
from shared.model.restore import EndpointMove, RestoreStage
from shared.system_clock import SystemClock
from tests.contract.azure_arm.conftest import GROUP, Azure, Credential
from tests.contract.databases.flexible_world import NAME, PARAMETERS, RULES, RUN, SIDE, SUBNET, ZONE, FlexibleWorld

ENGINES = {"mysql": MYSQL, "postgresql": POSTGRESQL}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Azure]:
    entra = Entra()
    identity = entra.add()
    with running_azure(entra, [identity]) as running:
        yield Azure(running, identity)


@pytest.fixture
def azure(sandbox: Azure, monkeypatch: pytest.MonkeyPatch) -> Azure:
    """Empty, with every right for its one identity, and a clock that jumps."""
    running, manager = sandbox.running, sandbox.running.resource_manager
    running.databases.reset()
    manager.resource_groups = {GROUP}
    manager.roles = [RoleAssignment(sandbox.identity.object_id, f"/subscriptions/{SUBSCRIPTION}", frozenset({"*"}))]
    real, sandbox.offset = manager.clock, 0.0
    monkeypatch.setattr(manager, "clock", lambda: real() + sandbox.offset)
    return sandbox


@pytest.fixture(params=ENGINES.values(), ids=ENGINES)
def engine(request: pytest.FixtureRequest) -> Engine:
    found: Engine = request.param
    return found


@pytest.fixture
def world(azure: Azure, engine: Engine) -> FlexibleWorld:
    return FlexibleWorld(azure, engine)


def test_backup_disaster_restore_and_back_with_rows_and_every_setting(world: FlexibleWorld) -> None:
    before, protection = world.settings(), world.protect()
    assert failures(world.access.check(world.database, ())) == ()
    assert failures(world.access.forecast(world.order(protection)).checks) == ()
    restored = world.restore(world.order(protection))
    assert (world.balance(SIDE), world.balance(NAME)) == (10, 99)
    assert differences(before, world.settings(SIDE)) == ()
    assert world.provider.inventory.servers[SIDE].parameters == PARAMETERS[world.engine.name]
    assert world.provider.inventory.servers[SIDE].firewall == RULES
    assert world.settings(SIDE).administrators == before.administrators
    assert not world.provider.inventory.servers[SIDE].pending_restart
    host, port = world.live.host, world.engine.port
    side_host = host.replace(NAME, SIDE)
    assert restored.endpoints == (EndpointMove(old=host, new=side_host, old_port=port, new_port=port),)
    assert {check.status for check in world.access.verify(world.order(protection), restored)} == {CheckStatus.OK}
    undo = world.order(run=f"{RUN}-undo", stamp="20261124t050000z", at=None, undo=restored)
    undone = world.restore(undo)
    assert undone.endpoints == (EndpointMove(old=side_host, new=host, old_port=port, new_port=port),)
    assert world.balance(NAME) == 99


def test_each_class_of_rights_is_enough_and_has_none_that_is_never_used(azure: Azure, engine: Engine) -> None:
    world = FlexibleWorld(azure, engine, snapshot=True)
    now = world.clock.now()
    ours = {backup_name(f"run-{day}", 1, now - timedelta(days=day)): azure.now - day * 86_400 for day in range(2, 7)}
    world.live.backups = ours if engine is POSTGRESQL else {}
    order = world.order()
    world.asked()

    world.allow(actions.check_actions(engine))
    assert failures(world.access.check(world.database, ())) == ()
    world.access.forecast(order)
    assert world.used() == set(actions.check_actions(engine))

    world.allow(actions.protect_actions(engine))
    world.access.protect(world.database, (), world.point, True, None)
    assert len(world.access.clean_up(world.database, frozenset())) == len(ours) // 5 * engine.deletes_backups
    assert world.used() >= set(actions.protect_actions(engine)) - set(actions.check_actions(engine))
    azure.pass_time(61)

    world.allow(actions.window_backup_actions(engine))
    assert not world.access.begin_snapshot(world.database, RUN, 1).problem
    assert world.used() == set(actions.window_backup_actions(engine))
    azure.pass_time(61)

    world.allow((*actions.restore_actions(engine), *actions.LINKED_ACTIONS))
    prepared = world.prepare(order)
    side = world.provider.inventory.servers[SIDE]
    side.firewall["everybody"] = ("0.0.0.0", "255.255.255.255")
    stranger = {key: {**one, "sid": "66", "objectId": "66"} for key, one in side.administrators.items()}
    side.administrators = stranger if engine is MYSQL else {**side.administrators, "66": stranger["11"]}
    side.parameters["max_connections"] = "50"
    side.pending_restart.add("max_connections")
    restored = world.cut_over(order, prepared)
    assert world.used() >= set(actions.restore_actions(engine)) - set(actions.check_actions(engine))

    world.allow(actions.check_actions(engine))
    assert failures(world.access.verify(order, restored)) == ()
    world.asked()

    world.allow(actions.discard_actions(engine))
    world.until(lambda so_far: world.access.discard(order, so_far or prepared))
    assert world.used() == set(actions.discard_actions(engine))


def test_a_right_that_is_missing_on_the_subnet_is_named_with_the_subnet(azure: Azure) -> None:
    world = FlexibleWorld(azure, POSTGRESQL)
    world.live.settings["network"] = {"delegatedSubnetResourceId": SUBNET, "privateDnsZoneArmResourceId": ZONE}
    world.allow(actions.restore_actions(POSTGRESQL))
    with pytest.raises(Forbidden, match=f"needs Microsoft.Network/virtualNetworks/subnets/join/action on {SUBNET}"):
        world.access.restore(world.order(), None)


def test_what_was_made_and_given_up_is_deleted(world: FlexibleWorld) -> None:
    prepared = world.prepare(world.order())
    assert world.names == [NAME, SIDE]
    done = world.until(lambda so_far: world.access.discard(world.order(), so_far or prepared))
    assert (done.stage, world.names) == (RestoreStage.DISCARDED, [NAME])


CHANGES = (
    ("PUT", f"flexibleServers/{SIDE}"),
    ("PATCH", f"flexibleServers/{SIDE}"),
    ("POST", f"{SIDE}/restart"),
    ("PUT", f"{SIDE}/firewallRules"),
    ("PUT", f"{SIDE}/administrators"),
)


@pytest.mark.parametrize("kind", ["refuse", "lose"])
def test_server_errors_before_or_after_each_effect_change_nothing_in_the_end(world: FlexibleWorld, kind: str) -> None:
    before = world.settings()
    for method, path in CHANGES:
        if world.engine is MYSQL and method == "POST":
            continue  # a restore keeps MySQL's static parameters, so nothing has to be restarted
        world.arm(kind=kind, method=method, path_contains=path, status=503, code="ServiceUnavailable")
    world.prepare(world.order(), forgive=(Unreachable,))
    assert world.azure.running.resource_manager.faults.left() == []
    assert (world.names, world.balance(SIDE)) == ([NAME, SIDE], 10)
    assert differences(before, world.settings(SIDE)) == ()


def test_throttling_is_told_with_azure_s_own_time_and_not_retried_below(world: FlexibleWorld) -> None:
    world.arm(
        kind="refuse", method="GET", path_contains=NAME, status=429, code="TooManyRequests", retry_after_seconds=17, times=1
    )
    world.asked()
    with pytest.raises(Throttled, match="Azure throttles") as caught:
        world.access.check(world.database, ())
    assert caught.value.retry_after_seconds == 17
    assert len(world.asked()) == 1


def test_a_restore_that_takes_hours_longer_is_waited_for(world: FlexibleWorld) -> None:
    world.arm(kind="operation", method="PUT", path_contains=SIDE, delay_seconds=2 * 3600)
    world.prepare(world.order())
    assert world.balance(SIDE) == 10


def test_a_restore_that_fails_in_azure_is_said_and_goes_on_when_its_remains_are_deleted(world: FlexibleWorld) -> None:
    world.arm(kind="operation", method="PUT", path_contains=SIDE, code="InternalServerError")
    with pytest.raises(NotReady, match=f"{SIDE} is Disabled. Nothing live was touched"):
        world.prepare(world.order())
    world.servers.begin_delete(SIDE)
    world.azure.pass_time(60)
    world.prepare(world.order())
    assert world.balance(SIDE) == 10


def test_a_change_that_fails_in_azure_is_made_again(world: FlexibleWorld) -> None:
    before = world.settings()
    world.arm(kind="operation", method="PATCH", path_contains=SIDE, code="InternalServerError")
    world.prepare(world.order())
    assert differences(before, world.settings(SIDE)) == ()


def test_a_point_whose_logs_are_not_backed_up_yet_is_not_asked_for(world: FlexibleWorld) -> None:
    order = world.order(at=world.clock.now().replace(microsecond=0))
    world.asked()
    first = world.access.restore(order, None)
    assert not [path for method, path in world.asked() if method == "PUT" and SIDE in path]
    world.until(lambda so_far: world.access.restore(order, so_far), first)
    assert world.balance(SIDE) == 99


def test_a_missing_right_is_named_as_azure_calls_it(world: FlexibleWorld) -> None:
    world.allow(actions.check_actions(world.engine))
    with pytest.raises(Forbidden, match=f"{world.engine.resource}/write on {SIDE} is not allowed"):
        world.prepare(world.order())
    world.allow(())
    (problem,) = failures(world.access.check(world.database, ()))
    assert problem.name == "flexible-rights"
    assert f"{world.engine.resource}/read on {NAME}" in problem.detail


def test_a_name_that_somebody_else_has_ends_in_an_hour_with_the_reason(world: FlexibleWorld) -> None:
    world.provider.inventory.taken_names.add(SIDE)
    refused = world.access.restore(world.order(), None)
    assert "already used" in refused.message
    world.azure.pass_time(3_601)
    with pytest.raises(NotReady, match="already used"):
        world.access.restore(world.order(), refused)


def test_a_full_quota_is_said_at_once(world: FlexibleWorld) -> None:
    world.azure.settings(servers_max=1)
    with pytest.raises(NotReady, match="Azure has no room for it now"):
        world.access.restore(world.order(), None)


def test_a_restore_into_the_other_kind_of_network_is_never_asked_for(azure: Azure, engine: Engine) -> None:
    world = FlexibleWorld(azure, engine)
    zone = "privateDnsZoneResourceId" if engine is MYSQL else "privateDnsZoneArmResourceId"
    world.live.settings["network"] = {"delegatedSubnetResourceId": SUBNET, zone: ZONE}
    world.live.firewall = {}
    world.prepare(world.order())
    assert (world.settings(SIDE).subnet, world.settings(SIDE).dns_zone) == (SUBNET, ZONE)


def test_a_backup_that_is_complete_in_the_window_is_kept_and_restored_from(azure: Azure, engine: Engine) -> None:
    world = FlexibleWorld(azure, engine, snapshot=True)
    begun = world.access.begin_snapshot(world.database, RUN, 1)
    assert begun.arn.startswith(world.live.id)
    assert world.access.begin_snapshot(world.database, RUN, 1).arn == begun.arn or not world.live.backups
    point = world.clock.now().replace(microsecond=0) + timedelta(seconds=5)
    azure.pass_time(400)
    item = ItemProtection(name=NAME, phase=ItemPhase.WAITING, backup_arn=begun.arn)
    protected = world.protect(DatabaseProtection(database=world.database.key, point=point, items=(item,)), point)
    assert protected.items[0].phase is ItemPhase.KEPT
    world.prepare(world.order(protected))
    assert world.balance(SIDE) == 99


def test_old_backups_are_deleted_where_azure_can_and_the_limit_is_respected(azure: Azure) -> None:
    world = FlexibleWorld(azure, POSTGRESQL, snapshot=True)
    for attempt in range(1, 8):
        assert not world.access.begin_snapshot(world.database, RUN, attempt).problem
        azure.pass_time(60)
    assert "the most that Azure Database for PostgreSQL allows" in world.access.begin_snapshot(world.database, RUN, 8).problem
    azure.pass_time(25 * 3600)
    removed: list[str] = []
    for _ in range(6):
        removed += world.access.clean_up(world.database, frozenset())
        azure.pass_time(61)
    assert len(removed) == 4
    assert len(world.servers.backups(NAME)) == 4, "three of ours, and the automatic one"


def test_a_busy_server_is_a_conflict(world: FlexibleWorld) -> None:
    world.servers.begin_restart(NAME)
    with pytest.raises(Conflict, match="its state does not allow it now"):
        world.servers.begin_restart(NAME)


def test_a_restore_of_a_server_that_is_not_there_is_refused_in_azure_s_words(world: FlexibleWorld) -> None:
    call = RestoreCall(SIDE, f"{world.live.id}-x", world.point, world.settings(), {})
    with pytest.raises(NotReady, match=r"was refused as asked for .SourceServerNotFound"):
        world.servers.begin_restore(call)


def test_a_server_and_a_subscription_that_do_not_exist_are_told_apart(world: FlexibleWorld) -> None:
    assert world.servers.server("nobody") is None
    missing = FlexibleServer(engine=world.engine.name, subscription=SUBSCRIPTION, resource_group=GROUP, server="order")
    (problem,) = failures(world.access.check(missing, ()))
    assert "There are: orders." in problem.detail


def test_no_answer_is_unreachable_within_seconds(engine: Engine, azure: Azure) -> None:
    database = FlexibleServer(engine=engine.name, subscription=SUBSCRIPTION, resource_group=GROUP, server=NAME)
    credential: Any = Credential(azure.running.entra, azure.identity)
    servers = open_servers(credential, database, "https://127.0.0.1:1")
    with pytest.raises(Unreachable, match="no answer"):
        servers.server(NAME)


async def test_the_clock_of_resource_manager_is_measured_without_a_right(azure: Azure, monkeypatch: pytest.MonkeyPatch) -> None:
    world = FlexibleWorld(azure, POSTGRESQL)
    world.allow(())
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(azure.running.ca_file))
    bounds = await world.access.measure_clock(world.database, SystemClock())
    assert not bounds.problem
    assert bounds.samples > 1
