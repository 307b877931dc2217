"""A bank on every database: made, filled, worked on, counted, damaged, and told apart from any other state."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import pytest

from infra.sandbox.bank import damage, layouts
from infra.sandbox.bank.audit import Audit, NoSuchTable
from infra.sandbox.bank.layouts import BankLayout, as_configured, audit_live, fingerprint
from infra.sandbox.bank.opening import Opening
from infra.sandbox.bank.records import Account, Row, TransactionState
from infra.sandbox.bank.release_storages import storages_of
from infra.sandbox.bank.store import StorageError, Store
from infra.sandbox.bank.tables import COORDINATOR_TABLE
from infra.sandbox.bank.transfer import TRANSACTION_LIFETIME_MS, Conflict, Step, transfer

from .conftest import Clock
from .databases import MAKERS, dynamodb, on_both, on_rds, read, relational
from .sql_server import HOST, SqlServer, sql_server

WRITES = (Step.PREPARED_ONE, Step.PREPARED_BOTH, Step.DECIDED, Step.COMMITTED_ONE, Step.COMMITTED_BOTH)


@dataclass
class Bank:
    layout: BankLayout
    store: Store
    opening: Opening
    server: SqlServer
    clock: Clock

    @property
    def accounts(self) -> list[Account]:
        """One in each table."""
        return [Account(table, number) for number, table in enumerate(self.layout.account_tables)]

    def transfer(self, source: Account, target: Account, amount: int = 100) -> Iterator[Step]:
        return transfer(self.store, source, target, amount, clock=self.clock)

    def audit(self) -> Audit:
        return audit_live(self.layout, self.opening)


@pytest.fixture
def server(aws: None) -> Iterator[SqlServer]:
    with sql_server() as running:
        yield running


@pytest.fixture(params=MAKERS, ids=lambda maker: maker.__name__)
def bank(request: pytest.FixtureRequest, server: SqlServer) -> Bank:
    return open_bank(request.param, server)


def open_bank(maker: Any, server: SqlServer) -> Bank:
    layout, store = maker(server)
    opening = layout.opening(accounts=3, balance=1_000)
    layouts.create(layout)
    layouts.seed(layout, opening)
    return Bank(layout, store, opening, server, Clock())


def rows_of(bank: Bank) -> dict[str, list[Row]]:
    return {table: part.rows(table) for part in bank.layout.parts() for table in part.tables}


def test_a_new_bank_holds_its_opening_balances_and_says_so(bank: Bank) -> None:
    result = bank.audit()
    assert result.is_consistent, result.explain()
    assert result.raw_total == result.expected_total == 9_000
    before = fingerprint(bank.layout)
    layouts.create(bank.layout)
    assert fingerprint(bank.layout) == before, "what is there is left as it is"


def test_money_moves_between_all_tables_and_none_is_lost(bank: Bank) -> None:
    for source in bank.accounts:
        for target in bank.accounts:
            if source != target:
                assert list(bank.transfer(source, target))[-1] is Step.COMMITTED_BOTH
    result = bank.audit()
    assert result.is_consistent, result.explain()
    assert result.coordinator_states == {"COMMITTED": 7}


def test_money_is_conserved_wherever_a_node_crashes_and_whoever_comes_next_settles_it(bank: Bank) -> None:
    first, second, third = bank.accounts
    for last in WRITES:
        for step in bank.transfer(first, third):
            if step is last:
                break
        assert bank.audit().is_consistent, last
        bank.clock.now_ms += TRANSACTION_LIFETIME_MS
        list(bank.transfer(second, first))
        list(bank.transfer(second, third))
        result = bank.audit()
        assert result.is_consistent, (last, result.explain())
        assert result.record_states == {"COMMITTED": 9}, last


def test_the_loser_of_two_overlapping_transfers_leaves_no_trace(bank: Bank) -> None:
    first, second, third = bank.accounts
    loser = bank.transfer(first, third)
    assert next(loser) is Step.PREPARED_ONE
    list(bank.transfer(second, third))
    with pytest.raises(Conflict, match=f"{third} was changed"):
        list(loser)
    assert bank.store.read(first).current.balance == 1_000
    assert bank.audit().is_consistent


def test_the_coordinator_decides_once_and_an_account_that_was_never_seeded_is_named(bank: Bank) -> None:
    assert bank.store.decision("tx") is None
    assert bank.store.decide("tx", TransactionState.ABORTED, 1)
    assert not bank.store.decide("tx", TransactionState.COMMITTED, 2)
    assert bank.store.decision("tx") is TransactionState.ABORTED
    for account in bank.accounts:
        with pytest.raises(StorageError, match=rf"{account.table}/77 does not exist in table (prod-)?{account.table}"):
            bank.store.read(Account(account.table, 77))


@pytest.mark.parametrize("late", [[], ["dynamo"], ["rds"], ["dynamo", "rds"]], ids=lambda late: "+".join(late) or "none")
def test_databases_restored_to_one_instant_add_up_and_to_different_ones_show_what_is_torn(
    server: SqlServer, late: list[str]
) -> None:
    """One transfer over both databases, and each of them put back to before it unless it is `late`."""
    bank = open_bank(on_both, server)
    checking, savings, _ = bank.accounts
    old = rows_of(bank)
    list(bank.transfer(checking, savings))
    for table, rows in old.items():
        if table != COORDINATOR_TABLE and bank.layout.places[table] not in late:
            bank.layout.storage_of(table).write(table, rows)
    result = bank.audit()
    assert result.is_consistent == (len(late) != 1), result.explain()
    assert bool(result.torn) == (len(late) == 1)


def test_overwritten_rows_are_missing_money_and_every_dropped_table_is_missed_by_name(bank: Bank) -> None:
    for lost, table in enumerate(bank.layout.account_tables, start=1):
        assert damage.overwrite_rows(bank.layout, table) == 3
        assert bank.audit().resolved_total == 9_000 - lost * 3_000
    for table in [*bank.layout.account_tables, COORDINATOR_TABLE]:
        damage.drop_table(bank.layout, table)
        assert any(table in item and item.startswith("table ") for item in bank.audit().missing)
        with pytest.raises(NoSuchTable):
            damage.drop_table(bank.layout, table)


def test_a_dropped_table_of_several_databases_is_named_with_its_database(server: SqlServer) -> None:
    bank = open_bank(on_both, server)
    damage.drop_table(bank.layout, "branch.savings")
    assert f"table branch.savings on {relational(server).name}" in bank.audit().missing


def test_the_coordinator_has_no_balances_to_overwrite(server: SqlServer) -> None:
    with pytest.raises(ValueError, match="name an account table"):
        damage.overwrite_rows(on_rds(server)[0], COORDINATOR_TABLE)


def test_a_row_of_the_metadata_that_is_missing_is_missed_on_a_relational_database(server: SqlServer) -> None:
    bank = open_bank(on_rds, server)
    server.delete("scalardb.metadata", "bank.savings/before_balance")
    server.delete("scalardb.namespaces", "coordinator")
    assert bank.audit().missing == ("ScalarDB's schema of bank.savings", "namespace coordinator")


def test_scalardbs_metadata_describes_a_relational_table_column_by_column(server: SqlServer) -> None:
    open_bank(on_rds, server)
    rows = server.rows("scalardb.metadata")
    assert rows["bank.savings/account_id"] == {
        "full_table_name": "bank.savings",
        "column_name": "account_id",
        "data_type": "INT",
        "key_type": "PARTITION",
        "clustering_order": None,
        "indexed": False,
        "ordinal_position": 1,
    }
    assert (rows["bank.savings/owner"]["indexed"], rows["bank.checking/owner"]["indexed"]) == (True, False)
    assert rows["coordinator.state/tx_created_at"]["data_type"] == "BIGINT"


def test_each_of_several_databases_describes_its_own_tables_only(server: SqlServer) -> None:
    open_bank(on_both, server)
    described = {row["full_table_name"] for row in server.rows("scalardb.metadata").values()}
    assert described == {"branch.savings", "branch.wallets"}
    assert set(server.rows("scalardb.namespaces")) == {"branch", "scalardb"}
    tables = boto3.client("dynamodb", region_name="ap-northeast-1").list_tables()["TableNames"]
    assert [name for name in tables if "branch" in name] == []


def test_a_fingerprint_comes_back_with_the_state_and_differs_for_every_change(bank: Bank) -> None:
    """Undoing what was done row by row gives the fingerprint of before; nothing in between has it."""
    opened = fingerprint(bank.layout)
    old = rows_of(bank)
    seen = {opened}
    for account in bank.accounts:
        damage.overwrite_rows(bank.layout, account.table, balance=1)
        seen.add(fingerprint(bank.layout))
    bank.layout.storage_of(COORDINATOR_TABLE).write(
        COORDINATOR_TABLE, [{**row, "tx_state": int(TransactionState.ABORTED)} for row in old[COORDINATOR_TABLE]]
    )
    seen.add(fingerprint(bank.layout))
    assert len(seen) == 5
    for table, rows in old.items():
        bank.layout.storage_of(table).write(table, rows)
    assert fingerprint(bank.layout) == opened
    damage.drop_table(bank.layout, bank.accounts[0].table)
    assert fingerprint(bank.layout) not in seen


@pytest.mark.parametrize("kind", ["dynamodb", "rds", "multi-storage"])
def test_a_bank_is_found_again_from_what_its_release_says(server: SqlServer, kind: str) -> None:
    layout, release = {
        "dynamodb": lambda: layouts.on_dynamodb(dynamodb("prod-")),
        "rds": lambda: layouts.on_relational(relational(server)),
        "multi-storage": lambda: layouts.on_multi_storage(dynamodb("prod-"), relational(server)),
    }[kind]()
    opening = layout.opening(3)
    layouts.create(layout)
    layouts.seed(layout, opening)
    found = as_configured((read(release.properties, server), release.tables))
    assert fingerprint(found) == fingerprint(layout)
    assert audit_live(found, opening).is_consistent


def test_two_releases_that_share_transactions_lead_to_one_bank_together(server: SqlServer) -> None:
    layout, first, second = layouts.on_two_releases(dynamodb("prod-"), relational(server))
    layouts.create(layout)
    opening = layout.opening(3)
    layouts.seed(layout, opening)
    found = as_configured(*((read(release.properties, server), release.tables) for release in (first, second)))
    assert fingerprint(found) == fingerprint(layout)
    assert audit_live(found, opening).is_consistent


def test_two_releases_of_which_one_was_led_to_another_coordinator_are_no_bank(server: SqlServer) -> None:
    _, _, second = layouts.on_two_releases(dynamodb("prod-"), relational(server))
    _, elsewhere, _ = layouts.on_two_releases(dynamodb("restored-"), relational(server))
    told = [(read(release.properties, server), release.tables) for release in (elsewhere, second)]
    with pytest.raises(ValueError, match=r"coordinator\.state in DynamoDB .* with prefix restored-, another one"):
        as_configured(*told)


def test_a_database_that_is_down_is_an_error_that_names_it(server: SqlServer) -> None:
    bank = open_bank(on_rds, server)
    del server.volumes[HOST]
    with pytest.raises(StorageError, match=r"rds\.amazonaws\.com:5432 did not read table bank\.checking: .*does not answer"):
        bank.store.read(bank.accounts[0])


def test_a_wrong_password_is_an_error_that_does_not_show_it(server: SqlServer) -> None:
    properties = layouts.on_relational(relational(server))[1].properties | {"scalar.db.password": "wrong-one"}
    found = storages_of(properties, server.url)
    assert found is not None
    with pytest.raises(StorageError, match="Access denied for user bank") as refused:
        found.store(1).decision("tx")
    assert "wrong-one" not in str(refused.value)
