"""Leases under any order of acquire, renew, release and passing time: never two holders, never a token twice."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import boto3
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from shared.catalog.azure_table import AzureTableCatalog
from shared.catalog.dynamodb import DynamoDbCatalog
from shared.catalog.memory import MemoryCatalog
from shared.model.errors import FencedOff, LeaseHeld
from shared.model.lease import Lease
from shared.steps.ports import Catalog
from tests.contract.catalog.conftest import TABLE
from tests.contract.catalog.values import later

RUNS = st.sampled_from(["one", "two", "three"])
SECONDS = st.integers(1, 30)


def machine_on(new_catalog: Callable[[], tuple[Catalog, str]]) -> type[RuleBasedStateMachine]:
    """`new_catalog` returns a catalog and the name of a plan that nobody has touched."""

    class LeaseMachine(RuleBasedStateMachine):
        leases = Bundle("leases")

        def __init__(self) -> None:
            super().__init__()
            self.catalog, self.plan = new_catalog()
            self.seconds = 0
            self.holder: Lease | None = None
            self.tokens: list[int] = []

        @property
        def now(self) -> datetime:
            return later(self.seconds)

        @rule(seconds=SECONDS)
        def time_passes(self, seconds: int) -> None:
            self.seconds += seconds

        @rule(target=leases, run=RUNS, seconds=SECONDS)
        def acquire(self, run: str, seconds: int) -> Lease | None:
            until = later(self.seconds + seconds)
            try:
                lease = self.catalog.acquire_lease(self.plan, run, until, self.now)
            except LeaseHeld:
                assert self.holder
                assert self.holder.run != run
                assert self.holder.expires_at > self.now
                return None
            if self.holder and self.holder.run == run:
                assert lease.token == self.holder.token
            else:
                assert self.holder is None or self.holder.expires_at <= self.now
                assert lease.token > max(self.tokens, default=0)
                self.tokens.append(lease.token)
            assert (lease.run, lease.expires_at) == (run, until)
            self.holder = lease
            return lease

        @rule(lease=leases, seconds=SECONDS)
        def renew(self, lease: Lease | None, seconds: int) -> None:
            if lease is None:
                return
            until = later(self.seconds + seconds)
            if self.is_holder(lease):
                self.holder = self.catalog.renew_lease(self.plan, lease.run, lease.token, until, self.now)
                assert self.holder.expires_at == until
            else:
                with pytest.raises(FencedOff):
                    self.catalog.renew_lease(self.plan, lease.run, lease.token, until, self.now)

        @rule(lease=leases)
        def release(self, lease: Lease | None) -> None:
            if lease is None:
                return
            self.catalog.release_lease(self.plan, lease.run, lease.token)
            if self.is_holder(lease):
                self.holder = None

        def is_holder(self, lease: Lease) -> bool:
            return self.holder is not None and (self.holder.run, self.holder.token) == (lease.run, lease.token)

        @invariant()
        def nobody_else_can_hold_it_now(self) -> None:
            if self.holder and self.holder.expires_at > self.now:
                with pytest.raises(LeaseHeld):
                    self.catalog.acquire_lease(self.plan, "an intruder", later(self.seconds + 1), self.now)

    return LeaseMachine


def test_leases_in_memory_hold_under_any_order() -> None:
    machine = machine_on(lambda: (MemoryCatalog(), "plan"))
    run_state_machine_as_test(machine, settings=settings(max_examples=60, stateful_step_count=30, deadline=None))


def test_leases_in_dynamodb_hold_under_any_order(aws: boto3.Session) -> None:
    catalog, fresh = DynamoDbCatalog(TABLE, aws), iter(range(10**6))
    machine = machine_on(lambda: (catalog, f"plan-{next(fresh)}"))
    relaxed = settings(max_examples=12, stateful_step_count=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    run_state_machine_as_test(machine, settings=relaxed)


def test_leases_in_a_table_of_azure_hold_under_any_order(azure_table: AzureTableCatalog) -> None:
    fresh = iter(range(10**6))
    machine = machine_on(lambda: (azure_table, f"plan-{next(fresh)}"))
    relaxed = settings(max_examples=12, stateful_step_count=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    run_state_machine_as_test(machine, settings=relaxed)
