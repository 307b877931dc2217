"""Runs, their fencing, and the documents beside them."""

from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.model.errors import FencedOff, UnknownRun
from shared.model.records import replace
from shared.model.run import RunStatus
from shared.steps.ports import Catalog
from tests.contract.catalog.values import PLAN, a_run, an_id, later

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def noise(characters: int, seed: int = 1) -> str:
    """Text that does not compress well."""
    return random.Random(seed).randbytes(characters // 2).hex()


def test_a_run_is_read_as_it_was_stored(catalog: Catalog) -> None:
    assert catalog.create_run(a_run()) == a_run()
    assert catalog.run(a_run().id) == a_run()


def test_creating_a_run_again_returns_the_stored_one(catalog: Catalog) -> None:
    catalog.create_run(a_run())
    moved_on = catalog.save_run(replace(a_run(), step="pause", token=3))
    assert catalog.create_run(a_run()) == moved_on


def test_runs_are_listed_newest_first_up_to_the_limit_and_only_of_their_plan(catalog: Catalog) -> None:
    for number in (2, 1, 3):
        catalog.create_run(a_run(number))
    catalog.create_run(a_run(4, plan="billing"))
    assert [run.id for run in catalog.runs(PLAN)] == [an_id(3), an_id(2), an_id(1)]
    assert [run.id for run in catalog.runs(PLAN, limit=2)] == [an_id(3), an_id(2)]
    assert catalog.runs("orders") == ()


def test_a_run_can_be_saved_again_with_the_same_or_a_higher_token(catalog: Catalog) -> None:
    catalog.create_run(a_run())
    catalog.save_run(a_run(token=2))
    catalog.save_run(a_run(token=2))
    saved = replace(a_run(token=3), status=RunStatus.SUCCEEDED, ended_at=later(90))
    assert catalog.save_run(saved) == saved
    assert catalog.run(saved.id) == saved


def test_a_writer_with_an_older_token_is_fenced_off_and_changes_nothing(catalog: Catalog) -> None:
    newer = catalog.save_run(replace(a_run(token=3), step="judge"))
    with pytest.raises(FencedOff, match=f"{newer.id} was written with token 3; this writer has the older token 2"):
        catalog.save_run(replace(a_run(token=2), step="pause"))
    assert catalog.run(newer.id) == newer


def test_an_unknown_run_is_answered_with_the_runs_of_its_plan(catalog: Catalog) -> None:
    catalog.create_run(a_run())
    with pytest.raises(UnknownRun, match=f"Newest first: {an_id(1)}"):
        catalog.run(an_id(2))


def test_text_that_is_no_run_id_is_an_unknown_run(catalog: Catalog) -> None:
    with pytest.raises(UnknownRun):
        catalog.run("latest")


@pytest.mark.parametrize("characters", [50_000, 1_000_000], ids=["compressed", "in-parts"])
def test_a_run_may_be_larger_than_an_item(catalog: Catalog, characters: int) -> None:
    large = a_run(reason=noise(characters))
    catalog.create_run(large)
    assert catalog.create_run(a_run()) == large
    assert catalog.runs(PLAN) == (large,)
    with pytest.raises(FencedOff):
        catalog.save_run(replace(catalog.save_run(replace(large, token=5)), token=4))


@given(document=JSON)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_json_is_read_as_it_was_kept(catalog: Catalog, document: object) -> None:
    catalog.put_document(an_id(1), "attempt/1/before", document)
    assert catalog.document(an_id(1), "attempt/1/before") == document


def test_a_document_that_was_never_kept_is_none(catalog: Catalog) -> None:
    catalog.put_document(an_id(1), "plan", {})
    assert catalog.document(an_id(1), "storage") is None
    assert catalog.document(an_id(2), "plan") is None


@pytest.mark.parametrize("sizes", [(10, 2_000_000, 900_000, 10), (1_500_000, 30_000, 1_500_000)], ids=str)
def test_a_document_of_any_size_replaces_the_earlier_one(catalog: Catalog, sizes: tuple[int, ...]) -> None:
    for seed, size in enumerate(sizes):
        document = {"size": size, "text": noise(size, seed)}
        catalog.put_document(an_id(1), "tables", document)
        assert catalog.document(an_id(1), "tables") == document


def test_a_kept_document_does_not_change_with_the_object_it_came_from(catalog: Catalog) -> None:
    document = {"tables": ["accounts"]}
    catalog.put_document(an_id(1), "tables", document)
    document["tables"].append("orders")
    assert catalog.document(an_id(1), "tables") == {"tables": ["accounts"]}
