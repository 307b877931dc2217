"""Schedule expressions of EventBridge Scheduler: at(), rate() and cron() with a time zone.

https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html, which also says what daylight saving does:
a local time that does not exist is skipped, one that exists twice fires once.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import dataclass
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from aws_croniter import AwsCroniter

_RATE = re.compile(r"rate\((\d+) (minutes?|hours?|days?)\)")
_AT = re.compile(r"at\((\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\)")
_CRON = re.compile(r"cron\((.+)\)")
_UNIT = {"minute": dt.timedelta(minutes=1), "hour": dt.timedelta(hours=1), "day": dt.timedelta(days=1)}


@dataclass(frozen=True)
class At:
    """Fires once."""

    moment: dt.datetime | None
    """UTC; None: the local time does not exist in its zone and is skipped."""

    def between(self, after: dt.datetime, until: dt.datetime) -> Iterator[dt.datetime]:
        """The occurrences in (after, until]."""
        if self.moment is not None and after < self.moment <= until:
            yield self.moment


@dataclass(frozen=True)
class Rate:
    """Fires every `period` from `start` on, not at `start` itself."""

    period: dt.timedelta
    start: dt.datetime

    def between(self, after: dt.datetime, until: dt.datetime) -> Iterator[dt.datetime]:
        """The occurrences in (after, until]."""
        moment = self.start + max(1, (after - self.start) // self.period + 1) * self.period
        while moment <= until:
            yield moment
            moment += self.period


@dataclass(frozen=True)
class Cron:
    fields: str
    zone: ZoneInfo

    def between(self, after: dt.datetime, until: dt.datetime) -> Iterator[dt.datetime]:
        """The occurrences in (after, until]."""
        matcher = AwsCroniter(self.fields)
        # The library counts in UTC: give it wall-clock times dressed as UTC. The
        # margin covers the hour that a clock goes back.
        wall = (after.astimezone(self.zone) - dt.timedelta(hours=2)).replace(tzinfo=dt.UTC, microsecond=0)
        while (found := matcher.get_next(wall)[0]) is not None:
            wall = found
            moment = _in_utc(wall.replace(tzinfo=None), self.zone)
            if moment is None:
                continue
            if moment > until:
                return
            if moment > after:
                yield moment


def parse(expression: str, timezone: str, start: dt.datetime) -> At | Rate | Cron:
    """ValueError says what is wrong. `start` is when the schedule was made, or its StartDate: rate() counts from it."""
    try:
        zone = ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError):
        raise ValueError(f"Invalid Schedule Expression Timezone {timezone}.") from None
    if match := _AT.fullmatch(expression):
        return At(_in_utc(dt.datetime.fromisoformat(match[1]), zone))
    if match := _RATE.fullmatch(expression):
        count, unit = int(match[1]), match[2]
        if count == 0 or (count == 1) == unit.endswith("s"):
            raise ValueError(f"Invalid Schedule Expression {expression}: write rate(1 hour), rate(2 hours).")
        return Rate(count * _UNIT[unit.removesuffix("s")], start)
    if match := _CRON.fullmatch(expression):
        try:
            AwsCroniter(match[1])
        except (ValueError, IndexError) as error:
            raise ValueError(f"Invalid Schedule Expression {expression}: {error}") from error
        return Cron(match[1], zone)
    raise ValueError(
        f"Invalid Schedule Expression {expression}: it must be at(yyyy-mm-ddThh:mm:ss), rate(value unit) or "
        "cron(minutes hours day_of_month month day_of_week year)."
    )


def _in_utc(wall: dt.datetime, zone: ZoneInfo) -> dt.datetime | None:
    """None when clocks skip this local time. When they show it twice, the first time counts."""
    moment = wall.replace(tzinfo=zone).astimezone(dt.UTC)
    return moment if moment.astimezone(zone).replace(tzinfo=None) == wall else None
