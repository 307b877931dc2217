"""What the options of `restore plan` say to the restore function: the payload that one would paste into its console."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from shared.model.durations import format_duration
from shared.model.restore import LATEST, Target


def plan_payload(
    plan: str, to: str, databases: Sequence[str], side_by_side: bool, keep_old: timedelta | None, unsafe: Sequence[str]
) -> dict[str, Any]:
    """Only what differs from the defaults: the payload is read by people."""
    options: dict[str, Any] = {
        "restore_point": to if to != LATEST else None,
        "databases": list(databases) or None,
        "target": Target.SIDE_BY_SIDE.value if side_by_side else None,
        **kept(keep_old),
        "unsafe": list(unsafe) or None,
    }
    return {"action": "restore", "plan": plan} | {key: value for key, value in options.items() if value is not None}


def undo_payload(run: str, keep_old: timedelta | None) -> dict[str, Any]:
    return {"action": "undo", "run": run, **kept(keep_old)}


def kept(keep_old: timedelta | None) -> dict[str, str]:
    return {} if keep_old is None else {"keep_old": format_duration(keep_old.total_seconds())}
