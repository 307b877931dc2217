"""Restores of a Cosmos DB account: aside first, complete and compared, then led to; an undo as a restore; killed anywhere."""

from __future__ import annotations

import pytest

from infra.sandbox.azure.arm.faults import Fault
from shared.databases.cosmos.actions import (
    CHECK_ACTIONS,
    DISCARD_ACTIONS,
    LEAD_ACTIONS,
    LINKED_ACTIONS,
    RESTORE_ACTIONS,
    SUBSCRIPTION_ACTIONS,
)
from shared.databases.cosmos.compare import differences, script_differences
from shared.model.checks import CheckStatus, failures
from shared.model.errors import Conflict, Forbidden, InvalidRequest, NotReady, Throttled, Unreachable
from shared.model.restore import DatabaseRestore, RestoreStage, Target
from tests.unit.databases.cosmos_world import ACCOUNT_ID, GROUP, NAME, RUN, SIDE, CosmosWorld

HOST, SIDE_HOST = f"{NAME}.documents.azure.com", f"{SIDE}.documents.azure.com"


def there(world: CosmosWorld) -> DatabaseRestore:
    return world.restore(world.order())


def test_the_new_account_has_the_data_of_the_point_and_every_setting_and_the_old_one_is_not_touched() -> None:
    world = CosmosWorld()
    before = world.settings()
    restored = there(world)
    assert (restored.stage, restored.changed_live, restored.needs_schema_repair) == (RestoreStage.DONE, True, True)
    assert (world.text(SIDE), world.text(NAME)) == ("before", "after")
    after = world.settings(SIDE)
    assert differences(before, after) == {}
    assert (after.consistency, after.backup_tier, len(after.regions)) == ("Strong", "Continuous7Days", 2)
    assert not [path for _, path, _ in world.azure.sent if f"/databaseAccounts/{NAME}/" in path or path.endswith(f"/{NAME}")]


def test_the_move_names_both_hosts_and_whom_to_ask_for_the_new_key_and_the_key_is_asked_for_only_then() -> None:
    world = CosmosWorld()
    (move,) = there(world).endpoints
    assert (move.old, move.old_port, move.new, move.new_port) == (HOST, 443, SIDE_HOST, 443)
    assert move.credential_source == f"{ACCOUNT_ID.removesuffix(NAME)}{SIDE}"
    assert not any(path.endswith("/listKeys") for _, path in world.azure.asked)
    key = world.access.primary_key(move.credential_source)
    assert key.reveal() == world.azure.accounts[SIDE].keys["primaryMasterKey"] != world.azure.accounts[NAME].keys
    with pytest.raises(InvalidRequest, match="not the resource id"):
        world.access.primary_key("/subscriptions/x")


def test_the_door_to_the_public_network_stays_shut_until_the_firewall_stands() -> None:
    world = CosmosWorld()
    there(world)
    (_, _, restore), *changes = world.azure.sent
    assert restore["properties"]["publicNetworkAccess"] == "Disabled"
    (opened,) = [body["properties"] for _, _, body in changes if "publicNetworkAccess" in body.get("properties", {})]
    assert {"ipRules", "virtualNetworkRules", "isVirtualNetworkFilterEnabled"} <= set(opened)


def test_what_has_expired_since_the_point_does_not_go_before_everything_else_is_there() -> None:
    world = CosmosWorld(ttl=60)
    there(world)
    assert world.azure.sent[0][2]["properties"]["restoreParameters"]["restoreWithTtlDisabled"] is True
    ttl = [body for _, path, body in world.azure.sent if path.endswith("/containers/history")]
    assert ttl[0]["properties"]["resource"]["defaultTtl"] == 60
    assert world.azure.sent[-1][1].endswith("/containers/history")
    without = CosmosWorld(ttl=None)
    there(without)
    assert "restoreWithTtlDisabled" not in without.azure.sent[0][2]["properties"]["restoreParameters"]


def test_consistency_is_made_strong_whatever_it_was_and_verify_reads_it_again() -> None:
    world = CosmosWorld(consistencyPolicy={"defaultConsistencyLevel": "Session"})
    restored = there(world)
    assert world.settings(SIDE).consistency == "Strong"
    world.repair_all(SIDE)
    assert failures(world.access.verify(world.order(), restored)) == ()
    world.azure.accounts[SIDE].properties["consistencyPolicy"] = {"defaultConsistencyLevel": "Session"}
    failed = {check.name: check.detail for check in failures(world.access.verify(world.order(), restored))}
    assert set(failed) == {"cosmos-consistency", "cosmos-settings"}
    assert "is Session, and ScalarDB needs Strong" in failed["cosmos-consistency"]


def test_without_the_schema_repair_verify_names_each_container_that_nobody_can_write_to() -> None:
    world = CosmosWorld()
    before, restored = world.settings(), there(world)
    assert len(script_differences(before, world.settings(SIDE))) == 5
    (failed,) = failures(world.access.verify(world.order(), restored))
    assert failed.name == "cosmos-stored-procedures"
    assert "bank/account lacks procedure mutate.js" in failed.detail
    assert "--repair-all" in failed.hint


def test_an_undo_leads_back_to_the_old_account_and_an_undo_of_it_there_again() -> None:
    world = CosmosWorld()
    order, restored = world.order(), there(world)
    undo = world.undo(order, restored)
    assert world.access.forecast(undo).source == "old copy"
    undone = world.restore(undo)
    (move,) = undone.endpoints
    assert (move.old, move.new, move.credential_source) == (SIDE_HOST, HOST, ACCOUNT_ID)
    assert (undone.needs_schema_repair, undone.items[0].kept) == (False, SIDE)
    assert failures(world.access.verify(undo, undone)) == ()
    again = world.order(run="bank-3", stamp="20261124t060000z", at=None, undo=undone)
    (move,) = world.restore(again).endpoints
    assert (move.old, move.new) == (HOST, SIDE_HOST)


def _changes(world: CosmosWorld) -> int:
    there(world)
    return len(world.azure.sent)


@pytest.mark.parametrize("after_effect", [False, True], ids=["request-lost", "answer-lost"])
@pytest.mark.parametrize("number", range(1, _changes(CosmosWorld()) + 1))
def test_a_kill_at_any_change_ends_as_an_undisturbed_run_does(number: int, after_effect: bool) -> None:
    world = CosmosWorld()
    before = world.settings()
    world.azure.kill_at, world.azure.kill_after_effect = number, after_effect
    restored = there(world)
    assert set(world.azure.accounts) == {NAME, SIDE}
    assert differences(before, world.settings(SIDE)) == {}
    assert (world.text(SIDE), restored.endpoints[0].new) == ("before", SIDE_HOST)
    asked = [path for method, path, body in world.azure.sent if method == "PUT" and "createMode" in str(body)]
    assert len(asked) <= 2


def test_a_memory_that_was_lost_between_any_two_calls_is_found_again_in_azure() -> None:
    world = CosmosWorld()
    before = world.settings()
    for _ in range(3_000):
        reached = world.access.restore(world.order(), None)
        if reached.done:
            break
        world.clock.advance(max(reached.wait_seconds, 30))
    assert reached.stage is RestoreStage.PREPARED
    assert differences(before, world.settings(SIDE)) == {}


@pytest.mark.parametrize(
    ("status", "error"), [(429, Throttled), (503, Unreachable), (403, Forbidden)], ids=["throttled", "outage", "forbidden"]
)
def test_a_refused_change_is_told_and_the_next_call_goes_on(status: int, error: type[Exception]) -> None:
    world = CosmosWorld()
    fault = Fault("refuse", SIDE, "PUT", status=status, code="AsAsked", retry_after_seconds=17)
    world.azure.faults.arm(fault)
    with pytest.raises(error, match=SIDE) as raised:
        world.prepare(world.order())
    if isinstance(raised.value, Throttled):
        assert raised.value.retry_after_seconds == 17
    there(world)


def test_a_long_running_change_that_fails_is_asked_for_again() -> None:
    world = CosmosWorld()
    world.azure.faults.arm(Fault("operation", SIDE, "PATCH", code="InternalServerError"))
    there(world)
    assert world.settings(SIDE).consistency == "Strong"


def test_a_restore_that_azure_reports_as_failed_ends_with_nothing_live_touched_and_says_what_to_delete() -> None:
    world = CosmosWorld()
    world.azure.faults.arm(Fault("operation", SIDE, "PUT", code="InternalServerError"))
    with pytest.raises(NotReady, match=f"{SIDE} is Failed. Nothing live was touched") as raised:
        world.prepare(world.order())
    assert "delete it, then go on" in raised.value.hint


def test_a_name_that_somebody_else_has_is_told_after_the_time_in_which_a_deleted_one_becomes_free() -> None:
    world = CosmosWorld()
    world.azure.provider.inventory.taken_names.add(SIDE)
    with pytest.raises(NotReady, match="already taken"):
        world.prepare(world.order())
    assert set(world.azure.accounts) == {NAME}


def test_an_account_of_the_side_name_that_this_restore_has_not_made_is_left_alone() -> None:
    world = CosmosWorld()
    world.prepare(world.order())
    other = world.order(run="another")
    with pytest.raises(NotReady, match="this restore has not made"):
        world.access.restore(other, None)
    assert "cosmos-names" in {check.name for check in failures(world.access.forecast(other).checks)}


def test_two_restores_of_one_account_at_once_are_kept_apart() -> None:
    world = CosmosWorld()
    world.access.restore(world.order(), None)
    with pytest.raises(Conflict, match=f"being restored to {SIDE} by run {RUN}"):
        world.access.restore(world.order(run="other", stamp="20261124t070000z"), None)


def test_a_deleted_account_comes_back_from_its_backups_with_the_settings_of_the_point() -> None:
    world = CosmosWorld()
    before, protection = world.settings(), world.protect()
    world.client.database_accounts.begin_delete(GROUP, NAME, polling=False)
    world.later(1)
    with pytest.raises(NotReady, match="no restore point says which one it was"):
        world.prepare(world.order())
    restored = world.restore(world.order(protection))
    assert differences(before, world.settings(SIDE)) == {}
    assert (world.text(SIDE), restored.endpoints[0].old, restored.items[0].kept) == ("before", HOST, "")


def test_containers_made_and_deleted_since_the_point_are_said() -> None:
    world = CosmosWorld()
    world.add_container("bank", "newer")
    world.client.sql_resources.begin_delete_sql_container(GROUP, NAME, "coordinator", "state", polling=False)
    world.later(1)
    forecast = world.access.forecast(world.order())
    assert "Containers created after the point: bank/newer." in forecast.loses
    assert "Containers deleted since the point: coordinator/state." in forecast.puts_back
    restored = there(world)
    assert restored.items[0].note == (
        "Created after the point, so not restored: bank/newer. Deleted since the point, restored: coordinator/state."
    )
    assert "coordinator/state" in {item.path for item in world.settings(SIDE).containers}


@pytest.mark.parametrize("hours", [-3, 24 * 8])
def test_a_point_out_of_reach_is_a_failed_check_and_refused(hours: int) -> None:
    world = CosmosWorld()
    if hours > 0:
        world.later(hours)
    order = world.order() if hours > 0 else world.order(at=world.point.replace(hour=world.point.hour + hours))
    (failed,) = failures(world.access.forecast(order).checks)
    assert failed.name == "cosmos-source"
    with pytest.raises(NotReady, match="Nothing live was touched"):
        world.prepare(order)


def test_a_point_that_is_not_restorable_yet_is_waited_for() -> None:
    world = CosmosWorld()
    order = world.order(at=world.clock.now().replace(microsecond=0))
    forecast = world.access.forecast(order)
    assert ("cosmos-recovery-lag", CheckStatus.WARNING) in {(check.name, check.status) for check in forecast.checks}
    assert forecast.ready_at is not None
    world.restore(order)
    assert world.text(SIDE) == "after"


def test_a_forecast_says_the_same_until_something_changes_and_changes_nothing() -> None:
    world = CosmosWorld()
    first = world.access.forecast(world.order())
    world.later(1)
    assert world.access.forecast(world.order()).observed == first.observed
    assert world.azure.sent == []
    world.azure.accounts[NAME].properties["ipRules"] = []
    assert world.access.forecast(world.order()).observed != first.observed
    assert f"{SIDE} is made by point-in-time recovery of {NAME}" in first.steps[0]
    assert first.keeps == (NAME,)
    assert first.estimate_seconds > 0


def test_side_by_side_nothing_live_is_touched_and_a_discard_deletes_the_copy_only() -> None:
    world = CosmosWorld()
    order = world.order(target=Target.SIDE_BY_SIDE)
    restored = world.prepare(order)
    assert (restored.stage, restored.changed_live, restored.endpoints) == (RestoreStage.DONE, False, ())
    assert SIDE_HOST in restored.items[0].note
    world.discard(order, restored)
    assert set(world.azure.accounts) == {NAME}


def test_a_discard_of_a_restore_that_was_given_up_deletes_what_it_made_unless_a_release_is_led_to_it() -> None:
    world = CosmosWorld()
    prepared = world.prepare(world.order())
    with pytest.raises(NotReady, match=f"{SIDE} is not deleted: the properties of a release lead to its endpoint"):
        world.access.discard(world.order(storages=world.storages(SIDE)), prepared)
    world.discard(world.order(), prepared)
    assert set(world.azure.accounts) == {NAME}


def test_a_discard_after_a_restore_leaves_the_owners_account_and_says_so() -> None:
    world = CosmosWorld()
    done = world.discard(world.order(), there(world))
    assert set(world.azure.accounts) == {NAME, SIDE}
    assert "bank bears no name of this restore and is not deleted" in done.message


def test_every_right_that_is_used_is_listed_and_none_beside_it() -> None:
    world = CosmosWorld()
    world.access.check(world.database, world.storages())
    world.protect()
    checking = {action for action in world.azure.actions if "restorable" not in action and "/locations/" not in action}
    world.azure.accounts[NAME].contents.databases["bank"].containers["history"].throughput = {"throughput": 900}
    restored = there(world)
    world.access.primary_key(restored.endpoints[0].credential_source)
    restoring = {action for action in world.azure.actions if "/locations/" not in action}
    assert checking == set(CHECK_ACTIONS)
    assert restoring <= {*RESTORE_ACTIONS, *LINKED_ACTIONS, *LEAD_ACTIONS}
    located = {action for action in world.azure.actions if "/locations/" in action}
    assert {action for action in located if not action.endswith("restorableSqlResources/read")} <= set(SUBSCRIPTION_ACTIONS)
    assert "Microsoft.DocumentDB/databaseAccounts/delete" in DISCARD_ACTIONS
