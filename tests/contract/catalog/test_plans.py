"""Plans: revisions, and names that do not exist."""

from __future__ import annotations

import pytest

from shared.model.errors import UnknownPlan
from shared.steps.ports import Catalog
from tests.contract.catalog.values import NOW, PLAN, a_plan, later


def test_a_plan_is_read_as_it_was_stored(catalog: Catalog) -> None:
    stored = catalog.put_plan(a_plan(tables=("audit",)), NOW)
    assert catalog.plan(PLAN) == stored
    assert (stored.plan, stored.revision, stored.applied_at) == (a_plan(tables=("audit",)), 1, NOW)


def test_the_same_content_again_makes_no_new_revision(catalog: Catalog) -> None:
    first = catalog.put_plan(a_plan(), NOW)
    assert catalog.put_plan(a_plan(), later(60)) == first


def test_changed_content_makes_the_next_revision(catalog: Catalog) -> None:
    catalog.put_plan(a_plan(), NOW)
    assert catalog.put_plan(a_plan(tables=("audit",)), later(60)).revision == 2
    assert catalog.put_plan(a_plan(), later(120)).revision == 3
    assert catalog.plan(PLAN).applied_at == later(120)


def test_plans_are_listed_by_name(catalog: Catalog) -> None:
    for name in ("orders-prod", "billing-prod", "orders-test"):
        catalog.put_plan(a_plan(name), NOW)
    assert [stored.plan.name for stored in catalog.plans()] == ["billing-prod", "orders-prod", "orders-test"]


def test_an_unknown_plan_is_answered_with_the_likely_one_and_with_all_that_exist(catalog: Catalog) -> None:
    for name in ("orders-prod", "billing-prod"):
        catalog.put_plan(a_plan(name), NOW)
    with pytest.raises(UnknownPlan, match=r"no plan 'order-prod'.*mean 'orders-prod'.*Plans: billing-prod, orders-prod\."):
        catalog.plan("order-prod")


def test_an_unknown_plan_in_an_empty_catalog_says_how_to_apply_one(catalog: Catalog) -> None:
    with pytest.raises(UnknownPlan, match="plan apply"):
        catalog.plan(PLAN)
