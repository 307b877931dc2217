"""Holds what a cluster has against what it shall have: every setting of the manifest, each difference a sentence."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from shared.model.cluster_settings import ClusterSettings, MemberSettings
from shared.model.naming import listed
from shared.model.records import replace, to_record

NOT_COMPARED = {
    "taken_at": "says when it was read",
    "identifier": "the side copy has a name of its own",
    "resource_id": "belongs to the cluster, not to its settings",
    "endpoint": "follows from the name",
    "reader_endpoint": "follows from the name",
    "allocated_storage_gib": "grows with the data",
    "activity_stream": "a stream is started by a person, with a key and a consumer",
    "unknown": "what could not be read cannot be compared",
}
"""Fields of ClusterSettings that need not be equal, and why."""
MEMBER_NOT_COMPARED = {
    "identifier": "is what members are matched by",
    "resource_id": "belongs to the instance, not to its settings",
    "endpoint": "follows from the name",
    "is_writer": "a fail-over changes it at any time",
}
_PARTS = ("members", "custom_endpoints")
AFTER_NAMES = frozenset({"deletion_protection", "custom_endpoints", "replica_scaling"})
"""What is put in place at the cut-over only: these hang on the final names, or would keep a side copy from being discarded."""


def differences(wanted: ClusterSettings, actual: ClusterSettings, leave_out: Collection[str] = ()) -> tuple[str, ...]:
    """One sentence for each setting that is not as wanted. Members and custom endpoints are matched by identifier."""
    unread = {**wanted.unknown, **actual.unknown}
    skipped = {*NOT_COMPARED, *leave_out, *unread, *_PARTS}
    found = list(_fields("", wanted, actual, skipped))
    if "members" not in leave_out:
        found += _matched("instance", wanted.members, actual.members, MEMBER_NOT_COMPARED)
    if "custom_endpoints" not in leave_out and "custom_endpoints" not in unread:
        found += _matched("custom endpoint", wanted.custom_endpoints, actual.custom_endpoints, ("identifier", "endpoint"))
    return tuple(found)


def member_differences(wanted: MemberSettings, actual: MemberSettings) -> tuple[str, ...]:
    return tuple(_fields(f"instance {wanted.identifier}: ", wanted, actual, MEMBER_NOT_COMPARED))


def with_names(settings: ClusterSettings, names: Mapping[str, str]) -> ClusterSettings:
    """The same settings under other instance identifiers, also inside custom endpoints."""
    members = tuple(replace(one, identifier=names.get(one.identifier, one.identifier)) for one in settings.members)
    endpoints = tuple(
        replace(
            one,
            static_members=tuple(sorted(names.get(name, name) for name in one.static_members)),
            excluded_members=tuple(sorted(names.get(name, name) for name in one.excluded_members)),
        )
        for one in settings.custom_endpoints
    )
    return replace(settings, members=members, custom_endpoints=endpoints)


def _matched(kind: str, wanted: tuple[Any, ...], actual: tuple[Any, ...], skipped: Collection[str]) -> Iterator[str]:
    there = {one.identifier: one for one in actual}
    for one in wanted:
        if one.identifier not in there:
            yield f"{kind} {one.identifier} is missing"
        else:
            yield from _fields(f"{kind} {one.identifier}: ", one, there[one.identifier], skipped)
    if more := sorted(set(there) - {one.identifier for one in wanted}):
        yield f"{kind} {listed(more)} should not be there"


def _fields(prefix: str, wanted: Any, actual: Any, skipped: Collection[str]) -> Iterator[str]:
    for field in wanted.__struct_fields__:
        if field in skipped:
            continue
        have, want = getattr(actual, field), getattr(wanted, field)
        if have != want:
            yield f"{prefix}{field.replace('_', ' ')} is {_shown(have)}, not {_shown(want)}"


def _shown(value: Any) -> str:
    """Values as people read them: nothing for what is not set."""
    return "not set" if value in (None, "", (), {}) else str(to_record(value))
