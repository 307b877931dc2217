"""Cron expressions in a plan."""

from __future__ import annotations

import pytest

from shared.model.cron import check_cron, eventbridge_cron


@pytest.mark.parametrize(
    "expression",
    ["0 3 * * *", "*/15 * * * *", "0 3 1,15 * *", "30 2 * * mon-fri", "0 0 29 2 *", "0 0 * * 7", "5/10 1-5/2 * jan *"],
)
def test_a_cron_expression_is_accepted(expression: str) -> None:
    assert check_cron(expression) == expression


def test_blanks_are_normalised() -> None:
    assert check_cron("  0   3 * *\t* ") == "0 3 * * *"


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("0 3 * *", "4 fields"),
        ("0 3 * * * *", "6 fields"),
        ("", "0 fields"),
        ("60 3 * * *", "minute: '60' is not in 0-59"),
        ("0 24 * * *", "hour: '24'"),
        ("0 3 0 * *", "day of month: '0'"),
        ("0 3 * 13 *", "month: '13'"),
        ("0 3 * * 8", "day of week: '8'"),
        ("0 3 * * noday", "day of week: 'noday'"),
        ("0 5-3 * * *", "runs backwards"),
        ("*/0 3 * * *", "no step of at least 1"),
        ("*/x 3 * * *", "no step of at least 1"),
        (", 3 * * *", "minute: ''"),
        ("² 3 * * *", "minute: '²'"),
        ("0 3 31 2 *", "would never run"),
        ("0 3 31 4,6 *", "would never run"),
        ("0 3 1 * mon", "both the day of month and the day of week"),
    ],
)
def test_a_wrong_cron_expression_is_refused_by_its_field(expression: str, said: str) -> None:
    with pytest.raises(ValueError) as refused:
        check_cron(expression)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("expression", "theirs"),
    [
        ("0 3 * * *", "cron(0 3 * * ? *)"),
        ("*/30 * * * *", "cron(0,30 * * * ? *)"),
        ("0 3 1,15 jan-mar *", "cron(0 3 1,15 1,2,3 ? *)"),
        ("0 3 * * 1-5", "cron(0 3 ? * MON,TUE,WED,THU,FRI *)"),
        ("0 3 * * 0", "cron(0 3 ? * SUN *)"),
        ("0 3 * * 7,sat", "cron(0 3 ? * SUN,SAT *)"),
    ],
)
def test_eventbridge_gets_the_same_times_in_its_own_dialect(expression: str, theirs: str) -> None:
    assert eventbridge_cron(expression) == theirs
