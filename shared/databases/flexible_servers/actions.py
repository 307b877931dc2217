"""The ARM actions that each privilege class needs for flexible servers, on the plan's resource group; a test holds the code to
them. `measure_clock` needs none."""

from __future__ import annotations

from shared.databases.flexible_servers.engines import MYSQL, Engine

LINKED_ACTIONS = (
    "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action",
    "Microsoft.Network/privateDnsZones/join/action",
    "Microsoft.Network/virtualNetworks/subnets/join/action",
)
"""`restore`, on the managed identities, the private DNS zone and the subnet that a server has. They may be in any resource
group, so they are granted where they are."""

_READ = ("administrators/read", "configurations/read", "firewallRules/read", "read", "replicas/read")


def check_actions(engine: Engine) -> tuple[str, ...]:
    """`check`, `forecast`, `verify`, and `protect` without a backup in the window."""
    return _named(engine, (*_READ, f"{_backups(engine)}/read"))


def window_backup_actions(engine: Engine) -> tuple[str, ...]:
    """`begin_snapshot`."""
    kind = _backups(engine)
    return _named(engine, ("read", f"{kind}/read", f"{kind}/write"))


def protect_actions(engine: Engine) -> tuple[str, ...]:
    """`protect` and `clean_up`."""
    more = _named(engine, ("backups/delete",)) if engine.deletes_backups else ()
    return (*check_actions(engine), *more)


def restore_actions(engine: Engine) -> tuple[str, ...]:
    """`restore` and `cut_over`, with `LINKED_ACTIONS` on what a server's settings name."""
    parameters = "updateConfigurations/action" if engine is MYSQL else "configurations/write"
    own = ("administrators/delete", "administrators/write", "firewallRules/delete", "firewallRules/write", "restart/action")
    return (*check_actions(engine), *_named(engine, (*own, parameters, "write")))


def discard_actions(engine: Engine) -> tuple[str, ...]:
    """`discard`. A server has no narrower scope before it exists, so the code alone keeps to what bears a restore's stamp."""
    return _named(engine, ("delete", "read"))


def _backups(engine: Engine) -> str:
    return "backupsV2" if engine is MYSQL else "backups"


def _named(engine: Engine, rest: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{engine.resource}/{one}" for one in rest)
