"""Whether a table has the settings that it shall have: every field of `TableSettings`, each difference as a sentence."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from shared.model.records import replace
from shared.model.table_settings import Capacity, ScalingTarget, TableSettings

IDENTITY = frozenset({"taken_at", "table_id", "unknown"})
"""The fields that say what the settings are of. Every other field is a setting."""
SETTINGS = tuple(field.name for field in msgspec.structs.fields(TableSettings) if field.name not in IDENTITY)
EVERYTHING = "*"
"""In `unknown`: none of the fields could be read."""

Bounds = Mapping[tuple[str, str], tuple[int, int]]
"""Least and most units that auto scaling may choose, by index (empty: the table) and `read_units` or `write_units`."""


@dataclass(frozen=True)
class Difference:
    """`is_optional`: the service may refuse to put it right, and the table is good all the same."""

    field: str
    text: str
    is_optional: bool = False


def is_unknown(settings: TableSettings, field: str) -> bool:
    return field in settings.unknown or EVERYTHING in settings.unknown


def completed(of_point: TableSettings, of_live: TableSettings | None) -> TableSettings:
    """What the restored table shall have: the point's settings, and where those could not be read, the live table's."""
    if of_live is None:
        return of_point
    filled = [field for field in SETTINGS if is_unknown(of_point, field) and not is_unknown(of_live, field)]
    still = [field for field in SETTINGS if is_unknown(of_point, field) and field not in filled]
    return replace(
        of_point,
        unknown={field: of_point.unknown.get(field, of_point.unknown.get(EVERYTHING, "")) for field in still},
        **{field: getattr(of_live, field) for field in filled},
    )


def differences(wanted: TableSettings, current: TableSettings) -> tuple[Difference, ...]:
    """In the order of the fields. What is unknown of `wanted` is not compared, see `remarks`."""
    found: list[Difference] = []
    for field in SETTINGS:
        if is_unknown(wanted, field):
            continue
        if is_unknown(current, field):
            reason = current.unknown.get(field) or current.unknown[EVERYTHING]
            found.append(Difference(field, f"{_words(field)}: cannot be read back ({reason})."))
        else:
            found += _COMPARED.get(field, _plain)(field, wanted, current)
    return tuple(found)


def remarks(wanted: TableSettings) -> tuple[str, ...]:
    """What nobody can compare because it was not known in the first place."""
    return tuple(
        f"{'all settings' if field == EVERYTHING else _words(field)}: not known ({reason}), so look at them."
        for field, reason in sorted(wanted.unknown.items())
    )


def bounds_of(settings: TableSettings) -> Bounds:
    """`dimension` is `dynamodb:table:ReadCapacityUnits` or of an index; `resource` is `table/<name>[/index/<index>]`."""
    if is_unknown(settings, "scaling_targets"):
        return {}
    return {
        (target.resource.partition("/index/")[2], "read_units" if "Read" in target.dimension else "write_units"): (
            target.min_capacity,
            target.max_capacity,
        )
        for target in settings.scaling_targets
    }


def _plain(field: str, wanted: TableSettings, current: TableSettings) -> Iterable[Difference]:
    shall, is_now = getattr(wanted, field), getattr(current, field)
    if shall != is_now:
        yield _different(field, _words(field), shall, is_now)


def _different(field: str, what: str, shall: object, is_now: object, is_optional: bool = False) -> Difference:
    return Difference(field, f"{what}: is {_shown(is_now)}, shall be {_shown(shall)}.", is_optional)


def _recovery_period(field: str, wanted: TableSettings, current: TableSettings) -> Iterable[Difference]:
    """None: the service did not say it, so any will do."""
    if wanted.recovery_period_days is not None:
        yield from _plain(field, wanted, current)


def _table_capacity(field: str, wanted: TableSettings, current: TableSettings) -> Iterable[Difference]:
    return _capacity(field, "", wanted.capacity, current.capacity, bounds_of(wanted))


def _index_capacity(field: str, wanted: TableSettings, current: TableSettings) -> Iterable[Difference]:
    for index in sorted(wanted.index_capacity.keys() | current.index_capacity.keys()):
        if index not in current.index_capacity:
            yield Difference(field, f"index {index}: is missing.")
        elif index not in wanted.index_capacity:
            yield Difference(field, f"index {index}: is there and shall not be.")
        else:
            shall, is_now = wanted.index_capacity[index], current.index_capacity[index]
            yield from _capacity(field, index, shall, is_now, bounds_of(wanted))


def _capacity(field: str, index: str, wanted: Capacity, current: Capacity, bounds: Bounds) -> Iterable[Difference]:
    """Units that auto scaling chooses are right within its limits. Warm throughput never shrinks, so more of it is right."""
    of = f" of index {index}" if index else ""
    for part in (each.name for each in msgspec.structs.fields(Capacity)):
        shall, is_now = getattr(wanted, part), getattr(current, part)
        is_warm = part.startswith("warm_")
        least, most = bounds.get((index, part), (shall, shall))
        if is_warm:
            is_right = shall is None or (is_now is not None and is_now >= shall)
        else:
            is_right = shall == is_now or (None not in (least, is_now, most) and least <= is_now <= most)
        if not is_right:
            yield _different(field, f"{_words(part)}{of}", shall, is_now, is_optional=is_warm)


def _policy(field: str, wanted: TableSettings, current: TableSettings) -> Iterable[Difference]:
    """As JSON: the service does not promise to give the text back letter by letter."""
    if _parsed(wanted.resource_policy) != _parsed(current.resource_policy):
        yield _different(field, _words(field), wanted.resource_policy, current.resource_policy)


def _parsed(text: str) -> object:
    return json.loads(text) if text else None


def _scaling(field: str, wanted: TableSettings, current: TableSettings) -> Iterable[Difference]:
    shall, is_now = targets_by_place(wanted), targets_by_place(current)
    for place in sorted(shall.keys() | is_now.keys()):
        if comparable(shall.get(place)) != comparable(is_now.get(place)):
            what = f"auto scaling of {' '.join(place)}"
            yield _different(field, what, shall.get(place), is_now.get(place))


def targets_by_place(settings: TableSettings) -> dict[tuple[str, str], ScalingTarget]:
    return {(target.resource, target.dimension): target for target in settings.scaling_targets}


def comparable(target: ScalingTarget | None) -> tuple[Any, ...] | None:
    """Without the role when it is the service's own, which the service fills in; policies without their order."""
    if target is None:
        return None
    role = "" if ":role/aws-service-role/" in target.role_arn else target.role_arn
    suspended = {name: is_on for name, is_on in target.suspended.items() if is_on}
    policies = sorted(json.dumps(policy, sort_keys=True, default=str) for policy in target.policies)
    return target.min_capacity, target.max_capacity, role, suspended, policies


_COMPARED: Mapping[str, Callable[[str, TableSettings, TableSettings], Iterable[Difference]]] = {
    "capacity": _table_capacity,
    "index_capacity": _index_capacity,
    "recovery_period_days": _recovery_period,
    "resource_policy": _policy,
    "scaling_targets": _scaling,
}
"""How a field is compared; those not named must be equal."""


def _words(field: str) -> str:
    return field.replace("_", " ")


def _shown(value: object) -> str:
    if value in (None, "", {}, ()):
        return "not set"
    text = json.dumps(msgspec.to_builtins(value), sort_keys=True) if not isinstance(value, str) else value
    return text if len(text) <= 200 else f"{text[:200]}…"
