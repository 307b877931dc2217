"""Restores of a DB instance: aside first, names then, an undo as a restore; killed anywhere, or in a strange world."""

from __future__ import annotations

from typing import Any

import pytest

from shared.databases.rds.actions import (
    CHECK_ACTIONS,
    DISCARD_ACTIONS,
    PASS_ROLE_ACTIONS,
    RESTORE_ACTIONS,
)
from shared.databases.rds.instance_compare import differences
from shared.model.checks import CheckStatus, failures
from shared.model.errors import Conflict, Forbidden, NotReady, Temporary
from shared.model.plan import CutOver
from shared.model.records import replace
from shared.model.restore import DatabaseRestore, RestoreStage, Target
from shared.model.storage import ReleaseStorage, Storage
from tests.unit.databases.fake_rds import _OPERATIONS, SUFFIX
from tests.unit.databases.rds_world import FULL, NAME, OLD, SIDE, RdsWorld

READS = ("describe_",)


def there_and_back(world: RdsWorld) -> tuple[DatabaseRestore, DatabaseRestore]:
    order = world.order()
    restored = world.restore(order)
    undone = world.restore(world.undo(order, restored))
    return restored, undone


def test_the_restored_instance_takes_the_name_and_every_setting() -> None:
    world = RdsWorld()
    before = world.settings()
    restored = world.restore(world.order())
    assert (restored.stage, restored.changed_live, restored.endpoints) == (RestoreStage.DONE, True, ())
    assert world.account.names() == {NAME: "first", OLD: "second"}
    assert differences(before, world.settings()) == {}
    assert restored.items[0].kept == OLD
    assert {check.status for check in world.access.verify(world.order(), restored)} == {CheckStatus.OK}


def test_two_instances_of_one_run_each_get_their_own_data() -> None:
    world = RdsWorld()
    world.account.add("payments", "payments first", **FULL)
    world.clock.advance(7200)
    point = world.clock.now().replace(microsecond=0)
    world.clock.advance(600)
    for name in (NAME, "payments"):
        world.account.write(name, "lost")
    world.clock.advance(600)
    orders = [world.order(at=point, database=replace(world.database, instance=name)) for name in ("payments", NAME)]
    prepared = [world.prepare(order) for order in orders]
    for order, reached in zip(orders, prepared, strict=True):
        world.cut_over(order, reached)
    assert (world.account.named("payments").data, world.account.named(NAME).data) == ("payments first", "second")


def test_nothing_live_is_touched_before_the_cut_over_and_the_promise_comes_before_the_first_change() -> None:
    world = RdsWorld()
    before = world.settings()
    prepared = world.prepare(world.order())
    assert (prepared.stage, prepared.changed_live) == (RestoreStage.PREPARED, False)
    assert replace(world.settings(), taken_at=before.taken_at) == before
    world.account.asked.clear()
    promised = world.access.cut_over(world.order(), prepared)
    assert (promised.changed_live, promised.done) == (True, False)
    assert {name for name, _ in world.account.asked} == {"describe_db_instances"}


def test_an_undo_brings_the_old_data_back_and_keeps_the_restored_and_an_undo_of_it_goes_there_again() -> None:
    world = RdsWorld()
    restored, undone = there_and_back(world)
    kept = undone.items[0].kept
    assert world.account.names() == {NAME: "second", kept: "first"}
    again = world.order(run="orders-20261124T060000Z-1", stamp="20261124t060000z", at=None, undo=undone)
    world.restore(again)
    assert world.account.names() == {NAME: "first", f"{NAME}-old20261124t060000z": "second"}
    assert restored.items[0].kept == OLD


def _changing_calls(world: RdsWorld) -> list[int]:
    there_and_back(world)
    numbered = enumerate((name for name, _ in world.account.asked), start=1)
    return [number for number, name in numbered if not name.startswith(READS)]


CHANGES = _changing_calls(RdsWorld())


@pytest.mark.parametrize("after_effect", [False, True], ids=["request-lost", "answer-lost"])
@pytest.mark.parametrize("number", CHANGES)
def test_a_kill_at_any_change_ends_as_an_undisturbed_run_does(number: int, after_effect: bool) -> None:
    undisturbed, killed = RdsWorld(), RdsWorld()
    there_and_back(undisturbed)
    killed.account.kill_at, killed.account.kill_after_effect = number, after_effect
    there_and_back(killed)
    assert killed.account.names() == undisturbed.account.names()
    assert differences(undisturbed.settings(), killed.settings()) == {}
    assert killed.account.calls["restore_db_instance_to_point_in_time"] <= 2
    assert len(killed.account.history) == 2


@pytest.mark.parametrize("code", ["Throttling", "InternalFailure", "AccessDenied"])
def test_a_failed_call_is_told_and_the_next_one_goes_on(code: str) -> None:
    world = RdsWorld()
    prepared = world.prepare(world.order())
    promised = world.access.cut_over(world.order(), prepared)
    world.account.faults["modify_db_instance"] = [code]
    with pytest.raises((Forbidden, Temporary), match="rds:ModifyDBInstance on orders"):
        world.access.cut_over(world.order(), promised)
    world.cut_over(world.order(), promised)
    assert world.account.names() == {NAME: "first", OLD: "second"}


@pytest.mark.parametrize("stop", range(1, 12))
def test_a_cut_over_halted_anywhere_can_be_undone(stop: int) -> None:
    """Each call is followed by an hour in which whatever was begun ends, so the numbers are the states a halt leaves."""
    world = RdsWorld()
    order = world.order()
    reached = world.prepare(order)
    for _ in range(stop):
        reached = world.access.cut_over(order, reached)
        world.later(1)
        if reached.done:
            break
    world.restore(world.undo(order, reached))
    assert world.account.names()[NAME] == "second"
    assert sorted(world.account.names().values()) == ["first", "second"]


def test_the_old_name_that_is_not_free_yet_is_waited_for() -> None:
    world = RdsWorld()
    world.account.name_free_seconds = 3 * 3600
    world.restore(world.order())
    assert world.account.names() == {NAME: "first", OLD: "second"}


def test_a_deleted_instance_comes_back_from_its_retained_backups_with_the_settings_of_the_point() -> None:
    world = RdsWorld()
    before, protection = world.settings(), world.protect()
    world.account.named(NAME).settings["DeletionProtection"] = False
    world.account.call(
        "delete_db_instance", {"DBInstanceIdentifier": NAME, "SkipFinalSnapshot": True, "DeleteAutomatedBackups": False}
    )
    world.later(1)
    restored = world.restore(world.order(protection))
    assert world.account.names() == {NAME: "first"}
    assert differences(before, world.settings()) == {}
    with pytest.raises(NotReady, match="nothing to go back to"):
        world.prepare(world.undo(world.order(), restored))


def test_without_live_instance_and_restore_point_the_retained_backups_are_named() -> None:
    world = RdsWorld()
    world.account.named(NAME).settings["DeletionProtection"] = False
    world.account.call(
        "delete_db_instance", {"DBInstanceIdentifier": NAME, "SkipFinalSnapshot": True, "DeleteAutomatedBackups": False}
    )
    world.later(1)
    (problem,) = failures(world.access.forecast(world.order()).checks)
    assert "Retained automated backups of it: db-0001" in problem.detail


def test_a_point_before_an_earlier_restore_comes_from_the_instance_that_had_it() -> None:
    world = RdsWorld()
    protection = world.protect()
    world.restore(world.order())
    world.later(2)
    again = world.order(protection, run="orders-20261124T090000Z-1", stamp="20261124t090000z")
    assert failures(world.access.forecast(again).checks) == ()
    world.restore(again)
    assert world.account.names()[NAME] == "first"
    (_, given) = [one for one in world.account.asked if one[0] == "restore_db_instance_to_point_in_time"][-1]
    assert given["SourceDBInstanceIdentifier"] == OLD


def test_with_endpoint_nothing_is_renamed() -> None:
    world = RdsWorld()
    world.database = replace(world.database, cut_over=CutOver.ENDPOINT)
    order = world.order()
    restored = world.restore(order)
    (move,) = restored.endpoints
    assert (move.old, move.new, move.new_port) == (f"{NAME}.{SUFFIX}", f"{SIDE}.{SUFFIX}", 3307)
    assert world.account.names() == {NAME: "second", SIDE: "first"}
    undone = world.restore(world.undo(order, restored))
    assert (undone.endpoints[0].old, undone.endpoints[0].new) == (move.new, move.old)
    assert "delete it by hand" in world.discard(order, restored).message
    assert set(world.account.names()) == {NAME, SIDE}


def test_an_endpoint_that_changes_with_the_instance_is_said_and_moved() -> None:
    world = RdsWorld()
    order = world.order()
    prepared = world.prepare(order)
    item = prepared.items[0]
    elsewhere = replace(prepared, items=(replace(item, settings={**item.settings, "endpoint": f"{NAME}.elsewhere"}),))
    restored = world.cut_over(order, elsewhere)
    assert restored.endpoints[0].old == f"{NAME}.elsewhere"
    checks = {check.name: check.status for check in world.access.verify(order, restored)}
    assert checks["rds-endpoint"] is CheckStatus.WARNING


def test_side_by_side_is_done_with_the_copy() -> None:
    world = RdsWorld()
    order = world.order(target=Target.SIDE_BY_SIDE)
    restored = world.prepare(order)
    assert restored.stage is RestoreStage.DONE
    assert world.account.names() == {NAME: "second", SIDE: "first"}
    assert {check.status for check in world.access.verify(order, restored)} == {CheckStatus.OK}
    world.discard(order, restored)
    assert world.account.names() == {NAME: "second"}


def test_an_instance_that_does_not_say_what_it_was_restored_to_is_not_called_verified() -> None:
    world = RdsWorld()
    order = world.order()
    restored = world.restore(order)
    found = world.account.named(NAME)
    found.settings["TagList"] = [tag for tag in found.settings["TagList"] if not tag["Key"].endswith("point")]
    assert "rds-data" in {problem.name for problem in failures(world.access.verify(order, restored))}


def test_discard_takes_the_deletion_protection_off_and_retains_the_old_ones_backups() -> None:
    world = RdsWorld()
    order = world.order()
    world.discard(order, world.restore(order))
    assert world.account.names() == {NAME: "first"}
    assert [one.data for one in world.account.retained] == ["second"]


@pytest.mark.parametrize("after_effect", [False, True])
@pytest.mark.parametrize("number", range(1, 8))
def test_a_discard_killed_anywhere_deletes_the_old_copy_and_nothing_else(number: int, after_effect: bool) -> None:
    world = RdsWorld()
    order = world.order()
    restored = world.restore(order)
    world.account.kill_at, world.account.kill_after_effect = world.account.calls.total() + number, after_effect
    world.discard(order, restored)
    assert world.account.names() == {NAME: "first"}


def test_discard_in_the_middle_of_a_cut_over_is_refused() -> None:
    world = RdsWorld()
    order = world.order()
    reached = world.access.cut_over(order, world.prepare(order))
    world.access.cut_over(order, reached)
    world.later(1)
    with pytest.raises(NotReady, match="half done, so nothing is deleted"):
        world.access.discard(order, reached)
    assert len(world.account.names()) == 2


def test_what_a_release_leads_to_is_never_deleted() -> None:
    world = RdsWorld()
    url = Storage(name="default", kind="jdbc", contact_point=f"jdbc:mysql://{OLD}.{SUFFIX}:3307/")
    order = world.order(storages=(ReleaseStorage(release="prod/orders", source="ConfigMap", storages=(url,)),))
    restored = world.restore(order)
    with pytest.raises(NotReady, match="properties of a release lead to its endpoint"):
        world.access.discard(order, restored)


def test_an_old_name_borne_by_a_stranger_is_not_deleted() -> None:
    world = RdsWorld()
    order = world.order()
    restored = world.restore(order)
    world.account.instances.remove(world.account.named(OLD))
    world.account.add(OLD, "strange")
    world.discard(order, restored)
    assert world.account.names() == {NAME: "first", OLD: "strange"}


def test_a_taken_side_name_is_refused() -> None:
    world = RdsWorld()
    world.account.add(SIDE, "strange")
    assert [check.name for check in failures(world.access.forecast(world.order()).checks)] == ["rds-names"]
    with pytest.raises(NotReady, match="Nothing live was touched"):
        world.access.restore(world.order(), None)


def test_a_taken_old_name_stops_the_cut_over_before_anything_live_is_touched() -> None:
    world = RdsWorld()
    prepared = world.prepare(world.order())
    world.account.add(OLD, "strange")
    with pytest.raises(NotReady, match="is not the replaced one"):
        world.access.cut_over(world.order(), prepared)
    assert world.account.names()[NAME] == "second"


def test_a_live_instance_that_was_exchanged_meanwhile_is_not_renamed() -> None:
    world = RdsWorld()
    prepared = world.prepare(world.order())
    world.account.named(NAME).name = "elsewhere"
    world.account.add(NAME, "strange")
    with pytest.raises(NotReady, match="is another DB instance"):
        world.access.cut_over(world.order(), prepared)


def test_a_restored_instance_that_vanished_is_not_cut_over_to() -> None:
    world = RdsWorld()
    prepared = world.prepare(world.order())
    world.account.instances.remove(world.account.named(SIDE))
    with pytest.raises(NotReady, match="does not exist any more"):
        world.access.cut_over(world.order(), prepared)
    assert world.account.names() == {NAME: "second"}


def test_another_run_at_the_same_instance_is_a_conflict() -> None:
    world = RdsWorld()
    world.access.restore(world.order(run="other-20261124T035900Z-1", stamp="20261124t035900z"), None)
    with pytest.raises(Conflict, match="made by run other-20261124T035900Z-1"):
        world.access.restore(world.order(), None)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("InstanceQuotaExceeded", "quota of DB instances"),
        ("StorageQuotaExceeded", "quota of total storage"),
        ("InsufficientDBInstanceCapacity", "no capacity"),
        ("DBParameterGroupNotFound", "the parameter group of its settings does not exist"),
        ("KMSKeyNotAccessibleFault", "its KMS key cannot be used"),
    ],
)
def test_what_refuses_the_restore_is_said_in_words(code: str, said: str) -> None:
    world = RdsWorld()
    world.account.faults["restore_db_instance_to_point_in_time"] = [code]
    with pytest.raises(NotReady, match=said):
        world.access.restore(world.order(), None)


@pytest.mark.parametrize("status", ["failed", "incompatible-parameters", "storage-full"])
def test_a_replacement_that_gets_stuck_is_told(status: str) -> None:
    world = RdsWorld()
    reached = world.access.restore(world.order(), None)
    world.later(2)
    world.account.named(SIDE).rest = status
    with pytest.raises(NotReady, match=f"{SIDE} is {status}. Nothing live was touched"):
        world.access.restore(world.order(), reached)


@pytest.mark.parametrize("field", [{"Timezone": "Tokyo"}, {"CharacterSetName": "JA16SJIS"}, {"KmsKeyId": "arn:other"}])
def test_what_no_restore_can_change_is_refused_beforehand_by_name(field: dict[str, Any]) -> None:
    world = RdsWorld()
    protection = world.protect()
    world.account.named(NAME).settings.update(field)
    found = failures(world.access.forecast(world.order(protection)).checks)
    assert [check.name for check in found] == ["rds-bound-to-data"]


def test_a_custom_engine_is_refused_by_name() -> None:
    world = RdsWorld(Engine="custom-oracle-ee")
    (problem,) = failures(world.access.forecast(world.order()).checks)
    assert "custom-oracle-ee: RDS Custom" in problem.detail


def test_the_forecast_says_what_is_lost_kept_and_how_long_it_takes() -> None:
    world = RdsWorld(ReadReplicaDBInstanceIdentifiers=["orders-reader"], ActivityStreamKinesisStreamName="audit")
    forecast = world.access.forecast(world.order())
    assert failures(forecast.checks) == ()
    assert forecast.source == "point-in-time recovery"
    assert forecast.keeps == (OLD,)
    assert any("orders-reader" in text for text in forecast.loses)
    assert any("audit" in text for text in forecast.loses)
    assert forecast.estimate_seconds > 40 * 60
    assert "2 renames" in forecast.estimate_basis


def test_the_observed_state_stays_while_time_goes_by_and_differs_when_the_world_does() -> None:
    world = RdsWorld()
    first = world.access.forecast(world.order()).observed
    world.later(1)
    assert world.access.forecast(world.order()).observed == first
    world.account.named(NAME).settings["DBInstanceClass"] = "db.r6g.xlarge"
    assert world.access.forecast(world.order()).observed != first


def test_a_point_that_is_not_restorable_yet_is_waited_for() -> None:
    world = RdsWorld()
    world.account.lag = 5_000
    forecast = world.access.forecast(world.order())
    assert failures(forecast.checks) == ()
    assert forecast.ready_at is not None
    assert "waiting until" in world.access.restore(world.order(), None).message
    assert world.prepare(world.order()).stage is RestoreStage.PREPARED


def test_only_the_actions_that_the_policies_allow_are_called() -> None:
    world = RdsWorld()
    order = world.order()
    restored = world.restore(order)
    world.access.forecast(order)
    world.access.verify(order, restored)
    used = {f"rds:{_OPERATIONS[name]}" for name in world.account.calls}
    assert used <= {*CHECK_ACTIONS, *RESTORE_ACTIONS, *PASS_ROLE_ACTIONS}
    world.account.calls.clear()
    world.discard(order, restored)
    assert {f"rds:{_OPERATIONS[name]}" for name in world.account.calls} == set(DISCARD_ACTIONS)
