"""A stand-in account, spoken to by the SDK and by bare requests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests
from azure.data.tables import TableClient

from tests.contract.catalog.azure_tables import TableAccount, running_account


class BareClient:
    """Requests as the SDK would never send them. Headers with the value None are left out."""

    def __init__(self, account: TableAccount, table: str) -> None:
        self.account, self.table = account, table

    def send(self, method: str, path: str, json: Any = None, **headers: str | None) -> requests.Response:
        token, _ = self.account.service.entra.token(self.account.identity, "https://storage.azure.com")
        usual: dict[str, str | None] = {
            "Authorization": f"Bearer {token}",
            "x-ms-version": "2019-02-02",
            "x-ms-date": "Tue, 24 Nov 2026 03:00:00 GMT",
            "Accept": "application/json;odata=minimalmetadata",
        }
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {name: value for name, value in {**usual, **given}.items() if value is not None}
        url = f"{self.account.url}/{path.format(table=self.table)}"
        return requests.request(method, url, json=json, headers=sent, verify=self.account.ca_file, timeout=10)


@pytest.fixture(scope="module")
def account() -> Iterator[TableAccount]:
    with running_account() as running:
        yield running


@pytest.fixture
def client(account: TableAccount) -> Iterator[TableClient]:
    account.service.scanned_at_most = 1000
    with account.empty_table() as client:
        yield client


@pytest.fixture
def bare(account: TableAccount, client: TableClient) -> BareClient:
    return BareClient(account, client.table_name)
