"""The load of one pod: workers that move money through the pod's gate, and now and then die in the middle.

Environment (read by `BankSettings.from_environment`):
  BANK_WORKERS        transfers at a time, default 4; 0 switches the bank off
  BANK_ACCOUNTS       accounts in each table, default 100; as many as were seeded
  BANK_CRASH_RATE     share of transfers that are abandoned after both records were prepared, default 0.01
  BANK_THINK_SECONDS  mean pause between two steps of a transfer, and between two transfers, default 0.12
  BANK_TABLES         the account tables, default the three of a bank on one database
  BANK_SQL_URL        where the sandbox's relational databases take statements: their host names resolve there only
  BANK_DOCUMENTS_URL  where the sandbox's Cosmos DB takes requests, likewise
  BANK_PEER_TABLES, BANK_PEER_PROPERTIES
                      for two-phase commit: the account tables of the other release, and the file inside the container that
                      holds its properties; every transfer is then between a table of one and a table of the other
"""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from infra.sandbox.bank.records import Account
from infra.sandbox.bank.store import StorageError, Store
from infra.sandbox.bank.tables import ACCOUNT_TABLES
from infra.sandbox.bank.transfer import Conflict, InsufficientFunds, Step, transfer
from infra.sandbox.pods.gate import Gate, Refused

_LARGEST_AMOUNT = 1_000
_BACKOFF_SECONDS = 0.1
_STORAGE_BACKOFF_SECONDS = 1.0

# Real prepares of one transaction follow each other within milliseconds, sent over different connections to different
# tables. The sandbox stretches these moments, so that a cut at a random instant meets them with few pods, too.
_THINKS_AFTER = (Step.PREPARED_ONE, Step.PREPARED_BOTH)
# Where an abandoned transfer stops: before the decision, right after it, and between the two commits.
_CRASHES_AFTER = (Step.PREPARED_BOTH, Step.DECIDED, Step.COMMITTED_ONE)


class InvalidSetting(ValueError):
    """An environment variable of the bank has no usable value."""


@dataclass(frozen=True)
class BankSettings:
    workers: int = 4
    accounts: int = 100
    crash_rate: float = 0.01
    think_seconds: float = 0.12
    tables: tuple[str, ...] = ACCOUNT_TABLES
    sql_url: str | None = None
    documents_url: str | None = None
    peer_tables: tuple[str, ...] = ()
    peer_properties: str = ""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> BankSettings:
        """Raises InvalidSetting."""
        peer_properties = environment.get("BANK_PEER_PROPERTIES", "")
        if environment.get("BANK_PEER_TABLES") and not peer_properties:
            raise InvalidSetting("BANK_PEER_TABLES is set without BANK_PEER_PROPERTIES, the file that says where they are.")
        return cls(
            workers=int(_number(environment, "BANK_WORKERS", cls.workers, int, least=0)),
            accounts=int(_number(environment, "BANK_ACCOUNTS", cls.accounts, int, least=1)),
            crash_rate=_number(environment, "BANK_CRASH_RATE", cls.crash_rate, float, least=0, most=1),
            think_seconds=_number(environment, "BANK_THINK_SECONDS", cls.think_seconds, float, least=0),
            # Without a peer a transfer is between two of the tables.
            tables=_tables(environment, "BANK_TABLES", ACCOUNT_TABLES, least=1 if peer_properties else 2),
            sql_url=environment.get("BANK_SQL_URL") or None,
            documents_url=environment.get("BANK_DOCUMENTS_URL") or None,
            peer_tables=_tables(environment, "BANK_PEER_TABLES", (), least=1 if peer_properties else 0),
            peer_properties=peer_properties,
        )


@dataclass
class Counts:
    """What happened since the start."""

    committed: int = 0
    conflicts: int = 0
    insufficient_funds: int = 0
    refused: int = 0
    abandoned: int = 0
    recovered: int = 0
    storage_errors: int = 0


class Bank:
    """The workers of one pod. `report` gets each storage error that differs from the one before."""

    def __init__(
        self, store: Store, gate: Gate, settings: BankSettings, report: Callable[[str], None], seed: int | None = None
    ) -> None:
        self.counts = Counts()
        self._store = store
        self._gate = gate
        self._settings = settings
        self._report = report
        self._random = random.Random(seed)
        self._threads = ThreadPoolExecutor(max_workers=max(1, settings.workers), thread_name_prefix="bank")
        self._closing = False
        self._last_error = ""

    async def run(self) -> None:
        """Works until `close` is called; then each worker ends the transfer it is in."""
        try:
            async with asyncio.TaskGroup() as workers:
                for _ in range(self._settings.workers):
                    workers.create_task(self._work())
        finally:
            self._threads.shutdown(wait=False, cancel_futures=True)

    def close(self) -> None:
        self._closing = True

    async def _work(self) -> None:
        while not self._closing:
            await self._think()
            try:
                async with self._gate.request():
                    await self._transfer()
            except Refused:
                self.counts.refused += 1
                await asyncio.sleep(_BACKOFF_SECONDS)
            except Conflict:
                self.counts.conflicts += 1
            except InsufficientFunds:
                self.counts.insufficient_funds += 1
            except StorageError as error:
                self._note(error)
                await asyncio.sleep(_STORAGE_BACKOFF_SECONDS)

    async def _transfer(self) -> None:
        source, target = self._two_accounts()
        steps = transfer(self._store, source, target, self._random.randint(1, _LARGEST_AMOUNT))
        crash_after = self._random.choice(_CRASHES_AFTER) if self._random.random() < self._settings.crash_rate else None
        while (step := await self._next(steps)) is not None:
            if step is crash_after:
                # A killed node holds no request open either: what it leaves is in the records only.
                self.counts.abandoned += 1
                return
            if step is Step.RECOVERED:
                self.counts.recovered += 1
            if step in _THINKS_AFTER:
                await self._think()
        self.counts.committed += 1

    async def _next(self, steps: Iterator[Step]) -> Step | None:
        return await asyncio.get_running_loop().run_in_executor(self._threads, next, steps, None)

    async def _think(self) -> None:
        await asyncio.sleep(self._settings.think_seconds * self._random.uniform(0.5, 1.5))

    def _two_accounts(self) -> tuple[Account, Account]:
        """In different tables: a transfer within one table would hide that tables were cut at different moments. With a peer,
        in different databases, for the same reason."""
        if peers := self._settings.peer_tables:
            pair = [self._random.choice(self._settings.tables), self._random.choice(peers)]
            source, target = self._random.sample(pair, 2)
        else:
            source, target = self._random.sample(self._settings.tables, 2)
        number = self._random.randrange
        return Account(source, number(self._settings.accounts)), Account(target, number(self._settings.accounts))

    def _note(self, error: StorageError) -> None:
        self.counts.storage_errors += 1
        if str(error) != self._last_error:
            self._last_error = str(error)
            self._report(str(error))


def _number(
    environment: Mapping[str, str],
    name: str,
    default: float,
    kind: Callable[[str], float],
    least: float,
    most: float = float("inf"),
) -> float:
    text = environment.get(name)
    if text is None:
        return default
    try:
        value = kind(text)
    except ValueError:
        value = float("nan")
    if not least <= value <= most:
        wanted = "a whole number" if kind is int else "a number"
        raise InvalidSetting(f"{name} is {text!r}; it must be {wanted} between {least} and {most}.")
    return value


def _tables(environment: Mapping[str, str], name: str, default: tuple[str, ...], least: int) -> tuple[str, ...]:
    text = environment.get(name)
    tables = default if text is None else tuple(item.strip() for item in text.split(",") if item.strip())
    if len(set(tables)) < least or not all(re.fullmatch(r"[\w-]+\.[\w-]+", table) for table in tables):
        raise InvalidSetting(
            f"{name} is {text!r}; it must be at least {least} tables with their namespaces, such as bank.savings,bank.wallets."
        )
    return tables
