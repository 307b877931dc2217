"""How long the application waits for its tables: an estimate from numbers of tables and bytes, with what it rests on."""

from __future__ import annotations

from collections.abc import Sequence

from shared.databases.dynamodb.restore_items import Restoring

SMALL_TABLE_SECONDS, LARGE_TABLE_SECONDS = 20 * 60.0, 60 * 60.0
LARGE_BYTES = 1_000_000_000_000
BACKUP_SECONDS = 3 * 60.0
SETTLING_SECONDS = 2 * 60.0
"""Deletion, and settings put back."""


def estimate(restoring: Restoring, sizes: Sequence[int], by_recovery: int, live: int) -> tuple[float, str]:
    """Seconds, and a sentence. AWS names no formula: a restore usually takes less than an hour, one by point-in-time recovery
    at least about twenty minutes, and skewed keys and indexes slow both down (AWS re:Post, "DynamoDB restore taking long")."""
    most = restoring.max_concurrent_restores
    one = _one_table(max(sizes, default=0))
    rounds = -(-len(sizes) // most)
    recovery_rounds = -(-by_recovery // most)
    seconds = rounds * one + recovery_rounds * (one + BACKUP_SECONDS)
    if not restoring.is_aside:
        seconds += (restoring.quiet_seconds + BACKUP_SECONDS if live else 0.0) + (SETTLING_SECONDS if sizes else 0.0)
    basis = (
        f"{len(sizes)} tables in {_rounds(rounds)} of at most {most}, {one / 60:.0f} minutes each: 20 for a small table up to "
        "60 for 1 TB and more"
    )
    if by_recovery:
        basis += f"; {_rounds(recovery_rounds)} before that for {by_recovery} tables that have to be recovered first"
    return round(
        seconds
    ), f"{basis}. AWS promises no time: usually under an hour per table; skewed keys and indexes slow it down."


def _rounds(number: int) -> str:
    return f"{number} round{'' if number == 1 else 's'}"


def _one_table(size_bytes: int) -> float:
    share = min(1.0, size_bytes / LARGE_BYTES)
    return SMALL_TABLE_SECONDS + share * (LARGE_TABLE_SECONDS - SMALL_TABLE_SECONDS)
