"""The functions' environment, read and validated once, at cold start."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from shared.model.errors import Misconfigured
from shared.wiring.aws import RESTORE_MACHINE_VARIABLE

_HINT = "The template infra/aws/template.yaml sets them; deploy it again."


@dataclass(frozen=True)
class Settings:
    """`catalog_table` and `event_bus` are names; `region` is the function's own. `restore_machine` is the ARN of the restore
    state machine, which only the function that starts restores is given. `safety_quiet_seconds`: see `AwsRooms`.
    """

    catalog_table: str
    event_bus: str
    region: str
    restore_machine: str = ""
    safety_quiet_seconds: float | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Settings:
        """Raises Misconfigured, naming every variable that is missing at once, or one that makes no sense."""
        names = {"catalog_table": "CATALOG_TABLE", "event_bus": "EVENT_BUS", "region": "AWS_REGION"}
        missing = [name for name in names.values() if not environment.get(name)]
        if missing:
            raise Misconfigured(f"The function's environment lacks {', '.join(missing)}.", hint=_HINT)
        return cls(
            **{field: environment[name] for field, name in names.items()},
            restore_machine=environment.get(RESTORE_MACHINE_VARIABLE, ""),
            safety_quiet_seconds=_seconds(environment, "SAFETY_QUIET_SECONDS"),
        )


def _seconds(environment: Mapping[str, str], name: str) -> float | None:
    text = environment.get(name)
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise Misconfigured(f"The function's environment has {name}={text!r}, which is no number of seconds.", hint=_HINT)
    return seconds
