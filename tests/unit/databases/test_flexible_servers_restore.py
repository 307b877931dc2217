"""Restores of a flexible server: aside first, the endpoint then, an undo as a restore; killed anywhere, in strange worlds."""

from __future__ import annotations

from datetime import timedelta

import pytest

from shared.databases.flexible_servers.compare import differences
from shared.databases.flexible_servers.engines import MYSQL
from shared.databases.flexible_servers.servers import RUN as RUN_TAG
from shared.model.checks import CheckStatus, failures
from shared.model.errors import Conflict, InvalidRequest, NotReady, Throttled
from shared.model.plan import DynamoDb
from shared.model.records import replace
from shared.model.restore import DatabaseRestore, EndpointMove, RestoreStage, Target
from tests.unit.databases.fake_servers import FakeServer
from tests.unit.databases.servers_world import FULL, GROUP_ID, HOST, NAME, RUN, SIDE, ServersWorld, leading_to

SIDE_HOST = HOST.replace(NAME, SIDE)


def test_the_releases_are_led_to_a_new_server_with_the_data_of_the_point_and_every_setting() -> None:
    world = ServersWorld()
    before = world.settings()
    restored = world.restore(world.order())
    assert (restored.stage, restored.changed_live) == (RestoreStage.DONE, True)
    assert restored.endpoints == (EndpointMove(old=HOST, new=SIDE_HOST, old_port=5432, new_port=5432),)
    assert (world.side.data, world.live.data) == ("first", "second")
    assert differences(before, world.settings(SIDE)) == ()
    assert restored.items[0].kept == NAME
    assert f"write that name into the plan. The old data is kept as {NAME}." in restored.message
    assert {check.status for check in world.access.verify(world.order(), restored)} == {CheckStatus.OK}


def test_nothing_live_is_touched_before_the_cut_over_and_the_promise_comes_before_it_is_said_where_to_lead() -> None:
    world = ServersWorld()
    before = world.settings()
    prepared = world.prepare(world.order())
    assert (prepared.stage, prepared.changed_live, prepared.endpoints) == (RestoreStage.PREPARED, False, ())
    assert replace(world.settings(), taken_at=before.taken_at) == before
    world.servers.calls.clear()
    promised = world.access.cut_over(world.order(), prepared)
    assert (promised.changed_live, promised.done, promised.endpoints) == (True, False, ())
    assert not any(call.startswith("begin_") for call in world.servers.calls)


def there_and_back(world: ServersWorld) -> tuple[DatabaseRestore, DatabaseRestore]:
    restored = world.restore(world.order())
    return restored, world.restore(world.undo(world.order(), restored))


def test_an_undo_leads_back_and_an_undo_of_it_leads_there_again() -> None:
    world = ServersWorld()
    restored, undone = there_and_back(world)
    back = EndpointMove(old=SIDE_HOST, new=HOST, old_port=5432, new_port=5432)
    assert undone.endpoints == (back,)
    assert undone.items[0].kept == SIDE
    again = world.order(run="orders-20261124T060000Z-1", stamp="20261124t060000z", at=None, undo=undone)
    assert world.restore(again).endpoints == restored.endpoints
    assert world.servers.restores == 1


def _changing_calls(world: ServersWorld) -> list[int]:
    there_and_back(world)
    return [number for number, name in enumerate(world.servers.calls, start=1) if name.startswith("begin_")]


CHANGES = _changing_calls(ServersWorld())


@pytest.mark.parametrize("after_effect", [False, True], ids=["request-lost", "answer-lost"])
@pytest.mark.parametrize("number", CHANGES)
def test_a_kill_at_any_change_ends_as_an_undisturbed_run_does(number: int, after_effect: bool) -> None:
    world = ServersWorld()
    before = world.settings()
    world.servers.calls.clear()
    world.servers.kill_at, world.servers.kill_after_effect = number, after_effect
    there_and_back(world)
    assert world.servers.kill_at is None
    assert sorted(world.servers.there) == [NAME, SIDE]
    assert (world.side.data, world.servers.restores) == ("first", 1)
    assert differences(before, world.settings(SIDE)) == ()


@pytest.mark.parametrize("method", ["begin_restore", "begin_update", "begin_set_parameters", "parameters", "server"])
def test_a_throttled_call_is_told_with_its_time_and_the_next_one_goes_on(method: str) -> None:
    world = ServersWorld()
    order, reached = world.order(), None
    world.servers.faults[method] = [Throttled("slow down", retry_after_seconds=17)]
    throttled = 0
    while reached is None or not reached.done:
        try:
            reached = world.access.restore(order, reached)
            world.clock.advance(reached.wait_seconds)
        except Throttled as error:
            throttled += 1
            world.clock.advance(error.retry_after_seconds)
    assert throttled == 1
    assert differences(world.settings(), world.settings(SIDE)) == ()


def test_a_point_whose_logs_may_not_be_backed_up_is_waited_for() -> None:
    world = ServersWorld()
    order = world.order(at=world.clock.now().replace(microsecond=0))
    first = world.access.restore(order, None)
    assert (first.items[0].phase, world.servers.restores) == ("waiting", 0)
    assert "waiting until the logs of the point are backed up" in first.message
    world.prepare(order, first)
    assert world.servers.restores == 1


def test_a_server_that_shows_only_when_it_is_ready_is_waited_for_and_made_once() -> None:
    world = ServersWorld()
    world.servers.appears_late = True
    world.restore(world.order())
    assert world.servers.restores == 1
    assert world.servers.calls.count("begin_restore") == 2, "asked again once in half an hour"


def test_a_restore_that_azure_took_and_that_failed_is_asked_for_again() -> None:
    world = ServersWorld()
    world.servers.restore_fails, order = True, world.order()
    reached = world.access.restore(order, None)
    world.later(1)
    world.servers.restore_fails = False
    world.prepare(order, reached)
    assert world.servers.restores == 2


def test_a_restore_that_fails_again_and_again_ends_after_twelve_hours() -> None:
    world = ServersWorld()
    world.servers.restore_fails = True
    with pytest.raises(NotReady, match=r"there is no such server after 12 hours. Nothing live was touched"):
        world.prepare(world.order())


def test_a_restored_server_without_its_tags_is_known_by_where_it_comes_from_and_gets_them() -> None:
    world = ServersWorld()
    world.servers.keeps_tags = False
    world.restore(world.order())
    assert world.side.tags[RUN_TAG] == RUN
    assert world.side.tags["team"] == "payments"


def test_a_server_under_our_name_that_is_not_ours_is_refused_and_left_alone() -> None:
    world = ServersWorld()
    strange = FakeServer(replace(FULL, server=SIDE, resource_id=f"{GROUP_ID}/{SIDE}"), "theirs", tags={RUN_TAG: "another"})
    world.servers.there[SIDE] = strange
    assert [check.name for check in failures(world.access.forecast(world.order()).checks)] == ["flexible-names"]
    with pytest.raises(NotReady, match="taken by a flexible server that this restore has not made"):
        world.access.restore(world.order(), None)
    assert (world.side.data, world.servers.restores) == ("theirs", 0)


def test_another_run_at_work_on_the_same_server_is_a_conflict() -> None:
    world = ServersWorld()
    other = f"{NAME}-r20261124t033000z"
    rival = FakeServer(replace(FULL, server=other), "x", state="Provisioning", tags={RUN_TAG: "another"})
    world.servers.there[other] = rival
    with pytest.raises(Conflict, match=f"being restored to {other} by run another"):
        world.access.restore(world.order(), None)


def test_a_refusal_that_lasts_an_hour_ends_with_the_service_s_own_reason() -> None:
    world = ServersWorld()
    world.servers.faults["begin_restore"] = [Conflict("the name is used by somebody else") for _ in range(500)]
    with pytest.raises(NotReady, match="the name is used by somebody else Nothing live was touched"):
        world.prepare(world.order())


def test_a_setting_that_azure_takes_and_does_not_change_ends_the_wait_and_is_named() -> None:
    world = ServersWorld()
    world.servers.ignored = {"retention_days"}
    with pytest.raises(NotReady, match="retention days is 7, wanted 14"):
        world.prepare(world.order())


@pytest.mark.parametrize("state", ["Disabled", "Inaccessible", "Stopped"])
def test_a_restored_server_in_a_state_that_does_not_end_is_said(state: str) -> None:
    world = ServersWorld()
    begun = world.access.restore(world.order(), None)
    world.later(1)
    world.servers.server(SIDE)
    world.side.state = state
    with pytest.raises(NotReady, match=f"{SIDE} is {state}. Nothing live was touched"):
        world.access.restore(world.order(), begun)


def test_a_private_server_is_restored_without_a_firewall() -> None:
    world = ServersWorld(subnet="/subnets/db", dns_zone="/zones/db", public_access=False)
    world.restore(world.order())
    assert "begin_put_firewall_rule" not in world.servers.calls
    assert "firewall_rules" not in world.servers.calls


def test_a_deleted_server_cannot_be_restored_and_it_is_said_what_to_do() -> None:
    world = ServersWorld()
    protection = world.protect()
    del world.servers.there[NAME]
    with pytest.raises(NotReady, match=r"does not exist in resource group g.*recovered for five days"):
        world.access.restore(world.order(protection), None)


def test_a_server_that_was_made_anew_has_no_backups_of_the_point() -> None:
    world = ServersWorld()
    protection = world.protect()
    world.live.settings = replace(world.live.settings, created_at="2026-11-24T05:00:00Z")
    forecast = world.access.forecast(world.order(protection))
    assert "is another one than at the restore point" in failures(forecast.checks)[0].detail


def test_a_point_before_the_first_backup_is_out_of_reach() -> None:
    world = ServersWorld()
    world.live.earliest = world.point + timedelta(seconds=1)
    with pytest.raises(NotReady, match="cannot be restored: the backups of orders begin at"):
        world.access.restore(world.order(), None)


def test_an_upgrade_since_the_point_is_found_before_anything_is_begun() -> None:
    world = ServersWorld()
    protection = world.protect()
    world.live.settings = replace(world.live.settings, version="17")
    (problem,) = failures(world.access.forecast(world.order(protection)).checks)
    assert (problem.name, problem.detail) == (
        "flexible-bound-to-data",
        "At the restore point it was otherwise. version is 16, wanted 17.",
    )


def test_side_by_side_a_server_is_made_and_nothing_is_led_anywhere() -> None:
    world = ServersWorld()
    order = world.order(target=Target.SIDE_BY_SIDE)
    done = world.prepare(order)
    assert (done.stage, done.endpoints, done.changed_live) == (RestoreStage.DONE, (), False)
    assert SIDE_HOST in done.items[0].note
    world.discard(order, done)
    assert sorted(world.servers.there) == [NAME]


def test_a_restore_that_was_given_up_deletes_what_it_made_and_nothing_else() -> None:
    world = ServersWorld()
    prepared = world.prepare(world.order())
    world.discard(world.order(), prepared)
    assert sorted(world.servers.there) == [NAME]


def test_the_old_server_is_its_owner_s_and_is_not_deleted() -> None:
    world = ServersWorld()
    restored = world.restore(world.order())
    done = world.discard(world.order(), restored)
    assert sorted(world.servers.there) == [NAME, SIDE]
    assert f"{NAME} bears no name of this restore and is not deleted" in done.message


def test_a_server_that_a_release_leads_to_is_not_deleted() -> None:
    world = ServersWorld()
    prepared = world.prepare(world.order())
    with pytest.raises(NotReady, match="a release lead to its endpoint"):
        world.access.discard(world.order(storages=(leading_to(SIDE_HOST),)), prepared)
    assert SIDE in world.servers.there


def test_a_server_under_our_name_without_our_tag_is_not_deleted() -> None:
    world = ServersWorld()
    prepared = world.prepare(world.order())
    world.side.tags = {}
    world.discard(world.order(), prepared)
    assert SIDE in world.servers.there


def test_a_restored_server_is_restored_again_under_a_name_that_does_not_grow() -> None:
    world = ServersWorld()
    world.restore(world.order())
    world.database = replace(world.database, server=SIDE)
    world.later(1)
    again = world.order(stamp="20261124t070000z", run="orders-20261124T070000Z-9", at=world.clock.now().replace(microsecond=0))
    restored = world.restore(again)
    assert restored.items[0].side == f"{NAME}-r20261124t070000z"
    assert restored.items[0].kept == SIDE


def test_a_lost_replacement_halts_the_cut_over() -> None:
    world = ServersWorld()
    prepared = world.prepare(world.order())
    del world.servers.there[SIDE]
    with pytest.raises(NotReady, match=r"does not exist any more. Nothing live was touched"):
        world.access.cut_over(world.order(), prepared)
    assert [check.status for check in world.access.verify(world.order(), prepared)] == [CheckStatus.FAILED]


def test_an_undo_whose_old_server_is_gone_is_refused() -> None:
    world = ServersWorld()
    restored = world.restore(world.order())
    del world.servers.there[NAME]
    with pytest.raises(NotReady, match="nothing to go back to: server orders does not exist any more"):
        world.access.restore(world.undo(world.order(), restored), None)


def test_verify_names_each_setting_that_is_not_what_was_promised() -> None:
    world = ServersWorld()
    restored = world.restore(world.order())
    world.side.firewall.clear()
    (problem,) = failures(world.access.verify(world.order(), restored))
    assert problem.name == "flexible-settings"
    assert "firewall rule office is not there, wanted 10.0.0.1 to 10.0.0.9" in problem.detail


def test_a_forecast_says_what_happens_what_is_lost_and_what_has_to_be_done_by_hand() -> None:
    world = ServersWorld()
    forecast = world.access.forecast(world.order())
    assert forecast.source == "point-in-time recovery"
    assert failures(forecast.checks) == ()
    assert any(f"led to the endpoint of {SIDE}" in step for step in forecast.steps)
    assert any("orders-reader" in text for text in forecast.loses)
    assert any("/endpoints/1" in text for text in forecast.loses)
    assert "2 parameters, 2 firewall rules, 1 Microsoft Entra administrators, 1 tags" in forecast.puts_back[1]
    assert forecast.keeps == (NAME,)
    assert forecast.restorable_until == world.point + timedelta(days=14)


def test_a_forecast_is_the_same_until_something_changes() -> None:
    world = ServersWorld()
    first = world.access.forecast(world.order()).observed
    world.later(2)
    world.live.settings = replace(world.live.settings, storage_gib=300)
    assert world.access.forecast(world.order()).observed == first
    world.live.firewall["new"] = ("1.1.1.1", "1.1.1.1")
    assert world.access.forecast(world.order()).observed != first


def test_mysql_tells_that_its_parameters_are_reset() -> None:
    world = ServersWorld(MYSQL, engine="mysql")
    assert any("time_zone and event_scheduler" in text for text in world.access.forecast(world.order()).loses)


def test_a_server_that_cannot_be_read_for_a_while_is_waited_for_and_a_forecast_says_so() -> None:
    world = ServersWorld()
    world.servers.faults["parameters"] = [Conflict("orders is busy") for _ in range(3)]
    (problem,) = failures(world.access.forecast(world.order()).checks)
    assert (problem.name, problem.detail) == ("flexible-source", "orders is busy")
    assert world.access.restore(world.order(), None).message == "orders: not begun yet: orders is busy"
    prepared = world.prepare(world.order())
    world.servers.faults["parameters"] = [Conflict("busy")]
    restored = world.cut_over(world.order(), prepared)
    world.servers.faults["parameters"] = [Conflict("orders is busy")]
    (problem,) = failures(world.access.verify(world.order(), restored))
    assert problem.detail == "orders is busy"


def test_an_order_for_another_database_is_refused() -> None:
    world = ServersWorld()
    with pytest.raises(InvalidRequest, match="is not a flexible server"):
        world.access.restore(world.order(database=DynamoDb(region="eu-west-1")), None)
