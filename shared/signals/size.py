"""Making an event's detail fit into an event: long texts are cut first, then whole fields make way, the largest first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

TEXT_LIMITS = (8_000, 2_000, 500)
"""Characters kept of each text, in the order in which they are tried."""


def fitted(detail: Mapping[str, Any], most_bytes: int) -> dict[str, Any]:
    """The same detail when it fits into `most_bytes` of JSON; otherwise as much as does, with every cut said in its place."""
    whole = dict(detail)
    for limit in (None, *TEXT_LIMITS):
        cut = whole if limit is None else {name: _cut(value, limit) for name, value in whole.items()}
        if _size(cut) <= most_bytes:
            return cut
    for name in sorted(cut, key=lambda name: _size(cut[name]), reverse=True):
        if _size(cut) <= most_bytes:
            break
        cut[name] = f"left out: {_size(whole[name])} bytes of JSON"
    return cut


def _cut(value: Any, limit: int) -> Any:
    match value:
        case str() if len(value) > limit:
            return f"{value[:limit]}… ({len(value) - limit} more characters)"
        case Mapping():
            return {key: _cut(item, limit) for key, item in value.items()}
        case list() | tuple():
            return [_cut(item, limit) for item in value]
    return value


def _size(value: Any) -> int:
    return len(msgspec.json.encode(value))
