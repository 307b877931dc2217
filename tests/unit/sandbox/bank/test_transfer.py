"""Transfers on DynamoDB: what one writes, what a crash leaves at each point, and who settles it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from botocore.exceptions import ConnectTimeoutError

from infra.sandbox.bank.dynamodb_store import DynamoDbStore
from infra.sandbox.bank.records import Account, TransactionState
from infra.sandbox.bank.store import StorageError
from infra.sandbox.bank.transfer import TRANSACTION_LIFETIME_MS, Conflict, InsufficientFunds, Step, transfer

from .conftest import BankUnderTest

CHECKING, SAVINGS, WALLET = Account("bank.checking", 0), Account("bank.savings", 1), Account("bank.wallets", 2)
WRITES_OF_ONE_TRANSFER = [Step.PREPARED_ONE, Step.PREPARED_BOTH, Step.DECIDED, Step.COMMITTED_ONE, Step.COMMITTED_BOTH]


def begin(bank: BankUnderTest, source: Account = CHECKING, target: Account = SAVINGS, amount: int = 100) -> Iterator[Step]:
    return transfer(bank.store, source, target, amount, clock=bank.clock)


def crash_after(bank: BankUnderTest, last: Step) -> None:
    """The node stops after this write and is never heard of again."""
    for step in begin(bank):
        if step is last:
            return
    raise AssertionError(f"{last} never came")


def balances(bank: BankUnderTest) -> tuple[int, int]:
    return bank.store.read(CHECKING).current.balance, bank.store.read(SAVINGS).current.balance


def test_a_transfer_prepares_decides_and_commits_in_this_order(bank: BankUnderTest) -> None:
    assert list(begin(bank)) == WRITES_OF_ONE_TRANSFER
    assert balances(bank) == (900, 1_100)
    assert [table for table, _ in bank.journal.writes] == [
        "bank.checking",
        "bank.savings",
        "coordinator.state",
        "bank.checking",
        "bank.savings",
    ]


def test_an_account_without_enough_money_pays_nothing(bank: BankUnderTest) -> None:
    with pytest.raises(InsufficientFunds, match=r"bank\.checking/0 holds 1000, less than 1001"):
        list(begin(bank, amount=1_001))
    assert bank.journal.writes == []


def test_a_record_of_a_running_transaction_is_a_conflict(bank: BankUnderTest) -> None:
    running = begin(bank)
    next(running)
    bank.clock.now_ms += TRANSACTION_LIFETIME_MS - 1
    with pytest.raises(Conflict, match="may still be running"):
        list(begin(bank, source=WALLET, target=CHECKING))
    assert list(running) == WRITES_OF_ONE_TRANSFER[1:]


def test_the_loser_of_two_overlapping_transfers_leaves_no_trace(bank: BankUnderTest) -> None:
    loser = begin(bank, source=CHECKING, target=SAVINGS)
    assert next(loser) is Step.PREPARED_ONE
    list(begin(bank, source=WALLET, target=SAVINGS))
    with pytest.raises(Conflict, match=r"bank\.savings/1 was changed"):
        list(loser)
    assert balances(bank) == (1_000, 1_100)
    assert bank.audit().record_states == {"COMMITTED": 9}


@pytest.mark.parametrize("last", [Step.PREPARED_ONE, Step.PREPARED_BOTH])
def test_a_crash_before_the_decision_is_rolled_back_once_it_has_expired(bank: BankUnderTest, last: Step) -> None:
    crash_after(bank, last)
    bank.clock.now_ms += TRANSACTION_LIFETIME_MS
    steps = list(begin(bank, source=WALLET, target=CHECKING))
    assert Step.RECOVERED in steps
    assert balances(bank) == (1_100, 1_000)
    assert bank.audit().record_states == {"COMMITTED": 9}
    assert bank.audit().coordinator_states == {"COMMITTED": 2, "ABORTED": 1}


@pytest.mark.parametrize("last", [Step.DECIDED, Step.COMMITTED_ONE])
@pytest.mark.parametrize("met_first", [CHECKING, SAVINGS])
def test_a_crash_after_the_decision_is_rolled_forward_at_once(bank: BankUnderTest, last: Step, met_first: Account) -> None:
    crash_after(bank, last)
    list(begin(bank, source=WALLET, target=met_first))
    list(begin(bank, source=WALLET, target=CHECKING if met_first is SAVINGS else SAVINGS))
    assert balances(bank) == (1_000, 1_200)
    assert bank.audit().record_states == {"COMMITTED": 9}


@pytest.mark.parametrize("last", list(WRITES_OF_ONE_TRANSFER))
def test_money_is_conserved_wherever_a_node_crashes(bank: BankUnderTest, last: Step) -> None:
    crash_after(bank, last)
    assert bank.audit().is_consistent
    bank.clock.now_ms += TRANSACTION_LIFETIME_MS
    list(begin(bank, source=SAVINGS, target=CHECKING))
    assert bank.audit().is_consistent
    assert bank.audit().raw_total == bank.audit().expected_total


def test_whoever_meets_one_side_of_a_crashed_transfer_settles_both(bank: BankUnderTest) -> None:
    crash_after(bank, Step.PREPARED_BOTH)
    bank.clock.now_ms += TRANSACTION_LIFETIME_MS
    list(begin(bank, source=WALLET, target=CHECKING))
    assert bank.store.read(SAVINGS).is_committed


def test_a_transaction_that_was_aborted_while_it_slept_cannot_commit_any_more(bank: BankUnderTest) -> None:
    sleeping = begin(bank)
    assert [next(sleeping), next(sleeping)] == [Step.PREPARED_ONE, Step.PREPARED_BOTH]
    bank.clock.now_ms += TRANSACTION_LIFETIME_MS
    list(begin(bank, source=SAVINGS, target=WALLET))
    with pytest.raises(Conflict, match="was aborted by another one"):
        list(sleeping)
    assert balances(bank) == (1_000, 900)


def test_a_late_commit_beats_the_abort_of_somebody_who_found_it_expired(
    bank: BankUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = begin(bank)
    assert [next(slow), next(slow)] == [Step.PREPARED_ONE, Step.PREPARED_BOTH]
    bank.clock.now_ms += TRANSACTION_LIFETIME_MS
    decide = bank.store.decide

    def commit_just_before(tx_id: str, state: TransactionState, at_ms: int) -> bool:
        monkeypatch.undo()
        assert next(slow) is Step.DECIDED
        return decide(tx_id, state, at_ms)

    monkeypatch.setattr(bank.store, "decide", commit_just_before)
    list(begin(bank, source=SAVINGS, target=WALLET))
    list(slow)
    assert balances(bank) == (900, 1_000)


def test_the_coordinator_decides_once(bank: BankUnderTest) -> None:
    assert bank.store.decision("tx") is None
    assert bank.store.decide("tx", TransactionState.ABORTED, 1)
    assert not bank.store.decide("tx", TransactionState.COMMITTED, 2)
    assert bank.store.decision("tx") is TransactionState.ABORTED


def test_an_account_that_was_never_seeded_is_an_error_that_names_it(bank: BankUnderTest) -> None:
    with pytest.raises(StorageError, match=r"bank\.savings/77 does not exist in table bank\.savings"):
        list(begin(bank, target=Account("bank.savings", 77)))


def test_a_table_that_is_gone_is_an_error_that_names_it(bank: BankUnderTest) -> None:
    bank.dynamodb.delete_table(TableName="bank.savings")
    with pytest.raises(StorageError, match=r"get_item on table bank\.savings: ResourceNotFoundException"):
        list(begin(bank))


def test_no_answer_from_dynamodb_is_an_error_that_names_the_table_with_its_prefix() -> None:
    class Silent:
        def get_item(self, **_: object) -> object:
            raise ConnectTimeoutError(endpoint_url="http://127.0.0.1:1")

    with pytest.raises(StorageError, match=r"No answer from DynamoDB to get_item on table prod-bank\.checking"):
        DynamoDbStore(Silent(), prefix="prod-").read(CHECKING)
