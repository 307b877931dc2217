"""When a plan's schedule was last due, for engines whose scheduler knows no time zones and makes up for nothing it missed."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from shared.model.cron import cron_times
from shared.model.plan import Schedule


def last_due(schedule: Schedule, now: datetime, since: datetime) -> datetime | None:
    """The latest moment in `since` < moment ≤ `now` at which the schedule is due, in UTC; None when there is none.

    The wall-clock time of the schedule's zone is kept. A time that the clocks skip in spring is due as much later as they are
    set forward, so that no day goes without; one that comes twice in autumn is due the first time.
    """
    times = cron_times(schedule.cron)
    zone = ZoneInfo(schedule.timezone)
    day = now.astimezone(zone).date()
    # A day more: what is skipped in spring can fall on the local day after its own.
    while day >= since.astimezone(zone).date() - timedelta(days=1):
        if times.fall_on(day):
            due = [moment for moment in _moments(day, times.minutes_of_day, zone) if since < moment <= now]
            if due:
                return max(due)
        day -= timedelta(days=1)
    return None


def _moments(day: date, minutes_of_day: tuple[int, ...], zone: ZoneInfo) -> list[datetime]:
    local = (datetime.combine(day, time(minute // 60, minute % 60), zone) for minute in minutes_of_day)
    return [moment.astimezone(UTC) for moment in local]
