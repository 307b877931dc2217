"""The tags by which we know again what we made, whatever it is called; everything else that looks like ours is left alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

PREFIX = "scalar-backup:"
RUN = f"{PREFIX}run"
"""The run that made it."""
POINT = f"{PREFIX}point"
"""On a restored database: the second it was restored to. On a snapshot: the restore point that it is kept for."""
SOURCE = f"{PREFIX}source"
"""What it was restored from: a DbiResourceId, a DbClusterResourceId or the ARN of a snapshot."""
ASKED_AT = f"{PREFIX}asked-at"
"""On a snapshot: when it was asked for, by the clock of the function."""


def as_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """As RDS wants them."""
    return [{"Key": key, "Value": value} for key, value in sorted(tags.items())]


def as_mapping(tag_list: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """From a TagList."""
    return {tag["Key"]: tag.get("Value", "") for tag in tag_list}


def of_owner(tag_list: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Those that its owner gave it: without AWS's, which nobody else can set, and without ours."""
    return {key: value for key, value in as_mapping(tag_list).items() if not key.startswith(("aws:", PREFIX))}
