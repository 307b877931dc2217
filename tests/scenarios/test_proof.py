"""What a restore point is worth: the money in its copies adds up, however far DynamoDB's clock is off, and at the seconds that
somebody without the product would take it does not."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from infra.sandbox.bank.audit import Audit
from infra.sandbox.proof import audit_kept_copies, audit_second
from infra.sandbox.world import RELEASE
from shared.model.restore_point import RestorePoint
from shared.model.run import RunStatus
from tests.scenarios.deployment import Deployment

SECOND = timedelta(seconds=1)
RUN_UP_SECONDS = 3.0
"""A clock that is set forward leaves seconds without transfers, when everything is consistent; the run begins after them."""


@pytest.fixture
def skew(request: pytest.FixtureRequest, deployment: Deployment) -> Iterator[float]:
    """DynamoDB's clock against ours. Their history must not run backwards: a clock set back is waited for."""
    seconds: float = request.param
    _set_clock(deployment, seconds)
    yield seconds
    _set_clock(deployment, 0.0)


def _set_clock(deployment: Deployment, seconds: float) -> None:
    before = deployment.world.aws.settings()["dynamodb_skew_seconds"]
    deployment.world.aws.settings(dynamodb_skew_seconds=seconds)
    time.sleep(max(RUN_UP_SECONDS if seconds else 0.0, before - seconds))


@pytest.mark.parametrize("skew", [-3.0, 4.0], indirect=True)
def test_the_point_is_consistent_and_the_seconds_around_it_are_not(deployment: Deployment, skew: float) -> None:
    plan = deployment.apply(f"proof-{'ahead' if skew > 0 else 'behind'}", RELEASE, kept_copy=True)
    run = deployment.back_up(plan)
    assert run.status is RunStatus.SUCCEEDED, run.cause
    point = deployment.catalog.point(plan, "latest")
    paused_from, paused_until = _true_pause(point, skew)
    assert point.at is not None
    assert paused_from <= point.at
    assert point.at + SECOND <= paused_until, "the whole second is inside the pause, on DynamoDB's own clock"

    world = deployment.world
    at_point = audit_kept_copies(world.aws.client("dynamodb"), point, world.scale.opening, "kept")
    assert at_point.is_consistent, at_point.explain()

    naive = _naive_second(point)
    assert naive + SECOND < paused_from or naive > paused_until, "the guide's middle, read off our clock, misses the pause"
    assert _some_is_torn(deployment, [naive, naive - SECOND, naive + SECOND]), "there the money does not add up"
    assert deployment.paused_pods(RELEASE) == []


def _true_pause(point: RestorePoint, skew: float) -> tuple[datetime, datetime]:
    """On DynamoDB's clock, which nobody but the sandbox knows."""
    assert point.window is not None
    shift = timedelta(seconds=skew)
    return point.window.confirmed_at + shift, point.window.resume_began_at + shift


def _naive_second(point: RestorePoint) -> datetime:
    """The middle of the pause on our own clock, as the guides take it with a pause of ten seconds and clocks they trust."""
    assert point.window is not None
    middle = point.window.confirmed_at + (point.window.resume_began_at - point.window.confirmed_at) / 2
    return middle.replace(microsecond=0)


def _some_is_torn(deployment: Deployment, seconds: list[datetime]) -> bool:
    """Restores one second after the other until the money does not add up; each is by chance consistent now and then."""
    return any(not _audit(deployment, second).is_consistent for second in seconds)


def _audit(deployment: Deployment, second: datetime) -> Audit:
    world = deployment.world
    dynamodb = world.aws.client("dynamodb")
    return audit_second(dynamodb, second, world.scale.opening, f"busy-{second:%H%M%S}")


def test_points_show_has_the_evidence_of_every_step(deployment: Deployment) -> None:
    plan = deployment.apply("evidence", RELEASE)
    run = deployment.back_up(plan)
    shown = deployment.command("points", "show", plan, "latest", "-o", "json")
    assert shown.code == 0, shown.stderr
    point = shown.answer
    evidence, window = point["evidence"], point["window"]
    pods = sorted(deployment.addresses(RELEASE))

    assert (point["id"], point["phase"], point["plan_revision"]) == (run.id, "available", run.plan_revision)
    assert point["pause"]["rule"] == "nosql"
    # Every pod acknowledged, and CheckPaused confirmed it at least each second until the resume began.
    assert sorted(item["pod"] for item in evidence["pause"]["acknowledgements"]) == pods
    assert {item["outcome"] for item in evidence["pause"]["acknowledgements"]} == {"paused"}
    samples = [*evidence["capture"]["samples"], evidence["resume"]["sample"]]
    assert all(item["paused"] == len(pods) and not item["not_paused"] and not item["unknown"] for item in samples)
    asked = [window["confirmed_at"], *(item["asked_at"] for item in samples)]
    times = [datetime.fromisoformat(item) for item in asked]
    assert max(later - earlier for earlier, later in pairwise(times)) < 1.5 * SECOND
    # The same pods and the same Deployment before and after, and nothing in between.
    (before,), (after,) = evidence["before"], evidence["after"]
    assert before["pods"] == after["pods"]
    assert before["deployment"] == after["deployment"]
    assert sorted(item["name"] for item in before["pods"]) == pods
    assert evidence["capture"]["watch"]["broken"] == evidence["resume"]["watch"]["broken"] == ""
    # Clock bounds of the database behind both ends of the window, and the safe interval they leave.
    (database,) = window["safe_by_database"]
    for noted in (evidence["pause"]["confirmed"], evidence["resume"]["begun"]):
        bounds = noted["clocks"][database]
        assert bounds["samples"] > 1
        assert bounds["problem"] == ""
        assert bounds["lower_seconds"] <= 0 <= bounds["upper_seconds"]
    safe = window["safe_by_database"][database]
    at = datetime.fromisoformat(point["at"])
    assert datetime.fromisoformat(safe["start"]) <= at
    assert at + SECOND <= datetime.fromisoformat(safe["end"])
    # The database's own window: every table, with what a restore of it would lose.
    items = {item["name"]: item for item in point["databases"][database]["items"]}
    assert {"bank.checking", "bank.savings", "bank.wallets", "coordinator.state", "scalardb.metadata"} <= items.keys()
    assert {item["phase"] for item in items.values()} == {"covered"}
    assert items["bank.wallets"]["settings"]["time_to_live_attribute"] == "expires_at"
    assert all(item["pod"] in pods and item["problem"] == "" for item in evidence["resume"]["pods"])
