"""With one plan, a command need not name it; with several, it says which there are."""

from __future__ import annotations

import pytest

from shared.catalog.memory import MemoryCatalog
from shared.cli.choice import the_plan, the_point
from shared.model.errors import InvalidRequest, UnknownPlan
from shared.model.records import replace
from tests.unit.cli.samples import BEGAN, PLAN, RUN_ID


@pytest.fixture
def catalog() -> MemoryCatalog:
    made = MemoryCatalog()
    made.put_plan(PLAN, BEGAN)
    return made


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ((None, None), ("orders-prod", "latest")),
        (("latest", None), ("orders-prod", "latest")),
        (("orders-prod", None), ("orders-prod", "latest")),
        ((RUN_ID, None), ("orders-prod", RUN_ID)),
        (("orders-prod", RUN_ID), ("orders-prod", RUN_ID)),
    ],
)
def test_plan_or_point_may_be_left_out(
    catalog: MemoryCatalog, given: tuple[str | None, str | None], meant: tuple[str, str]
) -> None:
    assert the_point(catalog, *given) == meant


def test_several_plans_are_named(catalog: MemoryCatalog) -> None:
    catalog.put_plan(replace(PLAN, name="billing"), BEGAN)
    with pytest.raises(InvalidRequest, match="There are: billing, orders-prod"):
        the_plan(catalog, None)


def test_no_plan_at_all_says_how_to_make_one() -> None:
    with pytest.raises(InvalidRequest, match="plan apply"):
        the_plan(MemoryCatalog(), None)


def test_a_plan_that_does_not_exist_is_never_replaced_by_the_only_one(catalog: MemoryCatalog) -> None:
    with pytest.raises(UnknownPlan):
        the_plan(catalog, "order-prod")
