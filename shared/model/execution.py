"""An execution of a deployment's engine, as whoever started it needs to know it."""

from __future__ import annotations

from typing import NamedTuple


class StartedExecution(NamedTuple):
    """`id` is an ARN or an instance id, `console` the link to it (empty where there is none)."""

    id: str
    console: str
