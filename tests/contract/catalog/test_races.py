"""Many threads at once want the same thing: exactly one gets it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Lock
from typing import Any

import pytest

from shared.catalog.dynamodb import DynamoDbCatalog
from shared.catalog.dynamodb.table import CLIENT
from shared.catalog.memory import MemoryCatalog
from shared.model.errors import BackupError, FencedOff, LeaseHeld, PausedByAnother, RevisionConflict
from shared.steps.ports import Catalog
from tests.contract.catalog.conftest import IMPLEMENTATIONS, TABLE
from tests.contract.catalog.values import NOW, PLAN, a_journal, a_plan, a_run, an_id, later

THREADS = 6


class OneCallAtATime:
    """A client whose calls do not overlap: DynamoDB's are atomic, those of the stand-in inside this process are not."""

    def __init__(self, client: Any) -> None:
        self._client, self._lock = client, Lock()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(**request: Any) -> Any:
            with self._lock:
                return getattr(self._client, name)(**request)

        return call


@pytest.fixture(params=IMPLEMENTATIONS)
def catalog(request: pytest.FixtureRequest) -> Catalog:
    match request.param:
        case "memory":
            return MemoryCatalog()
        case "azure-table":
            return request.getfixturevalue("azure_table")
        case "azurite":
            return request.getfixturevalue("azurite")
    return DynamoDbCatalog(TABLE, OneCallAtATime(request.getfixturevalue("aws").client("dynamodb", config=CLIENT)))


def race(act: Callable[[int], object]) -> list[object]:
    """What each thread got: a value or the class of an error."""
    start = Barrier(THREADS)

    def run(number: int) -> object:
        start.wait()
        try:
            return act(number)
        except BackupError as error:
            return type(error)

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(run, range(THREADS)))


def test_one_of_many_runs_gets_the_lease(catalog: Catalog) -> None:
    results = race(lambda number: catalog.acquire_lease(PLAN, f"run-{number}", later(60), NOW).token)
    assert Counter(results) == {1: 1, LeaseHeld: THREADS - 1}


def test_one_of_many_runs_takes_over_an_expired_lease(catalog: Catalog) -> None:
    catalog.acquire_lease(PLAN, "crashed", later(60), NOW)
    results = race(lambda number: catalog.acquire_lease(PLAN, f"run-{number}", later(120), later(60)).token)
    assert Counter(results) == {2: 1, LeaseHeld: THREADS - 1}


def test_one_run_asking_many_times_at_once_has_one_token(catalog: Catalog) -> None:
    assert race(lambda _: catalog.acquire_lease(PLAN, "one", later(60), NOW).token) == [1] * THREADS


def test_one_of_many_plans_that_share_a_release_may_pause_it(catalog: Catalog) -> None:
    def pause(number: int) -> str:
        plan, run = f"plan-{number}", an_id(number, f"plan-{number}")
        token = catalog.acquire_lease(plan, run, later(60), NOW).token
        return catalog.open_pause(a_journal(run, token, plan=plan, releases=(f"own-{number}", "shared"))).run

    results = race(pause)
    assert results.count(PausedByAnother) == THREADS - 1
    assert [entry.run for entry in catalog.open_pauses()] == [result for result in results if isinstance(result, str)]


def test_a_journal_opened_many_times_at_once_is_one_entry(catalog: Catalog) -> None:
    token = catalog.acquire_lease(PLAN, an_id(1), later(60), NOW).token
    results = race(lambda number: catalog.open_pause(a_journal(an_id(1), token, pods=number + 1)))
    assert len(set(results)) == 1
    assert catalog.open_pauses() == (results[0],)


def test_many_closings_at_once_agree_on_the_first(catalog: Catalog) -> None:
    token = catalog.acquire_lease(PLAN, an_id(1), later(60), NOW).token
    catalog.open_pause(a_journal(an_id(1), token))
    results = race(lambda number: catalog.close_pause(an_id(1), 1, f"closer-{number}", later(number)))
    assert set(results) == {catalog.pause_journal(an_id(1), 1)}


def test_pods_noted_by_many_at_once_are_all_kept(catalog: Catalog) -> None:
    token = catalog.acquire_lease(PLAN, an_id(1), later(60), NOW).token
    catalog.open_pause(a_journal(an_id(1), token, pods=THREADS))
    race(lambda number: catalog.mark_not_ours(an_id(1), 1, [f"uid-of-orders-{number}"]))
    assert catalog.close_pause(an_id(1), 1, "run", later(20)).to_resume == ()


def test_a_run_created_many_times_at_once_is_one_record(catalog: Catalog) -> None:
    results = race(lambda number: catalog.create_run(a_run(reason=f"trigger-{number}")))
    assert set(results) == {catalog.run(an_id(1))}


def test_of_many_writers_of_a_run_the_highest_token_stays(catalog: Catalog) -> None:
    results = race(lambda number: catalog.save_run(a_run(token=number)).token)
    assert results[-1] == THREADS - 1
    assert set(results) <= {*range(THREADS), FencedOff}
    assert catalog.run(an_id(1)).token == THREADS - 1


def test_revisions_of_a_plan_are_never_given_twice(catalog: Catalog) -> None:
    results = race(lambda number: catalog.put_plan(a_plan(tables=(f"table-{number}",)), NOW).revision)
    given = [result for result in results if result is not RevisionConflict]
    assert sorted(given) == list(range(1, len(given) + 1))
    assert catalog.plan(PLAN).revision == len(given)
