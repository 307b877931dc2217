"""The generations of Scalar Admin behaviour, as plain values; `gate` acts on them and `admin` words the answers.

Sources: ScalarDB's and ScalarDL's public servers up to 3.13 and from 3.14, ScalarDB Cluster's release notes of
3.15.9, 3.16.6, 3.17.4, 3.18.1 (race fixed) and 3.19.0 (reasons). ScalarDB Cluster itself is closed source.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Drain(Enum):
    """What a waiting Pause looks at while requests are still outstanding."""

    BLIND = "only at the outstanding requests: an Unpause in between goes unnoticed"
    UNTIL_OPEN = "an Unpause ends the drain, and having nothing outstanding then counts as paused"
    IN_TURN = "one Pause after the other; it knows whether it closed the gate, and notices an Unpause"


class WhilePaused(Enum):
    """What happens to a client request that arrives at a closed gate."""

    REFUSED = "answered UNAVAILABLE"
    HELD = "waits until the Unpause"


@dataclass(frozen=True)
class Generation:
    """How one range of releases behaves.

    reason_domain: the ErrorInfo domain of its failures, or None when failures carry no machine-readable reason.
    refuses_empty_wait: whether a `max_pause_wait_time` of 0 or less is INVALID_ARGUMENT instead of the default.
    explains: whether a failed drain comes with a text (ScalarDL up to 3.13 sends none).
    has_check_paused: CheckPaused exists since the releases of May 2022.
    """

    name: str
    drain: Drain
    while_paused: WhilePaused
    reason_domain: str | None = None
    refuses_empty_wait: bool = False
    explains: bool = True
    has_check_paused: bool = True


SERVER = Generation("ScalarDB Server", Drain.BLIND, WhilePaused.REFUSED)
SERVER_BEFORE_CHECK_PAUSED = Generation("ScalarDB Server before 3.6", Drain.BLIND, WhilePaused.REFUSED, has_check_paused=False)
CLUSTER = Generation("ScalarDB Cluster", Drain.BLIND, WhilePaused.REFUSED)
CLUSTER_RACE_FIXED = Generation("ScalarDB Cluster with the race fix", Drain.IN_TURN, WhilePaused.REFUSED)
CLUSTER_3_19 = Generation(
    "ScalarDB Cluster 3.19",
    Drain.IN_TURN,
    WhilePaused.REFUSED,
    reason_domain="com.scalar.db.cluster.admin",
    refuses_empty_wait=True,
)
LEDGER = Generation("ScalarDL", Drain.UNTIL_OPEN, WhilePaused.HELD, explains=False)
LEDGER_BEFORE_CHECK_PAUSED = Generation(
    "ScalarDL before 3.5", Drain.UNTIL_OPEN, WhilePaused.HELD, explains=False, has_check_paused=False
)
LEDGER_3_14 = Generation(
    "ScalarDL 3.14",
    Drain.IN_TURN,
    WhilePaused.HELD,
    reason_domain="com.scalar.dl.admin",
    refuses_empty_wait=True,
)
