"""The row of an account, and the DynamoDB item of it that ScalarDB's adapter writes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.sandbox.bank.dynamodb_items import item_of, row_of
from infra.sandbox.bank.records import Account, Record, TransactionState, Version
from infra.sandbox.bank.tables import SCHEMAS, encode_int_key, encode_text_key

OPENED = Version("customer-1", 100, None, None, "tx-0", TransactionState.COMMITTED, 1, 10, 20)
SOURCE, TARGET = Record(Account("bank.checking", 1), OPENED), Record(Account("bank.savings", 2), OPENED)


def test_a_prepared_record_holds_the_new_version_and_the_whole_one_before() -> None:
    item = item_of("bank.checking", SOURCE.prepared("tx-1", 30, 70, TARGET).as_row())
    assert item == {
        "concatenatedPartitionKey": {"B": b"\x80\x00\x00\x01"},
        "account_id": {"N": "1"},
        "owner": {"S": "customer-1"},
        "balance": {"N": "70"},
        "counterpart": {"S": "bank.savings/2"},
        "counterpart_version": {"N": "2"},
        "tx_id": {"S": "tx-1"},
        "tx_state": {"N": "1"},
        "tx_version": {"N": "2"},
        "tx_prepared_at": {"N": "30"},
        "tx_committed_at": {"NULL": True},
        "before_owner": {"S": "customer-1"},
        "before_balance": {"N": "100"},
        "before_counterpart": {"NULL": True},
        "before_counterpart_version": {"NULL": True},
        "before_tx_id": {"S": "tx-0"},
        "before_tx_state": {"N": "3"},
        "before_tx_version": {"N": "1"},
        "before_tx_prepared_at": {"N": "10"},
        "before_tx_committed_at": {"N": "20"},
    }


def test_every_column_of_an_item_is_in_scalardbs_schema_of_the_table() -> None:
    item = item_of("bank.checking", SOURCE.prepared("tx-1", 30, 70, TARGET).as_row())
    assert set(item) - {"concatenatedPartitionKey"} == set(SCHEMAS["bank.checking"].columns)


def test_committing_changes_the_state_and_the_time_only() -> None:
    prepared = SOURCE.prepared("tx-1", 30, 70, TARGET)
    changed = {name for name, value in prepared.committed(40).as_row().items() if prepared.as_row()[name] != value}
    assert changed == {"tx_state", "tx_committed_at"}
    assert prepared.committed(40).is_committed


def test_rolling_back_brings_the_version_before_back() -> None:
    assert SOURCE.prepared("tx-1", 30, 70, TARGET).rolled_back().current == OPENED


def test_a_record_that_was_never_prepared_cannot_be_rolled_back() -> None:
    with pytest.raises(ValueError, match=r"bank\.checking/1 has no before-image"):
        SOURCE.rolled_back()


@given(st.integers(0, 2**31 - 1), st.integers(), st.booleans())
def test_a_record_is_read_back_from_its_item(number: int, balance: int, prepared: bool) -> None:
    record = Record(Account("bank.wallets", number), OPENED)
    if prepared:
        record = record.prepared("tx-1", 30, balance, TARGET)
    assert Record.from_row("bank.wallets", row_of(item_of("bank.wallets", record.as_row()))) == record


@given(st.lists(st.integers(-(2**31), 2**31 - 1)))
def test_encoded_int_keys_sort_as_numbers(numbers: list[int]) -> None:
    assert sorted(numbers) == sorted(numbers, key=encode_int_key)


def test_text_keys_end_in_a_zero_byte() -> None:
    assert encode_text_key("テ") == b"\xe3\x83\x86\x00"


def test_an_account_is_found_by_its_name() -> None:
    account = Account("bank.savings", 17)
    assert Account.named(str(account)) == account
