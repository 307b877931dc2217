"""What differs between MySQL and PostgreSQL flexible servers besides the shape of their APIs.

Sources: "Backup and restore" of either service.
"""

from __future__ import annotations

from dataclasses import dataclass

from shared.model.errors import InvalidRequest


@dataclass(frozen=True)
class Engine:
    """`most_backups` is how many on-demand backups a server may have; `deletes_backups` whether one can be deleted by hand."""

    name: str
    label: str
    provider: str
    port: int
    most_backups: int
    deletes_backups: bool
    loses: str

    @property
    def resource(self) -> str:
        """The resource type, with which the names of rights begin."""
        return f"{self.provider}/flexibleServers"


MYSQL = Engine(
    name="mysql",
    label="Azure Database for MySQL",
    provider="Microsoft.DBforMySQL",
    port=3306,
    most_backups=50,
    deletes_backups=False,
    loses=(
        "Azure restores into a new server without high availability, read replicas and private endpoints; parameters such as "
        "time_zone and event_scheduler are reset."
    ),
)
POSTGRESQL = Engine(
    name="postgresql",
    label="Azure Database for PostgreSQL",
    provider="Microsoft.DBforPostgreSQL",
    port=5432,
    most_backups=7,
    deletes_backups=True,
    loses=(
        "Azure restores into a new server with default parameters, without high availability, firewall rules, read replicas "
        "and private endpoints."
    ),
)


def engine_named(name: str) -> Engine:
    """Raises InvalidRequest for an engine that has no flexible servers."""
    for engine in (MYSQL, POSTGRESQL):
        if engine.name == name:
            return engine
    raise InvalidRequest(f"There are no flexible servers of {name!r}.", hint="The engine is mysql or postgresql.")


def why_no_backup(engine: Engine, tier: str, storage_type: str) -> str:
    """Why a server takes no on-demand backups; empty when it does."""
    if engine is not POSTGRESQL:
        return ""
    if tier == "Burstable":
        return "a server of the Burstable tier takes no on-demand backups"
    if storage_type.startswith("PremiumV2"):
        return "a server on Premium SSD v2 takes no on-demand backups"
    return ""
