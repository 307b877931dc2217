"""The load of one pod: it works through the gate, stops when the gate is closed, and leaves what a killed node leaves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from infra.sandbox.bank.cut import cut_offsets
from infra.sandbox.bank.records import Account, Record, TransactionState, Version
from infra.sandbox.bank.tables import ALL_TABLES
from infra.sandbox.bank.transfer import Conflict
from infra.sandbox.bank.workers import Bank, BankSettings, InvalidSetting
from infra.sandbox.pods import generations
from infra.sandbox.pods.gate import Gate, PauseOutcome

from .conftest import OPENING, BankUnderTest

# With crashes, three accounts per table would soon all be locked by abandoned transfers.
HONEST = BankSettings(workers=3, accounts=OPENING.accounts, crash_rate=0.0, think_seconds=0.002)
CRASHING = BankSettings(workers=3, accounts=OPENING.accounts, crash_rate=1.0, think_seconds=0.002)


@asynccontextmanager
async def at_work(bank: BankUnderTest, gate: Gate, settings: BankSettings) -> AsyncIterator[Bank]:
    errors: list[str] = []
    workers = Bank(bank.store, gate, settings, errors.append, seed=7)
    running = asyncio.create_task(workers.run())
    yield workers
    gate.unpause()
    workers.close()
    await running
    assert errors == []


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.005)


@pytest.mark.parametrize("generation", [generations.SERVER, generations.CLUSTER_3_19, generations.LEDGER_3_14])
async def test_in_a_drained_pause_nothing_is_written_and_both_totals_are_right(
    bank: BankUnderTest, generation: generations.Generation
) -> None:
    gate = Gate(generation)
    async with at_work(bank, gate, HONEST) as workers:
        await until(lambda: workers.counts.committed >= 20)
        assert await gate.pause(wait_outstanding=True, wait_seconds=30) is PauseOutcome.PAUSED
        assert gate.outstanding == 0
        written = len(bank.journal.writes)
        result = await asyncio.to_thread(bank.audit)
        assert result.is_consistent
        assert result.raw_total == result.expected_total
        assert len(bank.journal.writes) == written
        gate.unpause()
        await until(lambda: len(bank.journal.writes) > written)


async def test_at_a_busy_moment_the_plain_sum_is_mostly_wrong_while_the_resolved_one_is_right(bank: BankUnderTest) -> None:
    await work_for_a_while(bank)
    results = [bank.journal.audit(cut) for cut in range(len(bank.journal.writes))]
    assert all(result.is_consistent for result in results)
    assert sum(result.raw_total != result.expected_total for result in results) > len(results) / 4


async def test_at_a_busy_moment_tables_cut_within_one_second_of_each_other_are_mostly_inconsistent(
    bank: BankUnderTest,
) -> None:
    await work_for_a_while(bank)
    # Spaced as the tables' cuts are, at a load of 60 writes, or 12 transfers, in a second.
    writes_after = {table: round(60 * seconds) for table, seconds in cut_offsets(ALL_TABLES).items()}
    moments = range(0, len(bank.journal.writes) - 60, 5)
    results = [bank.journal.audit({table: at + writes_after[table] for table in ALL_TABLES}) for at in moments]
    assert sum(not result.is_consistent for result in results) > len(results) * 0.8
    assert sum(result.resolved_total != result.expected_total for result in results) > len(results) * 0.8


async def work_for_a_while(bank: BankUnderTest) -> None:
    gate = Gate(generations.CLUSTER)
    async with at_work(bank, gate, HONEST) as workers:
        await until(lambda: workers.counts.committed >= 40)
        await gate.pause(wait_outstanding=True, wait_seconds=30)


async def test_a_closed_gate_refuses_the_workers_of_scalardb_which_come_back_later(bank: BankUnderTest) -> None:
    gate = Gate(generations.CLUSTER)
    async with at_work(bank, gate, HONEST) as workers:
        await gate.pause(wait_outstanding=True, wait_seconds=30)
        committed = workers.counts.committed
        await until(lambda: workers.counts.refused >= 3)
        assert workers.counts.committed == committed
        gate.unpause()
        await until(lambda: workers.counts.committed > committed)


async def test_a_closed_gate_holds_the_workers_of_scalardl(bank: BankUnderTest) -> None:
    gate = Gate(generations.LEDGER)
    async with at_work(bank, gate, HONEST) as workers:
        await until(lambda: workers.counts.committed >= 1)
        await gate.pause(wait_outstanding=True, wait_seconds=30)
        committed = workers.counts.committed
        gate.unpause()
        await until(lambda: workers.counts.committed > committed)
        assert workers.counts.refused == 0


async def test_abandoned_transfers_leave_prepared_records_but_nothing_outstanding(bank: BankUnderTest) -> None:
    gate = Gate(generations.CLUSTER)
    async with at_work(bank, gate, CRASHING) as workers:
        await until(lambda: workers.counts.abandoned >= 4)
        assert await gate.pause(wait_outstanding=True, wait_seconds=30) is PauseOutcome.PAUSED
        result = await asyncio.to_thread(bank.audit)
    assert result.record_states["PREPARED"] > 0
    assert result.is_consistent
    assert result.raw_total == result.expected_total
    assert workers.counts.committed == 0


async def test_a_storage_error_is_reported_once_and_the_worker_goes_on(bank: BankUnderTest) -> None:
    errors: list[str] = []
    missing = BankSettings(workers=2, accounts=1, crash_rate=0.0, think_seconds=0.0)
    for table in ("bank.checking", "bank.savings", "bank.wallets"):
        bank.dynamodb.delete_table(TableName=table)
    workers = Bank(bank.store, Gate(generations.CLUSTER), missing, errors.append, seed=1)
    running = asyncio.create_task(workers.run())
    await until(lambda: workers.counts.storage_errors >= 2)
    workers.close()
    await running
    assert 1 <= len(set(errors)) == len(errors) <= 3
    assert "ResourceNotFoundException" in errors[0]


class Noted:
    """A store that notes between which tables money was to move, and has no accounts."""

    def __init__(self) -> None:
        self.pairs: list[tuple[str, ...]] = []
        self._met: list[str] = []

    def read(self, account: Account) -> Record:
        self._met.append(account.table)
        if len(self._met) == 2:
            self.pairs.append(tuple(self._met))
            self._met = []
            raise Conflict("enough was seen")
        return Record(account, Version("customer", 1_000, None, None, "tx", TransactionState.COMMITTED, 1, 0, 0))

    def replace(self, record: Record, was: Version) -> bool:
        raise AssertionError("nothing is written")

    def decide(self, tx_id: str, state: TransactionState, at_ms: int) -> bool:
        raise AssertionError("nothing is decided")

    def decision(self, tx_id: str) -> TransactionState | None:
        raise AssertionError("nobody asks")


async def pairs_of(settings: BankSettings) -> set[tuple[str, ...]]:
    store = Noted()
    workers = Bank(store, Gate(generations.CLUSTER), settings, lambda _: None, seed=3)
    running = asyncio.create_task(workers.run())
    await until(lambda: len(store.pairs) >= 60)
    workers.close()
    await running
    return set(store.pairs)


async def test_money_moves_from_every_table_to_every_other_one() -> None:
    pairs = await pairs_of(BankSettings(workers=1, think_seconds=0, tables=("a.x", "b.y", "b.z")))
    assert pairs == {(one, other) for one in ("a.x", "b.y", "b.z") for other in ("a.x", "b.y", "b.z") if one != other}


async def test_with_a_peer_every_transfer_is_between_the_two_releases_in_either_direction() -> None:
    settings = BankSettings(workers=1, think_seconds=0, tables=("a.x", "a.y"), peer_tables=("b.z",), peer_properties="/f")
    assert await pairs_of(settings) == {("a.x", "b.z"), ("a.y", "b.z"), ("b.z", "a.x"), ("b.z", "a.y")}


def test_settings_come_from_the_environment() -> None:
    environment = {"BANK_WORKERS": "0", "BANK_ACCOUNTS": "5", "BANK_CRASH_RATE": "0.5", "BANK_THINK_SECONDS": "0"}
    assert BankSettings.from_environment(environment) == BankSettings(0, 5, 0.5, 0.0)
    assert BankSettings.from_environment({}) == BankSettings()


def test_a_peer_comes_from_the_environment_with_its_tables_and_the_file_of_its_properties() -> None:
    environment = {
        "BANK_TABLES": "bank.checking",
        "BANK_PEER_TABLES": "branch.savings, branch.wallets",
        "BANK_PEER_PROPERTIES": "/bank/peer/x.properties",
        "BANK_SQL_URL": "http://127.0.0.1:1",
    }
    assert BankSettings.from_environment(environment) == BankSettings(
        tables=("bank.checking",),
        sql_url="http://127.0.0.1:1",
        peer_tables=("branch.savings", "branch.wallets"),
        peer_properties="/bank/peer/x.properties",
    )


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"BANK_TABLES": "bank.savings"}, "BANK_TABLES is 'bank.savings'; it must be at least 2 tables"),
        ({"BANK_TABLES": "bank.savings,bank.savings"}, "at least 2 tables"),
        ({"BANK_TABLES": "savings,checking"}, "with their namespaces"),
        ({"BANK_PEER_TABLES": "bank.savings"}, "without BANK_PEER_PROPERTIES"),
        ({"BANK_PEER_PROPERTIES": "/f"}, "BANK_PEER_TABLES is None; it must be at least 1 tables"),
    ],
)
def test_tables_between_which_no_money_can_move_are_refused(environment: dict[str, str], message: str) -> None:
    with pytest.raises(InvalidSetting, match=message):
        BankSettings.from_environment(environment)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("BANK_WORKERS", "-1"),
        ("BANK_WORKERS", "1.5"),
        ("BANK_ACCOUNTS", "0"),
        ("BANK_CRASH_RATE", "1.1"),
        ("BANK_CRASH_RATE", "nan"),
        ("BANK_THINK_SECONDS", ""),
    ],
)
def test_a_setting_without_a_usable_value_is_refused_by_name(name: str, text: str) -> None:
    with pytest.raises(InvalidSetting, match=f"{name} is '{text}'"):
        BankSettings.from_environment({name: text})
