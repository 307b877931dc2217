"""Is a restored DB instance what it shall be: every field of its settings, but those that say which instance it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from shared.model.instance_settings import InstanceSettings

IDENTITY = frozenset({"taken_at", "identifier", "resource_id", "arn", "endpoint"})
"""Which instance it is; the endpoint is looked at on its own, when the name has been taken over."""
LOST = frozenset({"activity_stream", "read_replicas", "replicated_backups"})
"""Belong to the replaced instance or to other regions: a forecast says that nothing puts them back."""
OF_THE_DATA = frozenset(
    {
        "character_set",
        "db_name",
        "engine",
        "kms_key_id",
        "master_username",
        "multi_tenant",
        "nchar_character_set",
        "storage_encrypted",
        "tde_credential_arn",
        "timezone",
    }
)
"""Come with the data, and no restore or modification of it can change them."""
COMPARED = tuple(
    name for name in (field.name for field in msgspec.structs.fields(InstanceSettings)) if name not in IDENTITY | LOST
)


def differences(wanted: InstanceSettings, found: InstanceSettings) -> dict[str, str]:
    """By field, a sentence for each setting that does not compare equal."""
    told = {}
    for name in COMPARED:
        want, have = getattr(wanted, name), getattr(found, name)
        if not _SAME.get(name, _equal)(want, have):
            told[name] = f"{name.replace('_', ' ')} is {_shown(have)}, wanted {_shown(want)}."
    return told


def of_the_data(wanted: InstanceSettings, source: InstanceSettings) -> dict[str, str]:
    """Those differences that nothing can put right: the data was made under other settings."""
    return {name: text for name, text in differences(wanted, source).items() if name in OF_THE_DATA}


def _equal(want: Any, have: Any) -> bool:
    return bool(want == have)


def _at_least(want: int, have: int) -> bool:
    """Storage never shrinks: what grew since the point stays grown."""
    return have >= want


def _unless_unsaid(want: str, have: str) -> bool:
    """A restored instance need not state the name of the database that was made with the original."""
    return not have or want == have


def _same_volumes(want: Any, have: Any) -> bool:
    grown = {one.name: one.allocated_gib for one in have}
    return len(want) == len(have) and all(
        one.name in grown
        and grown[one.name] >= one.allocated_gib
        and any(msgspec.structs.replace(other, allocated_gib=one.allocated_gib) == one for other in have)
        for one in want
    )


def _same_or_newer(want: str, have: str) -> bool:
    """Upgraded meanwhile is fine; a restore that comes with the version of then is upgraded to the live one's."""
    return bool(want) == bool(have) and _version(have) >= _version(want)


def _version(text: str) -> list[tuple[int, int | str]]:
    """Comparable: numbers as numbers, and before words."""
    return [(0, int(part)) if part.isdigit() else (1, part) for part in text.replace("-", ".").split(".")]


def _shown(value: Any) -> str:
    if value in ("", None, (), {}):
        return "not set"
    return str(msgspec.to_builtins(value))


_SAME: dict[str, Callable[[Any, Any], bool]] = {
    "additional_volumes": _same_volumes,
    "allocated_gib": _at_least,
    "db_name": _unless_unsaid,
    "engine_version": _same_or_newer,
}
