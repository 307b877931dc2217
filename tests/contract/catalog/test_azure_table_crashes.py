"""A process that dies before or after any of its calls to the table leaves nothing half done, and its successor can go on."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

import pytest
from azure.data.tables import TableClient

from shared.catalog.azure_table import AzureTableCatalog, bodies
from shared.model.journal import PauseJournal
from shared.steps.ports import Catalog
from tests.contract.catalog.azure_tables import TableAccount
from tests.contract.catalog.values import NOW, PLAN, a_journal, an_id, later

RUN = an_id(1)
RELEASES = ("orders", "payments", "stock")
CALLS = {"get_entity", "query_entities", "create_entity", "update_entity", "delete_entity", "submit_transaction"}


class Killed(BaseException):
    """No error handling sees this one coming."""


class DyingClient:
    """Dies at its `nth` call: before it, or when it has taken effect."""

    def __init__(self, client: TableClient, nth: int, after: bool) -> None:
        self._client, self._left, self._after = client, nth, after
        self.table_name = client.table_name

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)
        return self._counted(method) if name in CALLS else method

    def _counted(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any, **named: Any) -> Any:
            self._left -= 1
            if not self._left and not self._after:
                raise Killed
            try:
                return method(*given, **named)
            finally:
                if not self._left:
                    raise Killed

        return call


def pause_and_resume(catalog: Catalog) -> PauseJournal:
    """All that a run does with its journal; safe to repeat."""
    token = catalog.acquire_lease(PLAN, RUN, later(60), NOW).token
    catalog.open_pause(a_journal(RUN, token, releases=RELEASES))
    catalog.mark_not_ours(RUN, 1, ["uid-of-orders-0"])
    return catalog.close_pause(RUN, 1, "run", later(20))


def rows(client: TableClient, prefix: str) -> int:
    return sum(entity["RowKey"].startswith(prefix) for entity in client.list_entities())


def is_whole(client: TableClient) -> bool:
    """An open entry with all its locks, or none of them; never open and closed at once."""
    opened, closed, locks = (rows(client, prefix) for prefix in ("open:", "closed:", "release:"))
    return (opened, closed, locks) in ((0, 0, 0), (1, 0, len(RELEASES)), (0, 1, 0))


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("in_parts", [False, True], ids=["whole", "in-parts"])
def test_a_run_that_dies_at_any_call_leaves_a_whole_journal_and_goes_on(
    account: TableAccount, monkeypatch: pytest.MonkeyPatch, in_parts: bool, after: bool
) -> None:
    if in_parts:
        for limit, few_bytes in {"TEXT_BYTES": 64, "PACKED_BYTES": 128, "PART_BYTES": 256}.items():
            monkeypatch.setattr(bodies, limit, few_bytes)
    for nth in count(1):
        with account.empty_table() as client:
            try:
                pause_and_resume(AzureTableCatalog(DyingClient(client, nth, after)))
            except Killed:
                assert is_whole(client), f"call {nth}"
                finished = pause_and_resume(AzureTableCatalog(client))
                assert (finished.closed_by, finished.not_ours) == ("run", ("uid-of-orders-0",))
                assert AzureTableCatalog(client).open_pauses() == ()
            else:
                assert nth > 10
                return
