"""NCRONTAB expressions of timer triggers: {second} {minute} {hour} {day} {month} {day-of-week}, in UTC.

https://learn.microsoft.com/azure/azure-functions/functions-bindings-timer#ncrontab-expressions
"""

from __future__ import annotations

import calendar
import datetime as dt
from dataclasses import dataclass

_FIELDS = (("second", 0, 59), ("minute", 0, 59), ("hour", 0, 23), ("day", 1, 31), ("month", 1, 12), ("day-of-week", 0, 6))
_MONTHS = {name.lower(): number for number, name in enumerate(calendar.month_abbr) if name}
_DAYS = {name: number for number, name in enumerate(["sun", "mon", "tue", "wed", "thu", "fri", "sat"])}
_HORIZON_DAYS = 366 * 8
"""29 February can be eight years away."""


class InvalidSchedule(ValueError):
    """The message says which part is wrong."""


@dataclass(frozen=True)
class Ncrontab:
    """A day counts when month, day and day of week all match."""

    seconds: tuple[int, ...]
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]

    @classmethod
    def parse(cls, expression: str) -> Ncrontab:
        """Six fields, or five without seconds. InvalidSchedule."""
        parts = expression.split()
        if len(parts) == 5:
            parts = ["0", *parts]
        if len(parts) != len(_FIELDS):
            raise InvalidSchedule(
                f"'{expression}' is not an NCRONTAB expression: it has {len(parts)} fields instead of 6 (or 5)."
            )
        sets = [_values(part, *field, expression) for part, field in zip(parts, _FIELDS, strict=True)]
        seconds, minutes, hours = (tuple(sorted(values)) for values in sets[:3])
        return cls(seconds, minutes, hours, *(frozenset(values) for values in sets[3:]))

    def after(self, moment: dt.datetime) -> dt.datetime:
        """The first occurrence after the (aware) moment. InvalidSchedule if there is none, as on 30 February."""
        moment = moment.astimezone(dt.UTC)
        for distance in range(_HORIZON_DAYS):
            day = moment.date() + dt.timedelta(days=distance)
            if day.month not in self.months or day.day not in self.days or day.isoweekday() % 7 not in self.weekdays:
                continue
            for hour in self.hours:
                for minute in self.minutes:
                    last = dt.datetime(day.year, day.month, day.day, hour, minute, self.seconds[-1], tzinfo=dt.UTC)
                    if last <= moment:
                        continue
                    return next(at for second in self.seconds if (at := last.replace(second=second)) > moment)
        raise InvalidSchedule("The schedule has no occurrence: no day matches month, day and day of week.")


def _values(text: str, name: str, low: int, high: int, expression: str) -> set[int]:
    values: set[int] = set()
    try:
        for part in text.split(","):
            span, slash, step = part.partition("/")
            first, last = _span(span, name, low, high)
            if slash and "-" not in span and span != "*":
                last = high
            values.update(_checked(first, last, int(step) if slash else 1, low, high))
    except ValueError:
        raise InvalidSchedule(
            f"'{expression}' is not an NCRONTAB expression: '{text}' is no {name} ({low} to {high}, lists, ranges, steps)."
        ) from None
    return values


def _checked(first: int, last: int, step: int, low: int, high: int) -> range:
    if not low <= first <= last <= high or step < 1:
        raise ValueError
    return range(first, last + 1, step)


def _span(span: str, name: str, low: int, high: int) -> tuple[int, int]:
    if span == "*":
        return low, high
    first, dash, last = span.partition("-")
    return _number(first, name), _number(last if dash else first, name)


def _number(text: str, name: str) -> int:
    names = {"month": _MONTHS, "day-of-week": _DAYS}.get(name, {})
    return names[text[:3].lower()] if text[:3].lower() in names else int(text)
