"""The moment that a point-in-time restore goes back to: given or the latest, never both, never outside the window."""

from __future__ import annotations

import datetime as dt
from typing import Any

from infra.sandbox.aws.rds.inventory import Recovery, utc
from infra.sandbox.aws.rds.refusals import Refusal, invalid_combination, invalid_value
from infra.sandbox.aws.rds.requests import Request


def restore_time(request: Request, recovery: Recovery, source: str, parameter: str) -> int:
    """Whole seconds since the epoch, a fraction is cut off. `parameter`: RestoreTime, or RestoreToTime for clusters.

    PointInTimeRestoreNotEnabled when the source has no automated backups. The API pages leave open how a time outside
    the window is refused: here by InvalidParameterValue with both ends of it.
    """
    given, latest_wished = request.given.get(parameter), request.given.get("UseLatestRestorableTime", False)
    if given is not None and latest_wished:
        raise invalid_combination(f"{parameter} and UseLatestRestorableTime cannot both be specified.")
    if given is None and not latest_wished:
        raise invalid_combination(f"Either {parameter} or UseLatestRestorableTime must be specified.")
    if not recovery.days:
        raise Refusal("PointInTimeRestoreNotEnabled", f"Point in time restore is not enabled for {source}: it has no backups.")
    window = recovery.window(request.now, request.settings.rds_lag_seconds)
    if window is None:
        raise invalid_value(f"{source} cannot be restored yet: its first automated backup is not restorable.")
    at = window[1] if given is None else _seconds(given)
    if not window[0] <= at <= window[1]:
        raise invalid_value(
            f"{source} cannot be restored to {utc(at)}Z: it can be restored to a time from {utc(window[0])}Z, "
            f"the earliest restorable, to {utc(window[1])}Z, the latest."
        )
    return at


def _seconds(given: Any) -> int:
    moment: dt.datetime = given if given.tzinfo is not None else given.replace(tzinfo=dt.UTC)
    return int(moment.timestamp())
