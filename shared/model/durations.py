"""Durations as people write them: `10s`, `2m`, `1h30m`, or a plain number of seconds."""

from __future__ import annotations

import math
import re

PATTERN = r"^(?=\d)(\d+h)?(\d+m)?(\d+(\.\d+)?s)?$"
"""The written form, as a regular expression that JSON Schema understands too."""
_PARTS = re.compile(r"(?=\d)(?:(?P<h>\d+)h)?(?:(?P<m>\d+)m)?(?:(?P<s>\d+(?:\.\d+)?)s)?", re.ASCII)


def parse_duration(written: object) -> float:
    """Seconds.

    Raises:
        ValueError: not a duration; the message is fit for people.
    """
    if isinstance(written, int | float) and not isinstance(written, bool):
        if not math.isfinite(written) or written < 0:
            raise ValueError(f"{written} is not a duration")
        return float(written)
    parts = _PARTS.fullmatch(written.strip()) if isinstance(written, str) else None
    if parts is None:
        raise ValueError(f"{written!r} is not a duration; write 10s, 2m, 1h30m or a number of seconds")
    return int(parts["h"] or 0) * 3600 + int(parts["m"] or 0) * 60 + float(parts["s"] or 0)


def format_duration(seconds: float) -> str:
    """The shortest written form in one unit: 7200 → `2h`, 120 → `2m`, 65 → `65s`, 0.5 → `0.5s`."""
    if seconds and seconds % 3600 == 0:
        return f"{int(seconds // 3600)}h"
    if seconds and seconds % 60 == 0:
        return f"{int(seconds // 60)}m"
    return f"{int(seconds)}s" if seconds == int(seconds) else f"{seconds:.9f}".rstrip("0") + "s"
