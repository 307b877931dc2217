"""Is a restored account what it shall be: every field of its settings, but those that say which account it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from shared.databases.cosmos.account import same_region
from shared.model.cosmos_settings import ContainerSettings, CosmosRegion, CosmosSettings

IDENTITY = frozenset({"account", "endpoint", "instance_id", "port", "resource_id", "taken_at"})
LOST = frozenset({"private_endpoints"})
"""Belong to a network and its owner: a forecast says that nothing puts them back."""
CONTENTS = frozenset({"containers", "databases"})
ROLES = frozenset({"role_assignments", "roles"})
ON_CREATION = frozenset({"analytical_storage", "capabilities", "key_vault_key", "kind"})
"""Come with the restore, and nothing here changes them afterwards."""
OF_ACCOUNT = tuple(
    name
    for name in (field.name for field in msgspec.structs.fields(CosmosSettings))
    if name not in IDENTITY | LOST | CONTENTS | ROLES
)
"""What the account's own description says."""
SCRIPTS = frozenset({"functions", "stored_procedures", "triggers"})
"""No restore brings them: `--repair-all` does, after the properties are led to the account."""
OF_CONTAINER = ("ttl_seconds", "analytical_ttl_seconds", "throughput", "definition")


def account_differences(wanted: CosmosSettings, found: CosmosSettings) -> dict[str, str]:
    """By field, a sentence for each setting of the account itself that does not compare equal."""
    told = {}
    for name in OF_ACCOUNT:
        want, have = getattr(wanted, name), getattr(found, name)
        same = _same_regions(want, have) if name == "regions" else want == have
        if not same:
            told[name] = f"{name.replace('_', ' ')} is {_shown(have)}, wanted {_shown(want)}."
    return told


def role_differences(wanted: CosmosSettings, found: CosmosSettings) -> dict[str, str]:
    """By guid. What an account has beyond what it shall have is a difference, too: somebody could read who may not."""
    told: dict[str, str] = {}
    for what, want, have in (
        ("role definition", {item.guid: item for item in wanted.roles}, {item.guid: item for item in found.roles}),
        (
            "role assignment",
            {item.guid: item for item in wanted.role_assignments},
            {item.guid: item for item in found.role_assignments},
        ),
    ):
        told |= {guid: f"{what} {guid} is missing or another one." for guid in want if have.get(guid) != want[guid]}
        told |= {guid: f"{what} {guid} is not wanted." for guid in have if guid not in want}
    return told


def content_differences(wanted: CosmosSettings, found: CosmosSettings) -> dict[str, str]:
    """By database, or by container and field (`bank/account throughput`). What the point has beyond what is wanted, stays."""
    databases = {item.name: item for item in found.databases}
    containers = {item.path: item for item in found.containers}
    told = {}
    for database in wanted.databases:
        there = databases.get(database.name)
        if there is None:
            told[database.name] = f"database {database.name} is missing."
        elif there.throughput != database.throughput:
            told[database.name] = f"database {database.name} has {there.throughput}, wanted {database.throughput}."
    for container in wanted.containers:
        told |= dict(_of_container(container, containers.get(container.path)))
    return told


def script_differences(wanted: CosmosSettings, found: CosmosSettings) -> dict[str, str]:
    """By container, which scripts are missing."""
    containers = {item.path: item for item in found.containers}
    told = {}
    for container in wanted.containers:
        there = containers.get(container.path)
        missing = sorted(set(container.scripts) - set(there.scripts if there else ()))
        if missing:
            told[container.path] = f"{container.path} lacks {', '.join(missing)}."
    return told


def differences(wanted: CosmosSettings, found: CosmosSettings) -> dict[str, str]:
    """All but the scripts."""
    return {
        **account_differences(wanted, found),
        **role_differences(wanted, found),
        **content_differences(wanted, found),
    }


def _of_container(wanted: ContainerSettings, found: ContainerSettings | None) -> Iterator[tuple[str, str]]:
    if found is None:
        yield wanted.path, f"container {wanted.path} is missing."
        return
    for name in OF_CONTAINER:
        want, have = getattr(wanted, name), getattr(found, name)
        if want != have:
            yield f"{wanted.path} {name}", f"{wanted.path}: {name.replace('_', ' ')} is {_shown(have)}, wanted {_shown(want)}."


def _same_regions(want: tuple[CosmosRegion, ...], have: tuple[CosmosRegion, ...]) -> bool:
    """In order of priority. A region's name is written with spaces in one place and without in another."""
    return len(want) == len(have) and all(
        same_region(one.name, other.name) and one.priority == other.priority and one.zone_redundant == other.zone_redundant
        for one, other in zip(
            sorted(want, key=lambda region: region.priority), sorted(have, key=lambda region: region.priority), strict=True
        )
    )


def _shown(value: Any) -> str:
    if value in ("", None, (), {}):
        return "not set"
    return str(dict(value) if isinstance(value, Mapping) else msgspec.to_builtins(value))
