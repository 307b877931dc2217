"""EventBridge Scheduler that fires, and schedule rules of EventBridge: on a clock that can be set forward."""

from __future__ import annotations

import datetime as dt
import logging
import threading
import time
import uuid
from dataclasses import dataclass
from typing import Any

from moto.scheduler.exceptions import ScheduleGroupNotFound, ValidationException

from infra.sandbox.aws import rules
from infra.sandbox.aws.moto_names import (
    EventBridgeSchedulerBackend,
    Schedule,
    events_backends,
    scheduler_backends,
)
from infra.sandbox.aws.schedule_expressions import At, Cron, Rate, parse
from infra.sandbox.aws.targets import Delivery, Targets

LOG = logging.getLogger(__name__)
_TICK_SECONDS = 0.2
_LOOK_AHEAD = dt.timedelta(days=400)


@dataclass
class _Seen:
    """How far one schedule was looked at; a changed schedule is looked at afresh."""

    what: tuple[Any, ...]
    expression: At | Rate | Cron
    until: dt.datetime
    until_real: dt.datetime
    quiet_until: dt.datetime
    """Nothing is due before."""
    fired: bool = False


class Scheduler:
    """Checks five times a second. A schedule made now does not fire for moments before now."""

    def __init__(self, targets: Targets) -> None:
        self._targets = targets
        self._lock = threading.RLock()
        self._ahead = dt.timedelta(0)
        self._seen: dict[str, _Seen] = {}
        self._end = threading.Event()
        threading.Thread(target=self._run, name="scheduler", daemon=True).start()

    def now(self) -> dt.datetime:
        """The scheduler's clock, UTC."""
        return dt.datetime.now(dt.UTC) + self._ahead

    def set_now(self, moment: dt.datetime) -> int:
        """Set the clock forward and fire everything due in between, in order; return how many fired.

        Recurring schedules go on from there. at() schedules also fire when their moment comes in real time, so
        that a timer that a function sets for "in three minutes" goes off in three minutes.
        ValueError when the moment is in the past.
        """
        with self._lock:
            self._fire_due()
            if moment < self.now():
                raise ValueError(f"The scheduler's clock is at {self.now().isoformat()} and can only be set forward.")
            self._ahead = moment - dt.datetime.now(dt.UTC)
            return self._fire_due()

    def reset(self) -> None:
        """Back to the real time, nothing seen."""
        with self._lock:
            self._ahead = dt.timedelta(0)
            self._seen.clear()

    def close(self) -> None:
        self._end.set()

    def _run(self) -> None:
        while not self._end.wait(_TICK_SECONDS):
            try:
                with self._lock:
                    self._fire_due()
            except Exception:
                LOG.exception("The scheduler failed on a schedule; the others go on")

    def _fire_due(self) -> int:
        due: list[tuple[dt.datetime, Any, Any]] = []
        present = set()
        for arn, source, what in _schedules():
            present.add(arn)
            due += [(moment, source, self._seen[arn]) for moment in self._due(arn, source, what)]
        for arn in set(self._seen) - present:
            del self._seen[arn]
        due.sort(key=lambda entry: entry[0])
        for moment, source, _ in due:
            self._fire(source, moment)
        self._remove_completed()
        return len(due)

    def _due(self, arn: str, source: Any, what: tuple[Any, ...]) -> list[dt.datetime]:
        now, real_now = self.now(), dt.datetime.now(dt.UTC)
        seen = self._seen.get(arn)
        if seen is None or seen.what != what:
            created = dt.datetime.fromtimestamp(what[0], dt.UTC)
            start = max(created + self._ahead, _moment(getattr(source, "start_date", None)) or created + self._ahead)
            expression = parse(_expression(source), _timezone(source), start)
            seen = self._seen[arn] = _Seen(what, expression, min(start, now), created, created)
        if now < seen.quiet_until:
            return []
        moments = list(seen.expression.between(seen.until, now))
        if isinstance(seen.expression, At):
            moments = moments or list(seen.expression.between(seen.until_real, real_now))
            moments = [] if seen.fired else moments[:1]
            seen.fired = seen.fired or bool(moments)
        else:
            seen.quiet_until = next(seen.expression.between(now, now + _LOOK_AHEAD), now + _LOOK_AHEAD)
        seen.until, seen.until_real = max(seen.until, now), real_now
        if source.state != "ENABLED":
            return []
        return [moment for moment in moments if _within_dates(source, moment)]

    def _fire(self, source: Any, moment: dt.datetime) -> None:
        if isinstance(source, Schedule):
            execution_id = str(uuid.uuid4())
            payload = _with_context(source, moment, execution_id)
            said = {"SCHEDULE_ARN": source.arn, "EXECUTION_ID": execution_id, "EXECUTION_TIME": _z(moment)}
            self._targets.send(Delivery(source.target, payload, said, execution_id))
            return
        event = {
            "version": "0",
            "id": str(uuid.uuid4()),
            "detail-type": "Scheduled Event",
            "source": "aws.events",
            "account": source.account_id,
            "time": _z(moment),
            "region": source.region_name,
            "resources": [source.arn],
            "detail": {},
        }
        for target in source.targets:
            self._targets.send(rules.deliver(source, target, event))

    def _remove_completed(self) -> None:
        """ActionAfterCompletion DELETE: a one-time schedule that fired, a recurring one past its end date."""
        for group in _groups():
            for schedule in list(group.schedules.values()):
                seen = self._seen.get(schedule.arn)
                if schedule.action_after_completion != "DELETE" or seen is None:
                    continue
                end = _moment(schedule.end_date)
                if (isinstance(seen.expression, At) and seen.fired) or (end is not None and end < self.now()):
                    group.schedules.pop(schedule.name, None)
                    self._seen.pop(schedule.arn, None)


def install() -> None:
    """Refuse what AWS refuses when a schedule is made or changed; an update keeps nothing it was not given."""
    create, update = EventBridgeSchedulerBackend.create_schedule, EventBridgeSchedulerBackend.update_schedule

    def create_schedule(backend: Any, **given: Any) -> Any:
        _check(given)
        if (given["group_name"] or "default") not in backend.schedule_groups:
            raise ScheduleGroupNotFound(given["group_name"])
        return create(backend, **given)

    def update_schedule(backend: Any, **given: Any) -> Any:
        _check(given)
        schedule = update(backend, **{**given, "state": given["state"] or "ENABLED"})
        schedule.last_modified_date = time.time()
        return schedule

    EventBridgeSchedulerBackend.create_schedule = create_schedule
    EventBridgeSchedulerBackend.update_schedule = update_schedule


def _check(given: dict[str, Any]) -> None:
    try:
        parse(given["schedule_expression"], given["schedule_expression_timezone"] or "UTC", dt.datetime.now(dt.UTC))
    except ValueError as error:
        raise ValidationException(str(error)) from error


def _groups() -> list[Any]:
    return [
        group
        for account in list(scheduler_backends.values())
        for backend in list(account.values())
        for group in list(backend.schedule_groups.values())
    ]


def _schedules() -> list[tuple[str, Any, tuple[Any, ...]]]:
    """ARN, schedule or rule, and what makes it a different one when it changes (creation time first)."""
    found: list[tuple[str, Any, tuple[Any, ...]]] = []
    for group in _groups():
        for schedule in list(group.schedules.values()):
            created = schedule.last_modified_date
            zone = schedule.schedule_expression_timezone
            found.append((schedule.arn, schedule, (created, schedule.schedule_expression, zone)))
    rules_of_buses = [
        rule
        for account in list(events_backends.values())
        for backend in list(account.values())
        for bus in list(backend.event_buses.values())
        for rule in list(bus.rules.values())
    ]
    found += [
        (rule.arn, rule, (_first_seen(rule), rule.scheduled_expression)) for rule in rules_of_buses if rule.scheduled_expression
    ]
    return found


def _first_seen(rule: Any) -> float:
    """moto notes no creation time of a rule."""
    moment: float = rule.__dict__.setdefault("first_seen", time.time())
    return moment


def _expression(source: Any) -> str:
    return source.schedule_expression if isinstance(source, Schedule) else source.scheduled_expression


def _timezone(source: Any) -> str:
    return source.schedule_expression_timezone if isinstance(source, Schedule) else "UTC"


def _within_dates(source: Any, moment: dt.datetime) -> bool:
    start, end = (_moment(getattr(source, name, None)) for name in ("start_date", "end_date"))
    return (start is None or start <= moment) and (end is None or moment <= end)


def _moment(value: Any) -> dt.datetime | None:
    """moto keeps dates as they came: seconds since the epoch, or text from a template."""
    if value is None or isinstance(value, dt.datetime):
        return value
    if isinstance(value, str):
        parsed = dt.datetime.fromisoformat(value)
        return parsed if parsed.tzinfo else parsed.replace(tzinfo=dt.UTC)
    return dt.datetime.fromtimestamp(value, dt.UTC)


def _with_context(schedule: Any, moment: dt.datetime, execution_id: str) -> str:
    """https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html"""
    text = str(schedule.target.get("Input", "{}"))
    for name, value in {
        "schedule-arn": schedule.arn,
        "scheduled-time": _z(moment),
        "execution-id": execution_id,
        "attempt-number": "1",
    }.items():
        text = text.replace(f"<aws.scheduler.{name}>", value)
    return text


def _z(moment: dt.datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
