"""The phases of a restore point, as the docstring of its module draws them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from shared.model.errors import InvalidRequest
from shared.model.restore_point import PointPhase, RestorePoint

CREATED = datetime(2026, 11, 24, 3, 1, tzinfo=UTC)
LATER = datetime(2026, 11, 24, 3, 9, tzinfo=UTC)
STEPS = {
    (PointPhase.CAPTURED, PointPhase.AVAILABLE),
    (PointPhase.CAPTURED, PointPhase.EXPIRED),
    (PointPhase.AVAILABLE, PointPhase.VERIFIED),
    (PointPhase.AVAILABLE, PointPhase.EXPIRED),
    (PointPhase.VERIFIED, PointPhase.EXPIRED),
}


def point(phase: PointPhase, available_at: datetime | None = None) -> RestorePoint:
    return RestorePoint(
        id="orders-prod-20261124T030000Z-1f2e3d4c",
        plan="orders-prod",
        plan_revision=1,
        at=datetime(2026, 11, 24, 3, 0, 14, tzinfo=UTC),
        phase=phase,
        reason="schedule",
        created_at=CREATED,
        available_at=available_at,
    )


@pytest.mark.parametrize(("before", "after"), sorted(STEPS))
def test_a_point_takes_the_steps_of_its_life(before: PointPhase, after: PointPhase) -> None:
    assert point(before).advanced_to(after, LATER).phase is after


@pytest.mark.parametrize(
    ("before", "after"),
    sorted({(one, two) for one in PointPhase for two in PointPhase if one is not two} - STEPS),
)
def test_a_point_takes_no_other_step_and_says_from_where_to_where(before: PointPhase, after: PointPhase) -> None:
    with pytest.raises(InvalidRequest, match=f"orders-prod-.* is {before.value} and cannot become {after.value}"):
        point(before).advanced_to(after, LATER)


@pytest.mark.parametrize("phase", PointPhase)
def test_a_point_that_is_there_already_stays_as_it_is(phase: PointPhase) -> None:
    stored = point(phase, available_at=CREATED)
    assert stored.advanced_to(phase, LATER) is stored


def test_the_moment_of_becoming_available_is_noted_and_kept() -> None:
    available = point(PointPhase.CAPTURED).advanced_to(PointPhase.AVAILABLE, CREATED)
    assert available.available_at == CREATED
    assert available.advanced_to(PointPhase.VERIFIED, LATER).available_at == CREATED


def test_a_point_that_expires_unfinished_was_never_available() -> None:
    assert point(PointPhase.CAPTURED).advanced_to(PointPhase.EXPIRED, LATER).available_at is None
