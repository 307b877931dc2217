"""Restore points: listed newest first, found by id or as the latest that can be restored."""

from __future__ import annotations

import pytest

from shared.model.errors import UnknownPoint
from shared.model.protection import DatabaseProtection, ItemPhase, ItemProtection
from shared.model.records import replace
from shared.model.restore_point import PointPhase
from shared.steps.ports import Catalog
from tests.contract.catalog.test_runs import noise
from tests.contract.catalog.values import PLAN, a_point, an_id, later


def test_a_point_is_read_as_it_was_stored(catalog: Catalog) -> None:
    catalog.put_point(a_point())
    assert catalog.point(PLAN, an_id(1)) == a_point()


def test_a_point_stored_again_replaces_the_earlier_one(catalog: Catalog) -> None:
    catalog.put_point(a_point(phase=PointPhase.CAPTURED))
    available = a_point(phase=PointPhase.CAPTURED).advanced_to(PointPhase.AVAILABLE, later(300))
    catalog.put_point(available)
    assert catalog.points(PLAN) == (available,)


def test_points_are_listed_newest_first_up_to_the_limit_with_the_invalid_ones(catalog: Catalog) -> None:
    for number, phase in [(2, PointPhase.INVALID), (1, PointPhase.EXPIRED), (3, PointPhase.CAPTURED)]:
        catalog.put_point(a_point(number, phase))
    catalog.put_point(a_point(4, plan="billing"))
    assert [point.id for point in catalog.points(PLAN)] == [an_id(3), an_id(2), an_id(1)]
    assert [point.id for point in catalog.points(PLAN, limit=1)] == [an_id(3)]


def test_latest_is_the_newest_that_is_available_or_verified(catalog: Catalog) -> None:
    phases = [PointPhase.AVAILABLE, PointPhase.VERIFIED, PointPhase.EXPIRED, PointPhase.INVALID, PointPhase.CAPTURED]
    for number, phase in enumerate(phases, start=1):
        catalog.put_point(a_point(number, phase))
    assert catalog.point(PLAN, "latest").id == an_id(2)


def test_without_a_good_point_latest_says_what_there_is(catalog: Catalog) -> None:
    catalog.put_point(a_point(1, PointPhase.INVALID))
    with pytest.raises(UnknownPoint, match=rf"no restore point that is available or verified.*{an_id(1)} \(invalid\)"):
        catalog.point(PLAN, "latest")


def test_an_unknown_point_is_answered_with_the_likely_one(catalog: Catalog) -> None:
    catalog.put_point(a_point())
    with pytest.raises(UnknownPoint, match=f"Did you mean '{an_id(1)}'"):
        catalog.point(PLAN, an_id(1)[:-1])


def test_a_plan_without_points_says_that_nothing_was_backed_up(catalog: Catalog) -> None:
    with pytest.raises(UnknownPoint, match="Nothing was backed up yet"):
        catalog.point(PLAN, "latest")


def test_a_point_of_thousands_of_tables_fits(catalog: Catalog) -> None:
    items = tuple(
        ItemProtection(name=f"table-{number}", phase=ItemPhase.KEPT, settings={"policy": noise(400, number)})
        for number in range(4000)
    )
    protection = DatabaseProtection(database="dynamodb:ap-northeast-1", point=later(10), items=items, done=True)
    large = replace(a_point(2), databases={protection.database: protection})
    for point in (a_point(1), large):
        catalog.put_point(point)
    assert catalog.point(PLAN, "latest") == large
    assert catalog.points(PLAN) == (large, a_point(1))
