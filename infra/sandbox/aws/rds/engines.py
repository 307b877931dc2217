"""The engines that RDS and Aurora offer here: ports, versions, parameter group families, licences."""

from __future__ import annotations

import re
from dataclasses import dataclass

from infra.sandbox.aws.rds.refusals import invalid_combination, invalid_value

_BRING_YOUR_OWN = "bring-your-own-license"
_INCLUDED = "license-included"


@dataclass(frozen=True)
class Engine:
    """`licences`: the first is the default. `family`: how parameter group families of it begin."""

    name: str
    port: int
    version: str
    licences: tuple[str, ...]
    clustered: bool = False
    """Aurora: instances exist in clusters only."""
    multi_az_cluster: bool = False
    """Offered as a Multi-AZ DB cluster."""

    def family(self, version: str) -> str:
        """The family of parameter groups for a version, as `aws rds describe-db-engine-versions` names it."""
        major, minor = _first_two(version)
        if self.name.startswith("oracle"):
            return f"{self.name}-{major}"
        if self.name.startswith("sqlserver"):
            return f"{self.name}-{int(major)}.{int(minor[:1])}"
        if "postgres" in self.name:
            return f"{self.name}{major}"
        return f"{self.name}{major}.{minor}"

    def default_option_group(self, version: str) -> str:
        """Name of the option group that AWS made for this engine and major version."""
        major, minor = _first_two(version)
        if self.name.startswith("oracle") or "postgres" in self.name:
            return f"default:{self.name}-{major}"
        return f"default:{self.name}-{major}-{minor}"

    @property
    def takes_database_name_in_restore(self) -> bool:
        """Only Oracle and SQL Server can give the restored instance another DBName."""
        return self.name.startswith(("oracle", "sqlserver"))

    def check_licence(self, licence: str) -> None:
        """InvalidParameterCombination when the engine is not sold under it."""
        if licence not in self.licences:
            raise invalid_combination(
                f"Invalid license model '{licence}' for engine '{self.name}'. Valid license models are: "
                f"{', '.join(self.licences)}."
            )


def _oracle(name: str, licences: tuple[str, ...]) -> Engine:
    return Engine(name, 1521, "19.0.0.0.ru-2025-04.rur-2025-04.r1", licences)


def _sql_server(edition: str) -> Engine:
    return Engine(f"sqlserver-{edition}", 1433, "15.00.4430.1.v1", (_INCLUDED,))


_ENGINES = {
    engine.name: engine
    for engine in (
        Engine("mysql", 3306, "8.0.42", ("general-public-license",), multi_az_cluster=True),
        Engine("postgres", 5432, "16.9", ("postgresql-license",), multi_az_cluster=True),
        Engine("aurora-mysql", 3306, "8.0.mysql_aurora.3.08.2", ("general-public-license",), clustered=True),
        Engine("aurora-postgresql", 5432, "16.8", ("postgresql-license",), clustered=True),
        _oracle("oracle-ee", (_BRING_YOUR_OWN,)),
        _oracle("oracle-ee-cdb", (_BRING_YOUR_OWN,)),
        _oracle("oracle-se2", (_INCLUDED, _BRING_YOUR_OWN)),
        _oracle("oracle-se2-cdb", (_INCLUDED, _BRING_YOUR_OWN)),
        *(_sql_server(edition) for edition in ("ee", "se", "ex", "web")),
    )
}


def engine_of(name: str) -> Engine:
    """InvalidParameterValue when RDS has no such engine."""
    if name not in _ENGINES:
        raise invalid_value(f"Invalid DB engine: {name}. Valid engines are: {', '.join(sorted(_ENGINES))}.")
    return _ENGINES[name]


def _first_two(version: str) -> tuple[str, str]:
    parts = re.split(r"[.]", version)
    return parts[0], parts[1] if len(parts) > 1 else "0"
