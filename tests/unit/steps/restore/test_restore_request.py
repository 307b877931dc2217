"""What a person pastes into the console, and what comes back."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from shared.model.checks import failed
from shared.model.errors import Conflict, InvalidRequest, NotReady, UnknownPoint, UnknownRun
from shared.model.plan import CutOver
from shared.model.records import replace
from shared.model.restore_point import PointPhase
from shared.model.run import Cause
from tests.unit.steps.restore.engine import RestoreEngine
from tests.unit.steps.restore.stores import not_ready
from tests.unit.steps.restore.world import AURORA, LEDGER, POINT_AT, POINT_ID, RDS, TABLES, RestoreWorld

ASKED = {"action": "restore", "plan": "orders-prod"}


@pytest.fixture
def world() -> RestoreWorld:
    return RestoreWorld()


@pytest.fixture
def engine(world: RestoreWorld) -> RestoreEngine:
    return RestoreEngine(world)


async def test_a_plan_says_what_will_happen_and_which_payload_confirms_it(engine: RestoreEngine) -> None:
    answer = await engine.ask(**ASKED)
    json.dumps(answer)
    assert answer["restore_point"] == POINT_ID
    assert answer["databases"][RDS.key]["steps"] == ["a new instance is made", "the names are swapped"]
    assert answer["databases"][RDS.key]["takes"] == "about 25 min"
    assert answer["outage"].startswith("about 28 min")
    assert answer["keep_old"].startswith("72h: until then this can be undone")
    plan_id = answer["plan_id"]
    wanted = {"action": "restore", "plan": "orders-prod", "plan_id": plan_id, "confirm": "restore orders-prod"}
    assert answer["confirm_with"] == wanted
    assert engine.world.started.given == {}, "a plan starts nothing"


async def test_names_in_the_plan_are_those_that_the_restore_will_give(engine: RestoreEngine, world: RestoreWorld) -> None:
    first = await engine.ask(**ASKED)
    world.clock.advance(60)
    again = await engine.ask(**ASKED)
    assert again["databases"] == first["databases"]
    assert again["run"] == first["run"]
    await engine.execute(await engine.ask(**again["confirm_with"]))
    for key, store in world.stores.items():
        if not store.live.startswith("ledger"):
            assert again["databases"][key]["keeps"][0] in store.copies


async def test_the_same_confirmation_twice_starts_one_execution(engine: RestoreEngine, world: RestoreWorld) -> None:
    payload = (await engine.ask(**ASKED))["confirm_with"]
    first = await engine.ask(**payload)
    assert await engine.ask(**payload) == first
    assert len(world.started.given) == 1
    assert first["console"].startswith("https://console/")


async def test_a_confirmation_of_what_is_over_is_refused_with_the_run(engine: RestoreEngine) -> None:
    payload = (await engine.ask(**ASKED))["confirm_with"]
    started = await engine.ask(**payload)
    await engine.execute(started)
    with pytest.raises(Conflict, match=f"{started['run']} is succeeded"):
        await engine.ask(**payload)


async def test_dry_run_confirms_nothing(engine: RestoreEngine, world: RestoreWorld) -> None:
    payload = (await engine.ask(**ASKED))["confirm_with"]
    answer = await engine.ask(**payload, dry_run=True)
    assert answer["plan_id"] == payload["plan_id"]
    assert world.started.given == {}


async def test_a_world_that_has_drifted_is_refused_with_the_differences(engine: RestoreEngine, world: RestoreWorld) -> None:
    payload = (await engine.ask(**ASKED))["confirm_with"]
    world.stores[RDS.key].observed = {"status": "modifying", "class": "db.r6g.large"}
    world.apps.replicas_of[LEDGER.key] = 4
    with pytest.raises(Conflict) as caught:
        await engine.ask(**payload)
    assert f"{RDS.key} status was available and is modifying" in caught.value.message
    assert f"{RDS.key} class was absent and is db.r6g.large" in caught.value.message
    assert f"replicas {LEDGER.key} was 2 and is 4" in caught.value.message


async def test_at_most_ten_differences_are_listed(engine: RestoreEngine, world: RestoreWorld) -> None:
    payload = (await engine.ask(**ASKED))["confirm_with"]
    world.stores[TABLES.key].observed = {f"table-{number:02}": "new" for number in range(30)}
    with pytest.raises(Conflict, match="and 21 more"):
        await engine.ask(**payload)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"confirm": "yes"}, "it must be 'restore orders-prod'"),
        ({"plan_id": "0123456789abcdef"}, "has no restore plan"),
        ({"target": "side-by-side"}, "'target' is not as in plan"),
        ({"keep_old": "1h"}, "'keep_old' is not as in plan"),
        ({"action": "undo", "run": POINT_ID}, "is a backup"),
    ],
)
async def test_a_confirmation_of_something_else_is_refused(
    engine: RestoreEngine, changes: dict[str, Any], message: str
) -> None:
    payload = (await engine.ask(**ASKED))["confirm_with"]
    with pytest.raises(InvalidRequest, match=message):
        await engine.ask(**(payload | changes))


async def test_a_confirmation_without_a_plan_id_says_how_to_get_one(engine: RestoreEngine) -> None:
    with pytest.raises(InvalidRequest, match="needs the 'plan_id'"):
        await engine.ask(**ASKED, confirm="restore orders-prod")


async def test_a_plan_with_a_failed_check_has_nothing_to_confirm_and_says_why(
    engine: RestoreEngine, world: RestoreWorld
) -> None:
    payload = (await engine.ask(**ASKED))["confirm_with"]
    world.stores[RDS.key].checks = (failed("quota", RDS.key, "40 of 40 DB instances are in use.", "Raise L-7B6409FD."),)
    answer = await engine.ask(**ASKED)
    assert not answer["ok"]
    assert "confirm_with" not in answer
    assert answer["problems"] == [f"{RDS.key}: 40 of 40 DB instances are in use. Raise L-7B6409FD."]
    with pytest.raises(NotReady, match="40 of 40"):
        await engine.ask(**payload)


async def test_a_database_that_does_not_answer_is_a_failed_check(engine: RestoreEngine, world: RestoreWorld) -> None:
    world.stores[RDS.key].problems["forecast"] = not_ready("No instance orders-db; orders-db-2 bears its DbiResourceId.")
    answer = await engine.ask(**ASKED)
    assert answer["problems"] == [f"{RDS.key}: No instance orders-db; orders-db-2 bears its DbiResourceId. Mend it."]


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        ({"action": "restore", "plan": "orders-prod", "restorepoint": "latest"}, "Did you mean 'restore_point'"),
        ({"action": "destroy"}, "no action 'destroy'"),
        ({"action": "restore"}, "no 'plan'"),
        ({**ASKED, "target": "elsewhere"}, "in-place, side-by-side"),
        ({**ASKED, "keep_old": "three days"}, "is not a duration"),
        ({**ASKED, "unsafe": ["everything"]}, "inconsistent-time, partial"),
        ({**ASKED, "unsafe": "partial"}, "not a list"),
        ({**ASKED, "databases": ["rds:ap-northeast-1:order-db"]}, "Did you mean 'rds:ap-northeast-1:orders-db'"),
        ({**ASKED, "databases": [RDS.key]}, "takes their common point away"),
        ({**ASKED, "dry_run": "yes"}, "not true or false"),
        ({**ASKED, "restore_point": "2026-11-23T03:00:14"}, "has no offset"),
        ({**ASKED, "restore_point": "2026-11-23T03:00:14.5Z"}, "fraction of a second"),
        ({**ASKED, "restore_point": "2036-11-23T03:00:14Z"}, "in the future"),
        ({"action": "undo", "run": POINT_ID}, "is a backup, not a restore"),
        ({"action": "continue", "run": POINT_ID}, "is a backup, not a restore"),
    ],
)
async def test_a_wrong_payload_is_refused_with_what_is_wrong(
    engine: RestoreEngine, payload: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        await engine.ask(**payload)
    assert message in str(caught.value)
    assert engine.world.started.given == {}


async def test_an_unknown_point_or_run_is_refused_with_those_that_exist(engine: RestoreEngine) -> None:
    with pytest.raises(UnknownPoint, match=POINT_ID):
        await engine.ask(**ASKED, restore_point="orders-prod-20261122T025900Z-0a0b0c0d")
    with pytest.raises(UnknownRun):
        await engine.ask(action="undo", run="orders-prod-20261122T025900Z-0a0b0c0d")


async def test_a_time_inside_the_second_of_a_point_is_that_point(engine: RestoreEngine) -> None:
    answer = await engine.ask(**ASKED, restore_point="2026-11-23T12:00:14+09:00")
    assert answer["restore_point"] == POINT_ID


async def test_another_time_is_refused_for_several_databases_and_names_the_nearest_points(engine: RestoreEngine) -> None:
    with pytest.raises(InvalidRequest) as caught:
        await engine.ask(**ASKED, restore_point="2026-11-23T05:00:00Z")
    assert "halves of transactions" in caught.value.message
    assert POINT_ID in caught.value.hint
    assert "inconsistent-time" in caught.value.hint


async def test_with_the_unsafe_word_it_is_planned_and_the_risk_is_said(engine: RestoreEngine) -> None:
    answer = await engine.ask(**ASKED, restore_point="2026-11-23T05:00:00Z", unsafe=["inconsistent-time"])
    assert answer["at"] == "2026-11-23T05:00:00Z"
    assert answer["restore_point"] == ""
    assert "come back in halves" in answer["risks"][0]


async def test_a_single_relational_database_can_go_back_to_any_time() -> None:
    world = RestoreWorld(databases=(RDS,))
    at = POINT_AT + timedelta(hours=2)
    world.stores[RDS.key].history[at] = "two hours later"
    ended, run = await RestoreEngine(world).restore(restore_point=at.isoformat())
    assert (ended, run.point, world.reads()) == ("SUCCEEDED", None, {RDS.key: "two hours later"})


async def test_a_subset_in_place_takes_the_unsafe_word_and_the_risk_is_said(engine: RestoreEngine, world: RestoreWorld) -> None:
    answer = await engine.ask(**ASKED, databases=[RDS.key], unsafe=["partial"])
    assert "others stay as they are" in answer["risks"][0]
    await engine.execute(await engine.ask(**answer["confirm_with"]))
    assert world.reads() == {key: "good" if key == RDS.key else "spoilt" for key in world.stores}


async def test_a_captured_point_says_when_it_becomes_restorable(engine: RestoreEngine, world: RestoreWorld) -> None:
    world.put_point(POINT_ID, POINT_AT, PointPhase.CAPTURED)
    world.stores[RDS.key].ready_at = world.clock.now() + timedelta(minutes=5)
    answer = await engine.ask(**ASKED, restore_point=POINT_ID)
    assert "It becomes restorable at about 2026-11-23T18:05:00" in answer["problems"][0]
    world.stores[RDS.key].ready_at = None
    answer = await engine.ask(**ASKED, restore_point=POINT_ID)
    assert "still being protected" in answer["problems"][0]


@pytest.mark.parametrize("phase", [PointPhase.EXPIRED, PointPhase.INVALID])
async def test_a_point_that_can_never_be_restored_is_refused_with_its_cause(
    engine: RestoreEngine, world: RestoreWorld, phase: PointPhase
) -> None:
    world.put_point(POINT_ID, POINT_AT, phase)
    point = world.stored.point("orders-prod", POINT_ID)
    world.stored.put_point(replace(point, cause=Cause(code="x", message="Beyond the recovery window.")))
    with pytest.raises(InvalidRequest, match=f"is {phase.value} and cannot be restored. Beyond the recovery window"):
        await engine.ask(**ASKED, restore_point=POINT_ID)


async def test_latest_stays_what_it_was_when_the_plan_was_made(engine: RestoreEngine, world: RestoreWorld) -> None:
    payload = (await engine.ask(**ASKED))["confirm_with"]
    world.put_point("orders-prod-20261123T175900Z-0a0b0c0d", POINT_AT + timedelta(hours=12))
    started = await engine.ask(**payload)
    assert await engine.execute(started) == "SUCCEEDED"
    assert world.stored.run(started["run"]).point == POINT_ID


async def test_status_tells_how_far_every_database_is_and_what_comes_next(engine: RestoreEngine) -> None:
    _, run = await engine.restore()
    answer = await engine.ask(action="status", plan="orders-prod")
    json.dumps(answer)
    assert (answer["run"], answer["status"], answer["phase"]) == (run.id, "succeeded", "finished")
    assert {item["stage"] for item in answer["databases"].values()} == {"done"}
    assert f'"run": "{run.id}"' in answer["next"]


async def test_an_undo_whose_copies_are_gone_is_refused(engine: RestoreEngine, world: RestoreWorld) -> None:
    _, run = await engine.restore(keep_old="1h")
    world.clock.advance(3601)
    with pytest.raises(InvalidRequest, match="cannot be brought back any more"):
        await engine.ask(action="undo", run=run.id)


async def test_an_undo_of_what_is_undone_names_who_did_it(engine: RestoreEngine, world: RestoreWorld) -> None:
    _, run = await engine.restore()
    _, second = await engine.undo(run.id)
    with pytest.raises(InvalidRequest, match=f"undone already, by {second.id}"):
        await engine.ask(action="undo", run=run.id)


async def test_an_endpoint_that_no_release_names_cannot_be_led_and_fails_by_the_name_of_its_database() -> None:
    unnamed = replace(RDS, cut_over=CutOver.ENDPOINT)
    engine = RestoreEngine(RestoreWorld(databases=(TABLES, unnamed, AURORA)))
    answer = await engine.ask(**ASKED)
    (problem,) = answer["problems"]
    assert unnamed.key in problem
    assert "no release names its endpoint" in problem
