"""Keeps calls below the rates that DynamoDB grants per account: a thousand tables must not throttle the owner's own work."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from threading import Lock

PER_SECOND: Mapping[str, float] = {
    "create_backup": 50,
    "list_backups": 5,
    "describe_backup": 10,
    "delete_backup": 10,
    "restore_table_from_backup": 10,
    "describe_continuous_backups": 10,
    "list_tags_of_resource": 10,
}
"""Granted by the API reference of each operation."""
OUR_SHARE = 0.8
"""The part of a granted rate that is used. Calls that leave evenly arrive in bunches, and a refused call is sent again, which
makes the next bunch larger; the rest is also for whoever else works in the account."""
PER_SECOND_OTHERWISE = 25.0
"""Nothing is documented for the rest; well below where control-plane calls are known to be throttled."""


class Rates:
    """Spaces the calls of each operation evenly. One object per region, shared by all threads.

    Evenly, without bursts: a bucket that fills up while idle lets almost twice the rate through within one second.
    """

    def __init__(
        self,
        monotonic: Callable[[], float],
        pause: Callable[[float], None],
        per_second: Mapping[str, float] = PER_SECOND,
        otherwise: float = PER_SECOND_OTHERWISE,
    ) -> None:
        self._monotonic = monotonic
        self._pause = pause
        self._per_second = per_second
        self._otherwise = otherwise
        self._next_turn: dict[str, float] = {}
        self._lock = Lock()

    def wait_turn(self, operation: str, until: float) -> bool:
        """Waits for this operation's next turn. False, without waiting, when that would come after `until` (monotonic)."""
        with self._lock:
            now = self._monotonic()
            turn = max(now, self._next_turn.get(operation, now))
            if turn > until:
                return False
            self._next_turn[operation] = turn + 1 / (OUR_SHARE * self._per_second.get(operation, self._otherwise))
        if turn > now:
            self._pause(turn - now)
        return True
