"""Is a restored server what it shall be: every field of its settings, but those that say which server it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from shared.model.server_settings import EntraAdministrator, ServerSettings

IDENTITY = frozenset({"created_at", "endpoint", "port", "resource_id", "server", "taken_at"})
LOST = frozenset({"private_endpoints", "replicas"})
"""Belong to the replaced server: a forecast says that nothing puts them back."""
CONTENTS = frozenset({"administrators", "configurations", "firewall_rules"})
"""Read by calls of their own."""
ON_CREATION = frozenset(
    {
        "administrator_login",
        "dns_zone",
        "encryption",
        "engine",
        "geo_key_identity",
        "geo_key_uri",
        "geo_redundant_backup",
        "key_identity",
        "key_uri",
        "location",
        "storage_type",
        "subnet",
        "version",
        "zone",
    }
)
"""Come with the restore, and nothing here changes them afterwards."""
STANDBY = ("ha_mode", "standby_zone")
OF_SERVER = tuple(
    name for name in (field.name for field in msgspec.structs.fields(ServerSettings)) if name not in IDENTITY | LOST | CONTENTS
)
"""What the server's own description says."""


def server_differences(wanted: ServerSettings, found: ServerSettings) -> dict[str, str]:
    """By field, a sentence for each setting of the server itself that does not compare equal."""
    told = {}
    for name in OF_SERVER:
        want, have = getattr(wanted, name), getattr(found, name)
        if not _SAME.get(name, _equal)(want, have):
            told[name] = f"{name.replace('_', ' ')} is {_shown(have)}, wanted {_shown(want)}."
    return told


def parameter_differences(wanted: Mapping[str, str], found: Mapping[str, str]) -> dict[str, str]:
    """By parameter. One that the restored server has beyond what is wanted is a difference, too."""
    told = {}
    for name in sorted({*wanted, *found}):
        if name not in found:
            told[name] = f"parameter {name} is not set, wanted {wanted[name]!r}."
        elif name not in wanted:
            told[name] = f"parameter {name} is {found[name]!r}, wanted its default."
        elif not same_value(wanted[name], found[name]):
            told[name] = f"parameter {name} is {found[name]!r}, wanted {wanted[name]!r}."
    return told


def firewall_differences(wanted: Mapping[str, tuple[str, str]], found: Mapping[str, tuple[str, str]]) -> dict[str, str]:
    """By rule. A door that shall not be there is a difference, too."""
    told = {}
    for name in sorted({*wanted, *found}):
        want, have = wanted.get(name), found.get(name)
        if want != have:
            told[name] = f"firewall rule {name} is {_range(have)}, wanted {_range(want)}."
    return told


def administrator_differences(wanted: ServerSettings, found: ServerSettings) -> dict[str, str]:
    """By object id."""
    want = {one.object_id: one for one in wanted.administrators}
    have = {one.object_id: one for one in found.administrators}
    told = {}
    for object_id in sorted({*want, *have}):
        one, other = want.get(object_id), have.get(object_id)
        if one is None and other is not None:
            told[object_id] = f"Microsoft Entra administrator {other.name} is not wanted."
        elif one is not None and (other is None or not _same_administrator(one, other)):
            told[object_id] = f"Microsoft Entra administrator {one.name} is missing or another one."
    return told


def differences(wanted: ServerSettings, found: ServerSettings) -> tuple[str, ...]:
    """All of them, as sentences."""
    return (
        *server_differences(wanted, found).values(),
        *parameter_differences(wanted.configurations, found.configurations).values(),
        *firewall_differences(wanted.firewall_rules, found.firewall_rules).values(),
        *administrator_differences(wanted, found).values(),
    )


def same_value(one: str, other: str) -> bool:
    """The services write ON where they were given on."""
    return one.strip().casefold() == other.strip().casefold()


def _equal(want: Any, have: Any) -> bool:
    return bool(want == have)


def _at_least(want: int, have: int) -> bool:
    """Storage never shrinks: what grew since the point stays grown."""
    return have >= want


def _unless_unsaid(want: str, have: str) -> bool:
    """A server need not name what its owner never chose."""
    return not want or not have or want == have


def _same_id(want: str, have: str) -> bool:
    """Case does not count in resource ids."""
    return want.casefold() == have.casefold()


def _same_ids(want: tuple[str, ...], have: tuple[str, ...]) -> bool:
    return sorted(one.casefold() for one in want) == sorted(one.casefold() for one in have)


def _same_region(want: str, have: str) -> bool:
    return want.replace(" ", "").casefold() == have.replace(" ", "").casefold()


def _same_administrator(want: EntraAdministrator, have: EntraAdministrator) -> bool:
    return (want.name, want.kind, want.tenant) == (have.name, have.kind, have.tenant) and _same_id(want.identity, have.identity)


def _range(rule: tuple[str, str] | None) -> str:
    return f"{rule[0]} to {rule[1]}" if rule else "not there"


def _shown(value: Any) -> str:
    if value in ("", None, (), {}):
        return "not set"
    return str(msgspec.to_builtins(value))


_SAME: dict[str, Callable[[Any, Any], bool]] = {
    "dns_zone": _same_id,
    "geo_key_identity": _same_id,
    "key_identity": _same_id,
    "location": _same_region,
    "standby_zone": _unless_unsaid,
    "storage_gib": _at_least,
    "subnet": _same_id,
    "user_identities": _same_ids,
    "zone": _unless_unsaid,
}
