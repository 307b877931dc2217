"""How long things take and how much there may be in the sandbox's Azure; changed at run time through the admin API."""

from dataclasses import dataclass, fields


@dataclass
class Settings:
    """Defaults keep a demo short; the order of events stays that of Azure, only the waiting is shorter.

    All times are seconds. A change holds for what begins after it: a restore that runs keeps its own end.
    """

    retry_after_seconds: float = 0.0
    """What accepted operations and their polls answer in Retry-After, in whole seconds; 0 leaves the header out."""
    cosmos_lag_seconds: float = 3.0
    """Cosmos DB: latestRestorableTimestamp behind now. Azure: up to 100."""
    cosmos_create_seconds: float = 0.5
    """Cosmos DB: a new account stays Creating this long."""
    cosmos_restore_seconds: float = 1.5
    """Cosmos DB: a restored account stays Creating this long. Azure: hours, by size."""
    cosmos_restore_spread_seconds: float = 0.0
    """Cosmos DB: each container is cut at a moment of its own, up to so long after the second asked for. Azure promises the
    second, and nothing across containers."""
    cosmos_update_seconds: float = 0.2
    """Cosmos DB: an account stays Updating this long."""
    cosmos_delete_seconds: float = 0.3
    """Cosmos DB: an account stays Deleting, its name taken, this long."""
    cosmos_resource_seconds: float = 0.0
    """Cosmos DB: making, changing and deleting databases, containers and scripts take this long each."""
    cosmos_max_accounts: float = 50
    """Cosmos DB: accounts that a subscription may have. 50 was Azure's own default for long."""
    servers_lag_seconds: float = 3.0
    """Flexible servers: the latest moment that can be restored, behind now. Azure: up to 300."""
    servers_create_seconds: float = 0.5
    """Flexible servers: making a new one takes this long."""
    servers_restore_seconds: float = 1.5
    """Flexible servers: a restore takes this long. Azure: a few minutes up to a few hours."""
    servers_update_seconds: float = 0.2
    """Flexible servers: a change of a server, of its parameters or firewall rules takes this long."""
    servers_delete_seconds: float = 0.3
    """Flexible servers: a server stays Dropping, its name taken, this long."""
    servers_first_backup_seconds: float = 0.2
    """Flexible servers: before the first automatic backup has ended nothing can be restored."""
    servers_backup_seconds: float = 0.3
    """Flexible servers: an on-demand backup takes this long."""
    servers_restore_inherits: float = 0.0
    """Flexible servers: above 0 a restored one has the firewall rules and tags of its source, and PostgreSQL its parameters.
    The documentation says so in some places and denies it in others; 0 denies it."""
    servers_max: float = 50
    """Flexible servers: how many of one engine a subscription may have in a region, by its quota of cores."""

    def change(self, changes: dict[str, object]) -> None:
        """Set every named value, or none: ValueError names an unknown setting or a value of the wrong kind."""
        known = {field.name for field in fields(self)}
        for name, value in changes.items():
            if name not in known:
                raise ValueError(f"Unknown setting {name!r}. Known settings: {', '.join(sorted(known))}.")
            if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
                raise ValueError(f"Setting {name} must be a number that is not negative, not {value!r}.")
        for name, value in changes.items():
            setattr(self, name, value)

    def reset(self) -> None:
        """Back to the defaults."""
        for field in fields(self):
            setattr(self, field.name, field.default)
