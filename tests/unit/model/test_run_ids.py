"""A run's id: made again for a repeated call, in order of time, and telling its plan. And what counts as proof in a sample."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.model.errors import UnknownRun
from shared.model.run import Attempt, AttemptStatus, PausedSample, Run, plan_of_run, run_id

AT = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
plan_names = st.from_regex(r"[a-z]([-a-z0-9]{0,30}[a-z0-9])?", fullmatch=True)
moments = st.datetimes(datetime(2020, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis adds UTC


@settings(deadline=None)
@given(plan=plan_names, execution=st.text(), at=moments)
def test_the_plan_can_be_read_from_every_id(plan: str, execution: str, at: datetime) -> None:
    assert plan_of_run(run_id(plan, execution, at)) == plan


@settings(deadline=None)
@given(plan=plan_names, execution=st.text(), at=moments, hours=st.integers(-12, 14))
def test_the_same_execution_has_the_same_id_in_every_time_zone(plan: str, execution: str, at: datetime, hours: int) -> None:
    elsewhere = at.astimezone(timezone(timedelta(hours=hours)))
    assert run_id(plan, execution, elsewhere) == run_id(plan, execution, at)


@settings(deadline=None)
@given(at=moments, seconds=st.integers(1, 10**8))
def test_ids_of_a_plan_sort_by_time(at: datetime, seconds: int) -> None:
    assert run_id("orders", "b", at) < run_id("orders", "a", at + timedelta(seconds=seconds))


def test_two_executions_that_start_in_one_second_are_two_runs() -> None:
    assert run_id("orders", "one", AT) != run_id("orders", "two", AT)


def test_the_id_has_the_documented_form() -> None:
    assert run_id("orders-prod", "execution", AT).startswith("orders-prod-20261124T030000Z-")


@pytest.mark.parametrize(
    "text",
    ["", "latest", "orders-prod", "orders-prod-20261124-1f2e3d4c", "-20261124T030000Z-1f2e3d4c", "orders-20261124T030000Z-"],
)
def test_text_that_is_no_id_is_an_unknown_run_that_shows_the_form(text: str) -> None:
    with pytest.raises(UnknownRun, match="orders-prod-20261124T030000Z-1f2e3d4c"):
        plan_of_run(text)


def test_the_newest_attempt_is_the_runs_attempt() -> None:
    run = Run(id="r", plan="p", plan_revision=1, reason="schedule", execution="e", started_at=AT)
    assert run.attempt is None
    attempts = tuple(Attempt(number=number, status=AttemptStatus.INVALID, started_at=AT) for number in (1, 2))
    tried = Run(id="r", plan="p", plan_revision=1, reason="schedule", execution="e", started_at=AT, attempts=attempts)
    assert tried.attempt == attempts[1]


@pytest.mark.parametrize(
    ("sample", "proves"),
    [
        (PausedSample(asked_at=AT, paused=3), True),
        (PausedSample(asked_at=AT, paused=0), False),
        (PausedSample(asked_at=AT, paused=2, not_paused=("orders-1",)), False),
        (PausedSample(asked_at=AT, paused=2, unknown=("orders-1",)), False),
    ],
)
def test_a_sample_proves_the_pause_only_when_every_pod_said_so(sample: PausedSample, proves: bool) -> None:
    assert sample.proves_pause is proves
