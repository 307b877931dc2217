"""Callers are paused before what they call, and resumed after it; and what a plan lacks beside its products."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.model.checks import CheckStatus
from shared.model.journal import JournalRelease, PauseJournal
from shared.model.pause_order import check_group, stages
from shared.model.plan import EksCluster
from shared.model.pods import AdminTarget
from shared.model.records import replace
from shared.model.storage import ReleaseStorage

NOW = datetime(2026, 11, 24, tzinfo=UTC)
PRODUCTS = ("scalardb-cluster", "scalardb", "ledger", "auditor", "participant")


@pytest.mark.parametrize(
    ("products", "expected"),
    [
        (("scalardb-cluster", "scalardb", "ledger"), (0, 0, 0)),
        (("ledger", "auditor"), (1, 0)),
        (("auditor", "scalardb-cluster", "ledger"), (0, 1, 1)),
        (("ledger", "participant", "auditor"), (2, 0, 1)),
        (("participant", "scalardb-cluster"), (0, 1)),
        ((), ()),
    ],
)
def test_auditor_is_paused_before_ledger_and_participants_before_both(
    products: tuple[str, ...], expected: tuple[int, ...]
) -> None:
    assert stages(products) == expected


@given(st.lists(st.sampled_from(PRODUCTS)))
def test_stages_have_no_gaps_and_equal_products_share_one(products: list[str]) -> None:
    found = stages(products)
    assert set(found) == set(range(len(set(found))))
    assert len(set(zip(products, found, strict=True))) == len(set(products))


def release(key: str, stage: int, *pods: str) -> JournalRelease:
    targets = tuple(AdminTarget(pod=pod, uid=pod, host="10.0.0.1", port=60053, port_source="plan") for pod in pods)
    return JournalRelease(
        key=key, cluster=EksCluster(name="c", region="eu-west-1"), namespace="n", helm_release=key, product=key,
        targets=targets, stage=stage,
    )  # fmt: skip


def journal(*not_ours: str) -> PauseJournal:
    releases = (release("ledger", 1, "l0", "l1"), release("auditor", 0, "a0"), release("cluster", 1, "c0"))
    return PauseJournal(
        plan="p", run="r", attempt=1, token=1, opened_at=NOW, resume_by=NOW, releases=releases, not_ours=not_ours
    )


def names(stage_list: tuple[tuple[AdminTarget, ...], ...]) -> list[list[str]]:
    return [[target.pod for target in stage] for stage in stage_list]


def test_a_journal_resumes_its_stages_in_the_opposite_order() -> None:
    assert names(journal().pause_stages) == [["a0"], ["l0", "l1", "c0"]]
    assert names(journal().resume_stages) == [["l0", "l1", "c0"], ["a0"]]
    assert [target.pod for target in journal().to_resume] == ["l0", "l1", "c0", "a0"]


def test_pods_of_one_name_in_two_places_are_told_apart() -> None:
    """A StatefulSet's pods are numbered, so two releases may have an orders-0 each."""
    one, two = release("one", 0, "orders-0"), release("two", 0, "orders-0")
    other = replace(two, targets=(replace(two.targets[0], uid="another"),))
    entry = replace(journal("another"), releases=(one, other))
    assert [target.uid for target in entry.to_resume] == ["orders-0"]
    assert entry.left_alone == ("orders-0",)


def test_a_stage_of_which_nothing_is_ours_is_no_stage() -> None:
    assert names(journal("a0", "l1").resume_stages) == [["l0", "c0"]]


def test_an_auditor_without_a_ledger_is_refused_with_the_reason() -> None:
    (result,) = check_group(("auditor", "scalardb-cluster"))
    assert (result.name, result.status) == ("ledger-included", CheckStatus.FAILED)
    assert "Ledger is always paused" in result.detail


def test_a_ledger_that_has_an_auditor_outside_of_the_plan_is_a_warning() -> None:
    audited = ReleaseStorage(release="c/n/ledger", source="ConfigMap", storages=(), is_audited=True)
    (result,) = check_group(("ledger",), (audited,))
    assert (result.name, result.subject, result.status) == ("auditor-included", "c/n/ledger", CheckStatus.WARNING)


def test_ledger_and_auditor_together_lack_nothing() -> None:
    audited = ReleaseStorage(release="c/n/ledger", source="ConfigMap", storages=(), is_audited=True)
    assert check_group(("ledger", "auditor"), (audited,)) == ()
