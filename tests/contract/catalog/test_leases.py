"""Leases: one holder at a time, and tokens that never repeat."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from shared.model.errors import FencedOff, LeaseHeld
from shared.model.lease import Lease
from shared.steps.ports import Catalog
from tests.contract.catalog.values import NOW, PLAN, later


def test_a_free_lease_is_given_with_the_first_token(catalog: Catalog) -> None:
    lease = catalog.acquire_lease(PLAN, "one", later(60), NOW)
    assert lease == Lease(plan=PLAN, run="one", token=1, expires_at=later(60))


def test_a_held_lease_is_refused_with_the_holder_and_the_time(catalog: Catalog) -> None:
    catalog.acquire_lease(PLAN, "one", later(60), NOW)
    with pytest.raises(LeaseHeld, match=r"orders-prod is held by run one until 2026-11-24T03:01:00Z"):
        catalog.acquire_lease(PLAN, "two", later(100), later(59.999999))


def test_the_same_run_again_keeps_its_token_and_gets_the_new_expiry(catalog: Catalog) -> None:
    catalog.acquire_lease(PLAN, "one", later(60), NOW)
    assert catalog.acquire_lease(PLAN, "one", later(90), later(30)) == Lease(
        plan=PLAN, run="one", token=1, expires_at=later(90)
    )


def test_the_same_run_keeps_its_token_after_the_expiry_when_nobody_took_the_lease(catalog: Catalog) -> None:
    catalog.acquire_lease(PLAN, "one", later(60), NOW)
    assert catalog.acquire_lease(PLAN, "one", later(200), later(100)).token == 1


def test_an_expired_lease_goes_to_the_next_run_with_a_higher_token(catalog: Catalog) -> None:
    catalog.acquire_lease(PLAN, "one", later(60), NOW)
    assert catalog.acquire_lease(PLAN, "two", later(120), later(60)).token == 2


def test_expiry_is_compared_as_time_whatever_the_offset_and_the_fraction(catalog: Catalog) -> None:
    catalog.acquire_lease(PLAN, "one", datetime(2026, 11, 24, 12, 1, tzinfo=timezone(timedelta(hours=9))), NOW)
    with pytest.raises(LeaseHeld):
        catalog.acquire_lease(PLAN, "two", later(120), datetime(2026, 11, 24, 3, 0, 59, 900000, tzinfo=UTC))
    assert catalog.acquire_lease(PLAN, "two", later(120), datetime(2026, 11, 24, 3, 1, 0, 1, tzinfo=UTC)).token == 2


def test_a_token_is_not_used_again_after_a_release(catalog: Catalog) -> None:
    first = catalog.acquire_lease(PLAN, "one", later(60), NOW)
    catalog.release_lease(PLAN, "one", first.token)
    assert catalog.acquire_lease(PLAN, "one", later(60), later(1)).token == 2


def test_a_lease_can_be_renewed_also_after_its_expiry(catalog: Catalog) -> None:
    catalog.acquire_lease(PLAN, "one", later(60), NOW)
    assert catalog.renew_lease(PLAN, "one", 1, later(300), later(200)).expires_at == later(300)
    with pytest.raises(LeaseHeld):
        catalog.acquire_lease(PLAN, "two", later(400), later(299))


def test_a_lease_that_was_taken_over_cannot_be_renewed(catalog: Catalog) -> None:
    catalog.acquire_lease(PLAN, "one", later(60), NOW)
    catalog.acquire_lease(PLAN, "two", later(120), later(61))
    with pytest.raises(FencedOff, match="Run one no longer holds plan orders-prod with token 1: run two holds it"):
        catalog.renew_lease(PLAN, "one", 1, later(120), later(62))


def test_a_lease_that_was_given_back_or_never_taken_cannot_be_renewed(catalog: Catalog) -> None:
    with pytest.raises(FencedOff):
        catalog.renew_lease(PLAN, "one", 1, later(60), NOW)
    catalog.acquire_lease(PLAN, "one", later(60), NOW)
    catalog.release_lease(PLAN, "one", 1)
    with pytest.raises(FencedOff, match="given back or taken over"):
        catalog.renew_lease(PLAN, "one", 1, later(60), NOW)


def test_releasing_what_is_not_ours_does_nothing(catalog: Catalog) -> None:
    catalog.release_lease(PLAN, "one", 1)
    catalog.acquire_lease(PLAN, "one", later(60), NOW)
    catalog.acquire_lease(PLAN, "two", later(120), later(61))
    catalog.release_lease(PLAN, "one", 1)
    catalog.release_lease(PLAN, "two", 1)
    with pytest.raises(LeaseHeld, match="run two"):
        catalog.acquire_lease(PLAN, "three", later(120), later(62))


def test_plans_have_leases_of_their_own(catalog: Catalog) -> None:
    catalog.acquire_lease(PLAN, "one", later(60), NOW)
    assert catalog.acquire_lease("billing", "two", later(60), NOW).token == 1
