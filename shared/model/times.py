"""Moments in time: aware, in UTC, and read only from text that carries an offset."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import msgspec

from shared.model.errors import InvalidRequest

Instant = Annotated[datetime, msgspec.Meta(tz=True)]
"""A datetime that knows its offset; everything the product makes is in UTC."""


def parse_instant(text: str, where: str = "time") -> datetime:
    """RFC 3339 text with an offset, as a UTC datetime.

    Raises:
        InvalidRequest: not a time, or without an offset. A time without one is never guessed: at a clock change it names
            two moments or none.
    """
    try:
        moment = datetime.fromisoformat(text)
        in_utc = moment.astimezone(UTC) if moment.tzinfo else None
    except (ValueError, OverflowError) as error:
        raise InvalidRequest(
            f"{where}: {text!r} is not a time.", hint="Write it as 2026-11-24T03:00:14+09:00 or 2026-11-23T18:00:14Z."
        ) from error
    if in_utc is None:
        raise InvalidRequest(
            f"{where}: {text!r} has no offset.", hint="Add one, for example +09:00 or Z: a naive time is ambiguous."
        )
    return in_utc


def iso(moment: datetime) -> str:
    """RFC 3339 in UTC with a `Z`, with fractions of a second only where there are any."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
