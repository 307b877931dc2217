"""Every value of the model survives its form in the catalog, and a record that is none is refused by name."""

from __future__ import annotations

import importlib
import json
import pkgutil
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import inspect

import shared.model
from shared.model.errors import Misconfigured
from shared.model.plan import EksCluster, Plan
from shared.model.records import Value, from_record, replace, to_record
from shared.model.run import Run

MOMENTS = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis adds UTC
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=8), inner, max_size=2),
    max_leaves=4,
)


def values_of(kind: inspect.Type) -> st.SearchStrategy[Any]:
    match kind:
        case inspect.DateTimeType():
            return MOMENTS
        case inspect.StrType():
            return st.text(max_size=12)
        case inspect.IntType():
            return st.integers(-(2**53), 2**53)
        case inspect.FloatType():
            return st.floats(allow_nan=False, allow_infinity=False)
        case inspect.BoolType():
            return st.booleans()
        case inspect.NoneType():
            return st.none()
        case inspect.AnyType():
            return JSON
        case inspect.EnumType(cls=cls):
            return st.sampled_from(list(cls))
        case inspect.VarTupleType(item_type=item):
            return st.lists(values_of(item), max_size=2).map(tuple)
        case inspect.TupleType(item_types=items):
            return st.tuples(*map(values_of, items))
        case inspect.DictType(key_type=key, value_type=value):
            return st.dictionaries(values_of(key), values_of(value), max_size=2)
        case inspect.UnionType(types=types):
            return st.one_of(*map(values_of, types))
        case inspect.StructType(cls=cls, fields=fields):
            return st.builds(cls, **{field.name: values_of(field.type) for field in fields})
    raise NotImplementedError(f"the model has begun to use {kind}")


def all_values() -> list[type[Value]]:
    for module in pkgutil.walk_packages(shared.model.__path__, "shared.model."):
        importlib.import_module(module.name)
    found: list[type[Value]] = [Value]
    for one in found:
        found.extend(one.__subclasses__())
    return sorted((one for one in found[1:] if one.__module__.startswith("shared.model.")), key=lambda one: one.__name__)


@pytest.mark.parametrize("kind", all_values())
@settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(data=st.data())
def test_every_value_comes_back_from_its_record_as_json(kind: type[Value], data: st.DataObject) -> None:
    value = data.draw(values_of(inspect.type_info(kind)))
    assert from_record(json.loads(json.dumps(to_record(value))), kind) == value


def test_fields_of_a_newer_release_are_ignored() -> None:
    record = {"kind": "eks", "name": "prod", "region": "ap-northeast-1", "colour": "blue"}
    assert from_record(record, EksCluster) == EksCluster(name="prod", region="ap-northeast-1")


def test_a_record_that_is_not_of_this_kind_is_refused_with_the_field() -> None:
    with pytest.raises(Misconfigured, match=r"A stored Plan cannot be read: .*releases"):
        from_record({"name": "orders", "releases": 5, "databases": []}, Plan)


def test_a_stored_time_without_an_offset_is_refused() -> None:
    record = {"id": "r", "plan": "p", "plan_revision": 1, "reason": "", "execution": "", "started_at": "2026-11-24T03:00:00"}
    with pytest.raises(Misconfigured, match="started_at"):
        from_record(record, Run)


def test_a_value_cannot_be_changed_only_replaced() -> None:
    cluster = EksCluster(name="prod", region="ap-northeast-1")
    with pytest.raises(AttributeError):
        cluster.name = "other"  # type: ignore[misc]
    assert replace(cluster, name="other") == EksCluster(name="other", region="ap-northeast-1")
    assert cluster.name == "prod"


def test_values_take_keywords_only() -> None:
    with pytest.raises(TypeError):
        EksCluster("prod", "ap-northeast-1")  # type: ignore[misc]
    assert all(one.__struct_config__.frozen for one in all_values() if issubclass(one, msgspec.Struct))
