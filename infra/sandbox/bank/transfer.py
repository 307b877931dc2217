"""One transfer as a Consensus Commit transaction, and the lazy recovery of what a crashed node left behind.

The transfer is a generator that stops after every write. Its caller decides how long to think there, in which order
transfers interleave, and whether the node dies: a generator that is not resumed has crashed at exactly that point.
Source: ScalarDB's CommitHandler and RecoveryHandler.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Generator, Iterator
from enum import Enum

from infra.sandbox.bank.records import Account, Record, TransactionState, epoch_ms
from infra.sandbox.bank.store import Store

# After this time without a decision anybody may abort a transaction (RecoveryHandler.TRANSACTION_LIFETIME_MILLIS).
TRANSACTION_LIFETIME_MS = 15_000

Clock = Callable[[], int]


class Step(Enum):
    """The write that was just done."""

    PREPARED_ONE = "one of the two records is prepared"
    PREPARED_BOTH = "both records are prepared, nothing is decided"
    DECIDED = "the Coordinator row is written: the transaction is committed, its records not yet"
    COMMITTED_ONE = "one of the two records is committed"
    COMMITTED_BOTH = "the transaction is over"
    UNDONE = "a write of an aborted attempt to prepare was taken back"
    RECOVERED = "a record of another, crashed transaction was rolled forward or back"


class Conflict(Exception):
    """Another transaction was there first; nothing of this one remains. Try again."""


class InsufficientFunds(Exception):
    """The source account holds less than the amount; nothing was written."""


def transfer(
    store: Store,
    source: Account,
    target: Account,
    amount: int,
    *,
    clock: Clock = epoch_ms,
    lifetime_ms: int = TRANSACTION_LIFETIME_MS,
) -> Iterator[Step]:
    """Moves `amount` from `source` to `target`, two accounts in any tables.

    Raises Conflict, InsufficientFunds, StorageError. After StorageError the transaction may be left undecided; as with
    any crash, the next transfer that meets its records settles it.
    """
    paying = yield from _settled(store, source, clock, lifetime_ms)
    receiving = yield from _settled(store, target, clock, lifetime_ms)
    if paying.current.balance < amount:
        raise InsufficientFunds(f"{source} holds {paying.current.balance}, less than {amount}.")

    tx_id = str(uuid.uuid4())
    at_ms = clock()
    changes = [
        (paying, paying.prepared(tx_id, at_ms, paying.current.balance - amount, receiving)),
        (receiving, receiving.prepared(tx_id, at_ms, receiving.current.balance + amount, paying)),
    ]
    prepared: list[Record] = []
    for read, change in changes:
        if not store.replace(change, was=read.current):
            yield from _abort(store, tx_id, prepared, clock)
            raise Conflict(f"{read.account} was changed by another transaction.")
        prepared.append(change)
        yield Step.PREPARED_ONE if len(prepared) < len(changes) else Step.PREPARED_BOTH

    if not store.decide(tx_id, TransactionState.COMMITTED, clock()):
        yield from _abort(store, tx_id, prepared, clock)
        raise Conflict(f"Transaction {tx_id} took longer than {lifetime_ms} ms and was aborted by another one.")
    yield Step.DECIDED
    for record, step in zip(prepared, (Step.COMMITTED_ONE, Step.COMMITTED_BOTH), strict=True):
        # False means that somebody met the record meanwhile and has rolled it forward.
        store.replace(record.committed(clock()), was=record.current)
        yield step


def _abort(store: Store, tx_id: str, prepared: list[Record], clock: Clock) -> Iterator[Step]:
    store.decide(tx_id, TransactionState.ABORTED, clock())
    for record in prepared:
        store.replace(record.rolled_back(), was=record.current)
        yield Step.UNDONE


def _settled(store: Store, account: Account, clock: Clock, lifetime_ms: int) -> Generator[Step, None, Record]:
    """Reads a committed record; one that a crashed transaction left behind is rolled forward or back first.

    Raises Conflict if its transaction may still be running.
    """
    while True:
        record = store.read(account)
        if record.is_committed:
            return record
        tx_id = record.current.tx_id
        decision = store.decision(tx_id)
        if decision is None:
            if clock() - record.current.tx_prepared_at < lifetime_ms:
                raise Conflict(f"{account} is prepared by transaction {tx_id}, which may still be running.")
            store.decide(tx_id, TransactionState.ABORTED, clock())
            # Whoever decided, this call or a late commit: the row now says what is to be done.
            continue
        yield from _recover(store, record, decision, clock)


def _recover(store: Store, met: Record, decision: TransactionState, clock: Clock) -> Iterator[Step]:
    """Settles both sides of a crashed transfer: the bank, unlike ScalarDB, knows where the other side is."""
    counterpart = Account.named(met.current.counterpart or "")
    for record in (met, store.read(counterpart)):
        if record.is_committed or record.current.tx_id != met.current.tx_id:
            continue
        settled = record.committed(clock()) if decision is TransactionState.COMMITTED else record.rolled_back()
        store.replace(settled, was=record.current)
        yield Step.RECOVERED
