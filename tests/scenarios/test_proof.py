"""What a restore point is worth: the money adds up there, however far DynamoDB's clock is off, and at the seconds that
somebody without the product would take it does not."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from infra.sandbox.bank.audit import Audit
from infra.sandbox.proof import audit_second
from infra.sandbox.world import RELEASE
from shared.model.restore_point import RestorePoint
from shared.model.run import RunStatus
from tests.scenarios.deployment import Deployment

pytestmark = pytest.mark.stand_in_only(reason="it is about DynamoDB's clock and history")

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
    plan = deployment.apply(f"proof-{'ahead' if skew > 0 else 'behind'}", RELEASE)
    run = deployment.back_up(plan)
    assert run.status is RunStatus.SUCCEEDED, run.cause
    point = deployment.catalog.point(plan, "latest")
    paused_from, paused_until = _true_pause(point, skew)
    assert point.at is not None
    assert paused_from <= point.at
    assert point.at + SECOND <= paused_until, "the whole second is inside the pause, on DynamoDB's own clock"

    at_point = _audit(deployment, point.at)
    assert at_point.is_consistent, at_point.explain()

    naive = _naive_second(point)
    assert naive + SECOND < paused_from or naive > paused_until, "the guide's middle, read off our clock, misses the pause"
    around = [naive + number * SECOND for number in (0, -1, 1, -2, 2, -3, 3)]
    assert _some_is_torn(deployment, around), "there the money does not add up"
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
    return audit_second(dynamodb, second, world.scale.opening, f"at-{second:%H%M%S}")
