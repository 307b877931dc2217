"""The functions' environment, read and validated once, at cold start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from shared.model.errors import Misconfigured


@dataclass(frozen=True)
class Settings:
    """`catalog_table` and `event_bus` are names; `region` is the function's own."""

    catalog_table: str
    event_bus: str
    region: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Settings:
        """Raises Misconfigured, naming every variable that is missing at once."""
        names = {"catalog_table": "CATALOG_TABLE", "event_bus": "EVENT_BUS", "region": "AWS_REGION"}
        missing = [name for name in names.values() if not environment.get(name)]
        if missing:
            raise Misconfigured(
                f"The function's environment lacks {', '.join(missing)}.",
                hint="The template infra/aws/template.yaml sets them; deploy it again.",
            )
        return cls(**{field: environment[name] for field, name in names.items()})
