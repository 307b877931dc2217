"""The pause journal: who may open an entry, how it excludes others, and how it is closed."""

from __future__ import annotations

import pytest

from shared.model.errors import FencedOff, PausedByAnother, UnknownRun
from shared.model.journal import PauseJournal
from shared.model.records import replace
from shared.steps.ports import Catalog
from tests.contract.catalog.values import NOW, PLAN, a_journal, an_id, later

ONE, TWO = an_id(1), an_id(2, "billing")


def opened(catalog: Catalog, run: str = ONE, plan: str = PLAN, **about: object) -> PauseJournal:
    token = catalog.acquire_lease(plan, run, later(60), NOW).token
    return catalog.open_pause(a_journal(run, token, plan=plan, **about))  # type: ignore[arg-type]


def test_an_open_entry_is_found_by_its_run_and_among_all_open_ones(catalog: Catalog) -> None:
    entry = opened(catalog)
    assert entry == a_journal(ONE)
    assert catalog.pause_journal(ONE, 1) == entry
    assert catalog.open_pauses() == (entry,)


def test_an_entry_that_was_never_opened_is_none(catalog: Catalog) -> None:
    opened(catalog)
    assert catalog.pause_journal(ONE, 2) is None
    assert catalog.pause_journal(TWO, 1) is None


def test_opening_again_returns_the_stored_entry_even_if_the_pods_look_different_now(catalog: Catalog) -> None:
    entry = opened(catalog)
    assert catalog.open_pause(a_journal(ONE, pods=5)) == entry
    assert catalog.open_pauses() == (entry,)


def test_opening_again_after_the_close_returns_the_closed_entry(catalog: Catalog) -> None:
    opened(catalog)
    closed = catalog.close_pause(ONE, 1, "watchdog", later(30))
    assert catalog.open_pause(a_journal(ONE)) == closed
    assert catalog.open_pauses() == ()


def test_without_the_lease_no_entry_is_opened(catalog: Catalog) -> None:
    with pytest.raises(FencedOff):
        catalog.open_pause(a_journal(ONE))
    assert catalog.open_pauses() == ()


def test_with_a_token_of_an_earlier_lease_no_entry_is_opened(catalog: Catalog) -> None:
    catalog.acquire_lease(PLAN, ONE, later(60), NOW)
    catalog.acquire_lease(PLAN, an_id(2), later(120), later(61))
    with pytest.raises(FencedOff, match=f"{an_id(2)} holds it"):
        catalog.open_pause(a_journal(ONE, token=1))


def test_a_run_that_lost_its_lease_may_not_go_on_with_an_entry_of_its_own(catalog: Catalog) -> None:
    opened(catalog)
    catalog.acquire_lease(PLAN, an_id(2), later(120), later(61))
    with pytest.raises(FencedOff):
        catalog.open_pause(a_journal(ONE))


def test_an_expired_lease_that_nobody_took_still_opens_an_entry(catalog: Catalog) -> None:
    catalog.acquire_lease(PLAN, ONE, NOW, NOW)
    assert catalog.open_pause(a_journal(ONE)).is_open


def test_two_plans_that_share_a_release_exclude_each_other_by_name(catalog: Catalog) -> None:
    opened(catalog, releases=("orders", "shared"))
    with pytest.raises(PausedByAnother, match=rf"/prod/scalar/shared may still be paused by run {ONE} \(attempt 1\)"):
        opened(catalog, TWO, "billing", releases=("billing", "shared"))
    assert [entry.run for entry in catalog.open_pauses()] == [ONE]


def test_an_earlier_attempt_of_the_same_run_excludes_the_next_until_it_is_closed(catalog: Catalog) -> None:
    opened(catalog)
    with pytest.raises(PausedByAnother):
        opened(catalog, attempt=2)
    catalog.close_pause(ONE, 1, "run", later(20))
    assert opened(catalog, attempt=2).attempt == 2


def test_plans_without_a_common_release_are_paused_at_the_same_time(catalog: Catalog) -> None:
    one, two = opened(catalog), opened(catalog, TWO, "billing", releases=("billing",))
    assert set(catalog.open_pauses()) == {one, two}


def test_clusters_of_one_name_in_two_regions_are_two_clusters(catalog: Catalog) -> None:
    opened(catalog)
    assert opened(catalog, TWO, "billing", region="ap-northeast-3").is_open


def test_closing_notes_who_and_when_and_frees_the_releases(catalog: Catalog) -> None:
    entry = opened(catalog)
    closed = catalog.close_pause(ONE, 1, "run", later(20))
    assert closed == replace(entry, closed_by="run", closed_at=later(20))
    assert catalog.pause_journal(ONE, 1) == closed
    assert catalog.open_pauses() == ()
    assert opened(catalog, TWO, "billing").is_open


def test_the_first_close_wins(catalog: Catalog) -> None:
    opened(catalog)
    first = catalog.close_pause(ONE, 1, "watchdog", later(20))
    assert catalog.close_pause(ONE, 1, "run", later(25)) == first


def test_closing_does_not_need_the_lease(catalog: Catalog) -> None:
    opened(catalog)
    catalog.release_lease(PLAN, ONE, 1)
    assert not catalog.close_pause(ONE, 1, "operator", later(900)).is_open


def test_pods_that_are_not_ours_are_kept_through_the_close_and_never_resumed(catalog: Catalog) -> None:
    opened(catalog)
    catalog.mark_not_ours(ONE, 1, ["uid-of-orders-2"])
    catalog.mark_not_ours(ONE, 1, ["uid-of-orders-2", "uid-of-orders-0"])
    entry = catalog.close_pause(ONE, 1, "run", later(20))
    assert catalog.pause_journal(ONE, 1) == entry
    assert entry.not_ours == ("uid-of-orders-0", "uid-of-orders-2")
    assert entry.left_alone == ("orders-0", "orders-2")
    assert [target.pod for target in entry.to_resume] == ["orders-1"]


def test_marking_no_pods_changes_nothing(catalog: Catalog) -> None:
    entry = opened(catalog)
    assert catalog.mark_not_ours(ONE, 1, []) == entry


def test_marking_a_closed_entry_changes_nothing(catalog: Catalog) -> None:
    opened(catalog)
    closed = catalog.close_pause(ONE, 1, "run", later(20))
    assert catalog.mark_not_ours(ONE, 1, ["orders-2"]) == closed


def test_closing_or_marking_an_entry_that_was_never_opened_says_that_nothing_was_paused(catalog: Catalog) -> None:
    with pytest.raises(UnknownRun, match="nothing was paused"):
        catalog.close_pause(ONE, 1, "run", NOW)
    with pytest.raises(UnknownRun, match="no pause journal for attempt 1"):
        catalog.mark_not_ours(ONE, 1, ["orders-0"])


@pytest.mark.parametrize("pods", [1_000, 30_000], ids=["compressed", "in-parts"])
def test_an_entry_may_name_any_number_of_pods(catalog: Catalog, pods: int) -> None:
    entry = opened(catalog, pods=pods)
    assert catalog.open_pause(a_journal(ONE, pods=1)) == entry
    assert catalog.open_pauses() == (entry,)
    closed = catalog.close_pause(ONE, 1, "run", later(20))
    assert catalog.pause_journal(ONE, 1) == closed
    assert closed.releases == entry.releases


def test_many_releases_are_paused_together(catalog: Catalog) -> None:
    entry = opened(catalog, releases=tuple(f"release-{number}" for number in range(97)), pods=1)
    assert catalog.close_pause(ONE, 1, "run", later(20)).releases == entry.releases
