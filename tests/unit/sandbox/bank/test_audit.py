"""A copy cut at one instant always adds up as ScalarDB reads it; one cut at several instants of a busy bank does not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infra.sandbox.bank.audit import audit, scan_with
from infra.sandbox.bank.dynamodb_items import key_of
from infra.sandbox.bank.records import Account
from infra.sandbox.bank.tables import ACCOUNT_TABLES, ALL_TABLES
from infra.sandbox.bank.transfer import TRANSACTION_LIFETIME_MS, Conflict, InsufficientFunds, Step, transfer

from .conftest import OPENING, BankUnderTest, everywhere, reseed

CHECKING, SAVINGS, WALLET = Account("bank.checking", 0), Account("bank.savings", 1), Account("bank.wallets", 2)
AT_WORK = 3

accounts = st.builds(Account, st.sampled_from(ACCOUNT_TABLES), st.integers(0, OPENING.accounts - 1))
orders = st.tuples(accounts, accounts, st.integers(1, 600)).filter(lambda order: order[0] != order[1])


def run_interleaved(bank: BankUnderTest, data: st.DataObject) -> None:
    """Some transfers at a time, advanced in any order, crashing at any point, with time passing in between."""
    waiting = data.draw(st.lists(orders, min_size=4, max_size=8), label="orders")
    at_work: list[Iterator[Step]] = []
    while waiting or at_work:
        while waiting and len(at_work) < AT_WORK:
            source, target, amount = waiting.pop()
            at_work.append(transfer(bank.store, source, target, amount, clock=bank.clock))
        chosen = data.draw(st.integers(0, len(at_work) - 1), label="whose turn")
        event = data.draw(st.sampled_from(["step"] * 12 + ["crash", "time passes"]), label="what happens")
        if event == "time passes":
            bank.clock.now_ms += TRANSACTION_LIFETIME_MS
        elif event == "crash":
            del at_work[chosen]
        else:
            try:
                if next(at_work[chosen], None) is None:
                    del at_work[chosen]
            except (Conflict, InsufficientFunds):
                del at_work[chosen]


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_every_prefix_of_the_global_order_of_writes_resolves_to_the_same_total(
    bank: BankUnderTest, data: st.DataObject
) -> None:
    run = reseed(bank.dynamodb)
    run_interleaved(run, data)
    for position in range(len(run.journal.writes) + 1):
        result = run.journal.audit(position)
        assert result.is_consistent, result.explain()


@pytest.mark.parametrize(
    ("late", "early", "present"),
    [("bank.checking", "bank.savings", CHECKING), ("bank.savings", "bank.checking", SAVINGS)],
)
def test_tables_cut_on_either_side_of_a_transfer_show_a_torn_transfer_and_wrong_money(
    bank: BankUnderTest, late: str, early: str, present: Account
) -> None:
    list(transfer(bank.store, CHECKING, SAVINGS, 100, clock=bank.clock))
    result = bank.journal.audit(everywhere(len(bank.journal.writes)) | {early: 0})
    assert not result.is_consistent
    assert abs(result.resolved_total - result.expected_total) == 100
    assert [transfer.present for transfer in result.torn] == [present]
    assert late in result.explain()
    assert "earlier version" in result.explain()


def test_a_coordinator_cut_before_the_decision_undoes_one_side_of_a_transfer(bank: BankUnderTest) -> None:
    list(transfer(bank.store, CHECKING, SAVINGS, 100, clock=bank.clock))
    cuts = everywhere(0) | {"bank.checking": 5, "bank.savings": 2}
    result = bank.journal.audit(cuts)
    assert not result.is_consistent
    assert result.rolled_back == 1
    assert result.committed_without_row == 1


def test_transfers_that_cancel_out_in_the_sum_are_torn_all_the_same(bank: BankUnderTest) -> None:
    list(transfer(bank.store, CHECKING, SAVINGS, 100, clock=bank.clock))
    list(transfer(bank.store, Account("bank.savings", 2), Account("bank.checking", 2), 100, clock=bank.clock))
    result = bank.journal.audit(everywhere(len(bank.journal.writes)) | {"bank.savings": 0})
    assert result.resolved_total == result.expected_total
    assert len(result.torn) == 2
    assert not result.is_consistent


def test_a_plain_sum_is_wrong_between_two_prepares_and_right_again_after_the_second(bank: BankUnderTest) -> None:
    steps = transfer(bank.store, CHECKING, SAVINGS, 100, clock=bank.clock)
    assert next(steps) is Step.PREPARED_ONE
    assert bank.audit().raw_total == OPENING.total - 100
    assert bank.audit().is_consistent
    assert next(steps) is Step.PREPARED_BOTH
    assert bank.audit().raw_total == OPENING.total
    assert bank.audit().rolled_back == 2
    assert next(steps) is Step.DECIDED
    assert bank.audit().rolled_forward == 2


def test_the_latest_times_are_those_of_the_last_transaction(bank: BankUnderTest) -> None:
    steps = transfer(bank.store, CHECKING, SAVINGS, 100, clock=bank.clock)
    next(steps)
    prepared_at_ms = bank.clock.now_ms
    bank.clock.now_ms += 5_000
    list(steps)
    result = bank.audit()
    assert result.latest_prepared_at is not None
    assert result.latest_decided_at is not None
    assert result.latest_prepared_at.timestamp() * 1000 == prepared_at_ms
    assert result.latest_decided_at == result.latest_committed_at
    assert (result.latest_decided_at - result.latest_prepared_at).total_seconds() == 5


def test_a_copy_is_read_under_the_names_that_are_given(bank: BankUnderTest) -> None:
    copied = {name: f"copy-of-{name}" for name in ACCOUNT_TABLES}
    read_live = scan_with(bank.dynamodb)
    read: list[str] = []

    def read_table(name: str) -> Any:
        read.append(name)
        return read_live(name.removeprefix("copy-of-"))

    assert audit(read_table, OPENING, copied).is_consistent
    assert sorted(read) == sorted([*copied.values(), "coordinator.state", "scalardb.metadata", "scalardb.namespaces"])


@pytest.mark.parametrize("table", ALL_TABLES)
def test_a_table_that_the_copy_lacks_is_named(bank: BankUnderTest, table: str) -> None:
    bank.dynamodb.delete_table(TableName=table)
    result = bank.audit()
    assert not result.is_consistent
    assert f"table {table}" in result.missing
    assert table in result.explain()


def test_an_account_that_the_copy_lacks_is_named(bank: BankUnderTest) -> None:
    bank.dynamodb.delete_item(TableName="bank.savings", Key=key_of(SAVINGS.number))
    assert bank.audit().missing == ("account bank.savings/1",)


def test_a_missing_counterpart_makes_a_transfer_torn(bank: BankUnderTest) -> None:
    list(transfer(bank.store, CHECKING, SAVINGS, 100, clock=bank.clock))
    bank.dynamodb.delete_item(TableName="bank.savings", Key=key_of(SAVINGS.number))
    assert [torn.absent for torn in bank.audit().torn] == [SAVINGS]


def test_a_consistent_copy_says_how_much_it_holds(bank: BankUnderTest) -> None:
    assert bank.audit().explain() == "Consistent: all 9,000 are there, in 9 accounts."
