"""Restores that cannot be, are disturbed, die half way, or meet somebody else: what is said, that nothing is lost, and how it
goes on. On one RDS instance, whose restore is the shortest; a test leaves the bank as it found it.

Every call of every step killed, for every database, is in tests/unit/steps/restore and tests/unit/databases.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from infra.sandbox import bank_worlds
from infra.sandbox.bank import damage
from infra.sandbox.bank.layouts import fingerprint, on_relational
from infra.sandbox.cluster.api.resources import DEPLOYMENTS
from infra.sandbox.world import NAMESPACE, STACK
from shared.cli.engine import Execution
from shared.databases.rds.names import side_name
from shared.model.records import replace
from shared.model.restore import RestorePhase, RestoreRecord
from shared.model.restore_point import PointPhase
from shared.model.run import Cause, Run, RunStatus
from shared.model.times import iso
from shared.steps import evidence
from shared.steps.restore.record import RECORD, load_record
from tests.scenarios.deployment import Deployment, eventually
from tests.scenarios.restore.scene import LONGEST_SECONDS, Bank, bank_of, succeeded

pytestmark = [
    pytest.mark.extended,
    pytest.mark.stand_in_only(reason="it is about RDS and the machine"),
    pytest.mark.timeout(LONGEST_SECONDS),
]

NAME = "bad-days"
PATIENT = 3.0
"""Seconds that a restore takes when something has to happen meanwhile."""
STEPS = {
    "restore_begin": "-run",
    "restore_check": "-restore",
    "restore_stop": "-applications",
    "restore_prepare": "-databases",
    "restore_cut_over": "-databases",
    "restore_lead": "-applications",
    "restore_start": "-applications",
    "restore_verify": "-databases",
    "restore_publish": "-run",
}
"""Each step with the end of its function's name."""
LATEST_DEATH_SECONDS = 0.1
SEED = 20261124


@dataclass(frozen=True)
class Scene:
    bank: Bank
    point: str
    kept: str
    """Fingerprint at the point."""


@pytest.fixture(scope="module")
def shared_scene(shared_deployment: Deployment) -> Iterator[Scene]:
    with shared_deployment.world.environment():
        aws = shared_deployment.world.aws
        layout, release = on_relational(bank_worlds.create_instance(aws, NAME, "mysql"))
        database = {"rds": {"instance": NAME, "region": aws.region}}
        bank = bank_of(shared_deployment, NAME, layout, {NAME: release}, [database], workers=0)
        bank.until_ready()
        kept = bank.fingerprint()
        point = bank.backed_up().point
        assert point is not None
        lose_rows(bank)
        yield Scene(bank, point, kept)


def lose_rows(bank: Bank) -> None:
    """Always the same, so that a bank that was restored is damaged again as it was."""
    damage.overwrite_rows(bank.live, "bank.savings", balance=7)


@pytest.fixture
def scene(shared_scene: Scene, deployment: Deployment) -> Scene:
    return shared_scene


@contextmanager
def slow_restores(deployment: Deployment) -> Iterator[None]:
    aws = deployment.world.aws
    before = aws.settings()["rds_restore_seconds"]
    aws.settings(rds_restore_seconds=PATIENT)
    try:
        yield
    finally:
        aws.settings(rds_restore_seconds=before)


def until_restoring(bank: Bank, execution: Execution) -> Run:
    """Until the copy beside the live instance is being made."""

    def restoring() -> Run | None:
        runs = [run for run in bank.deployment.catalog.runs(bank.plan) if run.execution == execution.arn]
        record = load_record(bank.deployment.catalog, runs[0].id) if runs else None
        return runs[0] if record is not None and record.phase is RestorePhase.RESTORING else None

    return eventually(restoring, "the restore has stopped the application", 60)


def scale(deployment: Deployment, bank: Bank, replicas: int) -> None:
    (name,) = bank.deployments
    deployment.world.kube.patch(DEPLOYMENTS, NAMESPACE, name, {"spec": {"replicas": replicas}})


def replicas(deployment: Deployment, bank: Bank) -> int:
    (name,) = bank.deployments
    number: int = deployment.world.kube.get(DEPLOYMENTS, NAMESPACE, name)["spec"]["replicas"]
    return number


# -- refused before anything is touched


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"confirm": "restore everything"}, "it must be 'restore bad-days'"),
        ({"plan_id": "0000000000000000"}, "no restore plan '0000000000000000'"),
        ({"target": "side-by-side"}, "'target' is not as in plan"),
    ],
)
def test_a_confirmation_of_something_else_starts_nothing(scene: Scene, changed: dict[str, str], said: str) -> None:
    refused = scene.bank.send(scene.bank.ask()["confirm_with"] | changed)
    assert not isinstance(refused, dict), refused
    assert refused.kind == "InvalidRequest"
    assert said in refused.message


def test_a_world_that_has_drifted_is_refused_with_the_difference(deployment: Deployment, scene: Scene) -> None:
    planned = scene.bank.ask()
    scale(deployment, scene.bank, 2)
    refused = scene.bank.send(planned["confirm_with"])
    scale(deployment, scene.bank, 1)
    assert not isinstance(refused, dict), refused
    assert refused.kind == "Conflict"
    assert f"{NAME} was 1 and is 2" in refused.message


@pytest.mark.parametrize("phase", [PointPhase.EXPIRED, PointPhase.CAPTURED])
def test_a_point_that_cannot_be_restored_any_more_or_yet_is_refused(
    deployment: Deployment, scene: Scene, phase: PointPhase
) -> None:
    catalog = deployment.catalog
    point = catalog.point(NAME, scene.point)
    catalog.put_point(replace(point, phase=phase))
    try:
        answer = scene.bank.send({"action": "restore", "plan": NAME, "restore_point": scene.point})
    finally:
        catalog.put_point(point)
    if isinstance(answer, dict):
        assert phase is PointPhase.CAPTURED
        assert "captured, but not yet available" in " ".join(answer["problems"])
        assert "confirm_with" not in answer
    else:
        assert phase is PointPhase.EXPIRED
        assert f"{scene.point} is expired and cannot be restored" in answer.message


def test_a_time_outside_the_window_is_a_problem_of_the_plan(scene: Scene) -> None:
    long_ago = iso(datetime.now(UTC).replace(microsecond=0) - timedelta(days=300))
    planned = scene.bank.ask(restore_point=long_ago)
    assert not planned["ok"]
    assert f"{long_ago} cannot be restored" in " ".join(planned["problems"])


def test_a_quota_that_is_reached_is_named_and_the_application_goes_on(deployment: Deployment, scene: Scene) -> None:
    aws, before = deployment.world.aws, scene.bank.fingerprint()
    taken = len(aws.client("rds").describe_db_instances()["DBInstances"])
    most = aws.settings()["rds_max_instances"]
    planned = scene.bank.ask()
    aws.settings(rds_max_instances=taken)
    try:
        run = scene.bank.ended(scene.bank.confirm(planned))
    finally:
        aws.settings(rds_max_instances=most)
    assert_led_back(deployment, scene, run, before)
    assert run.cause is not None
    assert "InstanceQuotaExceeded" in run.cause.message or "quota" in run.cause.message


def test_the_name_of_the_side_copy_that_is_taken_is_named(deployment: Deployment, scene: Scene) -> None:
    planned = scene.bank.ask()
    stamp = planned["run"].removeprefix(f"{NAME}-").lower()
    name, rds = side_name(NAME, stamp), deployment.world.aws.client("rds")
    bank_worlds.create_instance(deployment.world.aws, name, "mysql")
    try:
        refused = scene.bank.send(planned["confirm_with"])
    finally:
        rds.delete_db_instance(DBInstanceIdentifier=name, SkipFinalSnapshot=True)
    assert not isinstance(refused, dict), refused
    assert f"Names are taken: {name}" in refused.message


# -- beside others


def test_a_restore_does_not_begin_beside_a_backup_nor_a_backup_beside_a_restore(deployment: Deployment, scene: Scene) -> None:
    bank, aws = scene.bank, deployment.world.aws
    lag = aws.settings()["rds_lag_seconds"]
    aws.settings(rds_lag_seconds=8.0)
    try:
        backup = deployment.start(NAME)
        deployment.run_when(backup, lambda run: run.token > 0, "the backup has the plan")
        beside = bank.ended(bank.confirm(bank.ask(restore_point=scene.point)))
    finally:
        aws.settings(rds_lag_seconds=lag)
    assert beside.status is RunStatus.FAILED
    assert beside.cause is not None
    assert beside.cause.code == "LeaseHeld"
    holder = deployment.run_of(deployment.finish(backup))
    assert holder.id in beside.cause.message
    succeeded(holder)

    with slow_restores(deployment):
        execution = bank.confirm(bank.ask(target="side-by-side", restore_point=scene.point))
        restoring = until_restoring(bank, execution)
        refused = deployment.back_up(NAME)
    assert refused.status is RunStatus.FAILED
    assert refused.cause is not None
    assert restoring.id in refused.cause.message
    succeeded(bank.ended(execution))


def test_a_side_by_side_restore_leaves_the_application_alone_and_its_copy_holds_the_point(
    deployment: Deployment, scene: Scene
) -> None:
    bank, before, pods = scene.bank, scene.bank.fingerprint(), scene.bank.pod_uids
    run = succeeded(bank.carry_out(target="side-by-side", restore_point=scene.point))
    copies = [one for one in instances(deployment) if one.startswith(f"{NAME}-r{stamp(deployment, run)}")]
    (endpoint,) = (instances(deployment)[name]["Endpoint"] for name in copies)
    layout, _ = on_relational(bank_worlds.relational_of(deployment.world.aws, "mysql", endpoint))
    assert fingerprint(layout) == scene.kept
    assert (bank.fingerprint(), bank.pod_uids) == (before, pods)


def test_a_release_that_somebody_scales_up_meanwhile_keeps_its_data(deployment: Deployment, scene: Scene) -> None:
    bank, before = scene.bank, scene.bank.fingerprint()
    with slow_restores(deployment):
        execution = bank.confirm(bank.ask(restore_point=scene.point))
        until_restoring(bank, execution)
        scale(deployment, bank, 1)
        run = bank.ended(execution)
    assert_led_back(deployment, scene, run, before)
    assert run.cause is not None
    assert run.cause.code == "Conflict"


# -- that die half way


def test_a_restore_whose_functions_die_in_every_step_ends_as_if_nothing_had_happened(
    deployment: Deployment, scene: Scene
) -> None:
    bank, before, moments = scene.bank, scene.bank.fingerprint(), random.Random(SEED)
    aws = deployment.world.aws
    for step, function in STEPS.items():
        # Once with its work done and the answer lost, which is certain; once somewhere before, unless it is over by then.
        aws.kill(function, {"step": step}, at_end=True)
        aws.kill(function, {"step": step}, moments.uniform(0.0, LATEST_DEATH_SECONDS))
    run = succeeded(bank.carry_out(restore_point=scene.point))
    killed = [json.loads(kill["payload"]) for kill in aws.killed()]
    assert {payload["step"] for payload in killed} == set(STEPS)
    assert bank.fingerprint() == scene.kept
    stamped = [name for name in instances(deployment) if name.endswith(stamp(deployment, run))]
    assert stamped == [f"{NAME}-old{stamp(deployment, run)}"], "restored once, and the old one kept"
    lose_rows(bank)
    assert bank.fingerprint() == before


@pytest.mark.parametrize("action", ["continue", "abandon"])
def test_a_stopped_restore_is_halted_and_can_be_continued_or_abandoned(
    deployment: Deployment, scene: Scene, action: str
) -> None:
    bank, before = scene.bank, scene.bank.fingerprint()
    with slow_restores(deployment):
        execution = bank.confirm(bank.ask(restore_point=scene.point))
        begun = until_restoring(bank, execution)
        deployment.world.aws.client("stepfunctions").stop_execution(executionArn=execution.arn, error="Operator", cause="!")
    halted = eventually(lambda: halted_run(deployment, begun.id), "the run is halted", 60)
    assert halted.cause is not None
    assert f'{{"action": "{action}", "run": "{begun.id}"}}' in halted.cause.hint
    assert replicas(deployment, bank) == 0, "nobody writes meanwhile"
    blocked = bank.ended(bank.confirm(bank.ask(restore_point=scene.point)))
    assert blocked.cause is not None
    assert f"{begun.id} of plan {NAME} is halted" in blocked.cause.message

    went_on = bank.started({"action": action, "run": begun.id})
    run = bank.ended(went_on)
    if action == "abandon":
        assert_led_back(deployment, scene, run, before)
        return
    succeeded(run)
    assert bank.fingerprint() == scene.kept
    lose_rows(bank)
    assert bank.fingerprint() == before


def halted_run(deployment: Deployment, run: str) -> Run | None:
    found = deployment.catalog.run(run)
    return found if found.status is RunStatus.HALTED else None


# -- afterwards


def test_a_deleted_instance_comes_back_and_clean_up_deletes_old_copies_and_nothing_else(
    deployment: Deployment, scene: Scene
) -> None:
    bank, rds = scene.bank, deployment.world.aws.client("rds")
    first = bank.restored(restore_point=scene.point, keep_old="1h")
    rds.delete_db_instance(DBInstanceIdentifier=NAME, SkipFinalSnapshot=True, DeleteAutomatedBackups=False)
    eventually(lambda: NAME not in instances(deployment), "the instance is gone", 30)
    planned = bank.ask(restore_point=scene.point, keep_old="1h")
    run = succeeded(bank.ended(bank.confirm(planned)))
    assert bank.fingerprint() == scene.kept

    end_keeping(deployment, first)
    end_keeping(deployment, run)
    clean_up(deployment)
    left = [name for name in instances(deployment) if name == NAME or name.endswith(stamp(deployment, first))]
    assert left == [NAME]
    assert bank.fingerprint() == scene.kept
    assert "cannot be brought back" in bank.refusal("undo", run=first.id).message


def end_keeping(deployment: Deployment, run: Run) -> None:
    """As if its time were over."""
    record = load_record(deployment.catalog, run.id)
    assert record is not None
    over: RestoreRecord = replace(record, kept_until=datetime.now(UTC) - timedelta(days=1))
    evidence.save(deployment.catalog, run.id, RECORD, over)


def clean_up(deployment: Deployment) -> None:
    """As often as the schedule would have it called."""
    world = deployment.world

    def is_clean() -> bool:
        answer = world.aws.client("lambda").invoke(FunctionName=f"{STACK}-databases", Payload=b'{"step": "restore_clean_up"}')
        assert "FunctionError" not in answer
        found = json.loads(answer["Payload"].read())
        assert not found["problems"], found
        return not found["waiting"]

    eventually(is_clean, "nothing is left to clean up", 60)


def instances(deployment: Deployment) -> dict[str, Any]:
    described = deployment.world.aws.client("rds").describe_db_instances()["DBInstances"]
    return {one["DBInstanceIdentifier"]: one for one in described}


def stamp(deployment: Deployment, run: Run) -> str:
    record = load_record(deployment.catalog, run.id)
    assert record is not None
    return record.stamp


def assert_led_back(deployment: Deployment, scene: Scene, run: Run, before: str) -> None:
    """It failed with a cause, the application runs on the old data, and that is as it was."""
    assert run.status is RunStatus.FAILED
    assert isinstance(run.cause, Cause)
    assert "Nothing live was changed" in run.cause.hint
    eventually(lambda: len(deployment.addresses(NAME)) == 1, "its pods are there again", 30)
    assert replicas(deployment, scene.bank) == 1
    assert scene.bank.fingerprint() == before
