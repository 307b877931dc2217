"""When each table is really cut by a restore to one second: the spread within DynamoDB's precision.

Point-in-time recovery is given in whole seconds ("day:hour:minute:second", RestoreTableToPointInTime), each table by a
request of its own, and nothing is promised about two tables. A stand-in that cut all tables at the same instant would
be stricter than the service, and would let a restore of a busy moment pass. `audit` says what follows from that.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

PRECISION_SECONDS = 1.0


def cut_offsets(table_names: Iterable[str], precision_seconds: float = PRECISION_SECONDS) -> dict[str, float]:
    """Seconds after the requested second at which each table is cut: evenly spread over [0, precision_seconds).

    The order is by a hash of the names: always the same for the same tables, but without a pattern that a reader of
    the tables could rely on. 0 for `precision_seconds` cuts all of them at the same instant.
    """
    names = sorted(set(table_names), key=lambda name: hashlib.sha256(name.encode()).digest())
    return {name: precision_seconds * position / len(names) for position, name in enumerate(names)}
