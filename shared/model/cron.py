"""The five fields of a cron expression, checked when a plan is read rather than at three in the morning.

Accepted is what both EventBridge Scheduler and the timer trigger of Azure Functions can express: numbers, names of months
and weekdays, `*`, lists, ranges and steps.
"""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")


class _Field(NamedTuple):
    label: str
    lowest: int
    highest: int
    names: tuple[str, ...] = ()

    def number(self, text: str) -> int:
        """Raises ValueError, fit for people."""
        if text.lower() in self.names:
            return self.names.index(text.lower()) + self.lowest
        if not (text.isascii() and text.isdigit()) or not self.lowest <= int(text) <= self.highest:
            raise ValueError(f"{self.label}: {text!r} is not in {self.lowest}-{self.highest}")
        return int(text)


_FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of month", 1, 31),
    _Field("month", 1, 12, _MONTHS),
    _Field("day of week", 0, 7, _WEEKDAYS),
)
_LONGEST_MONTH = {month: 30 if month in (4, 6, 9, 11) else 29 if month == 2 else 31 for month in range(1, 13)}


def check_cron(expression: str) -> str:
    """The expression with single blanks.

    Raises:
        ValueError: not a cron expression of five fields, or one that never comes true; the message names the field.
    """
    written = expression.split()
    if len(written) != len(_FIELDS):
        raise ValueError(
            f"{expression!r} has {len(written)} fields; five are wanted: minute hour day-of-month month day-of-week"
        )
    values = [_expand(field, text) for field, text in zip(_FIELDS, written, strict=True)]
    day_of_month, month, day_of_week = written[2], values[3], written[4]
    if day_of_month != "*" and day_of_week != "*":
        raise ValueError(
            f"{expression!r} limits both the day of month and the day of week; cron means either of them, "
            "which EventBridge Scheduler cannot express: leave one as *"
        )
    if min(values[2]) > max(_LONGEST_MONTH[number] for number in month):
        raise ValueError(f"{expression!r} names a day that its months do not have, so it would never run")
    return " ".join(written)


def _expand(field: _Field, text: str) -> set[int]:
    return set().union(*(_expand_item(field, item) for item in text.split(",")))


def _expand_item(field: _Field, item: str) -> set[int]:
    span, slash, step = item.partition("/")
    if slash and (not (step.isascii() and step.isdigit()) or int(step) < 1):
        raise ValueError(f"{field.label}: {item!r} has no step of at least 1 after the slash")
    first, dash, last = span.partition("-")
    if span == "*":
        low, high = field.lowest, field.highest
    elif dash:
        low, high = field.number(first), field.number(last)
    else:
        low = field.number(span)
        high = field.highest if slash else low
    if low > high:
        raise ValueError(f"{field.label}: {item!r} runs backwards")
    return set(range(low, high + 1, int(step) if slash else 1))


class CronTimes(NamedTuple):
    """What an expression stands for, written out. `weekdays` counts from Sunday, which is 0."""

    minutes_of_day: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]

    def fall_on(self, day: date) -> bool:
        return day.month in self.months and day.day in self.days and day.isoweekday() % 7 in self.weekdays


def cron_times(expression: str) -> CronTimes:
    """Raises ValueError as `check_cron`."""
    texts = check_cron(expression).split()
    minutes, hours, days, months, weekdays = (_expand(field, text) for field, text in zip(_FIELDS, texts, strict=True))
    return CronTimes(
        minutes_of_day=tuple(hour * 60 + minute for hour in sorted(hours) for minute in sorted(minutes)),
        days=frozenset(days),
        months=frozenset(months),
        weekdays=frozenset(number % 7 for number in weekdays),
    )


def eventbridge_cron(expression: str) -> str:
    """The same times as an expression of EventBridge Scheduler, which counts weekdays from 1 and has a year.

    `0 3 * * 1-5` → `cron(0 3 ? * MON,TUE,WED,THU,FRI *)`. Lists are written out: they mean the same everywhere.

    Raises:
        ValueError: as `check_cron`.
    """
    written = check_cron(expression).split()
    minute, hour, day_of_month, month = (
        "*" if text == "*" else ",".join(str(number) for number in sorted(_expand(field, text)))
        for field, text in zip(_FIELDS[:4], written[:4], strict=True)
    )
    if written[4] == "*":
        return f"cron({minute} {hour} {day_of_month} {month} ? *)"
    days = sorted({number % 7 for number in _expand(_FIELDS[4], written[4])})
    return f"cron({minute} {hour} ? {month} {','.join(_WEEKDAYS[day].upper() for day in days)} *)"
