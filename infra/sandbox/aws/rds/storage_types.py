"""Storage types of instances: what gp3 has without being told, when its IOPS may be chosen, and encryption keys.

From the RDS User Guide, "DB instance storage": baselines and the sizes from which IOPS and throughput can be given.
"""

from __future__ import annotations

from typing import Any

from infra.sandbox.aws.rds.inventory import Inventory
from infra.sandbox.aws.rds.refusals import invalid_combination

_SMALL_GP3, _LARGE_GP3 = (3_000, 125), (12_000, 500)
"""IOPS and MiB/s."""
_LARGE_FROM_GIB, _LARGE_FROM_GIB_ORACLE = 400, 200


def baseline(settings: dict[str, Any]) -> tuple[int, int] | None:
    """IOPS and MiB/s that come with the storage by itself; None for types that have none to show."""
    if settings["StorageType"] != "gp3":
        return None
    return _LARGE_GP3 if _is_large(settings) else _SMALL_GP3


def check(settings: dict[str, Any], given: dict[str, Any]) -> None:
    """`given` are the parameters of the request."""
    kind = settings["StorageType"]
    if kind in ("io1", "io2") and not settings.get("Iops"):
        raise invalid_combination(f"You must specify Iops for storage type {kind}.")
    chosen = [name for name in ("Iops", "StorageThroughput") if name in given]
    if kind == "gp3" and chosen and not _can_choose(settings):
        raise invalid_combination(
            f"You can't specify IOPS or storage throughput for engine {settings['Engine']} and a storage size less than "
            f"{_large_from(settings)}."
        )


def default_key(inventory: Inventory) -> str:
    """What an encrypted database is encrypted with when no key was named: the account's own key for RDS."""
    return f"arn:aws:kms:{inventory.region}:{inventory.account}:key/00000000-0000-4000-8000-0000000a5001"


def _can_choose(settings: dict[str, Any]) -> bool:
    return settings["Engine"].startswith("sqlserver") or _is_large(settings)


def _is_large(settings: dict[str, Any]) -> bool:
    return not settings["Engine"].startswith("sqlserver") and settings["AllocatedStorage"] >= _large_from(settings)


def _large_from(settings: dict[str, Any]) -> int:
    return _LARGE_FROM_GIB_ORACLE if settings["Engine"].startswith("oracle") else _LARGE_FROM_GIB
