"""The Table service for the catalog's contract: the sandbox's strict server, or a real one such as Azurite."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from typing import Any
from uuid import uuid4

from azure.core.credentials import AccessToken, AzureNamedKeyCredential
from azure.data.tables import TableClient

from infra.sandbox.azure.entra import Entra, Identity
from infra.sandbox.azure.loopback import served_over_tls
from infra.sandbox.azure.tables import CONTRIBUTOR, Store, TableService
from shared.catalog.azure_table import AzureTableCatalog, open_table
from shared.steps.ports import Catalog

AZURITE = "AZURITE_TABLE_URL"
"""Names a real Table service for the contract, such as http://127.0.0.1:10002/devstoreaccount1."""
AZURITE_ACCOUNT = "devstoreaccount1"
AZURITE_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""Well known: https://learn.microsoft.com/azure/storage/common/storage-use-azurite"""


class EntraCredential:
    """Signs in as `identity`, without the way through an identity endpoint."""

    def __init__(self, entra: Entra, identity: Identity) -> None:
        self._entra, self._identity = entra, identity
        self.scopes: list[str] = []

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        self.scopes += scopes
        return AccessToken(*self._entra.token(self._identity, scopes[0].removesuffix("/.default")))


class TableAccount:
    """A stand-in account on loopback. `identity` may read and write its tables."""

    def __init__(self, service: TableService, url: str, ca_file: str) -> None:
        self.service, self.url, self.ca_file = service, url, ca_file
        self.identity = service.entra.add()
        service.roles.add((self.identity.object_id, CONTRIBUTOR))
        self._fresh = count(1)

    def client(self, table: str, credential: Any = None, **options: Any) -> TableClient:
        sign_in = credential or EntraCredential(self.service.entra, self.identity)
        return open_table(self.url, table, sign_in, connection_verify=self.ca_file, **options)

    @contextmanager
    def empty_table(self) -> Iterator[TableClient]:
        with self.client(f"catalog{next(self._fresh)}") as client:
            client.create_table()
            yield client


@contextmanager
def running_account(store: Store | None = None, entra: Entra | None = None) -> Iterator[TableAccount]:
    with ExitStack() as ending:
        kept = store or Store()
        ending.callback(kept.close)
        service = TableService(entra or Entra(), kept)
        loopback = ending.enter_context(served_over_tls(service.handle))
        yield TableAccount(service, loopback.urls[0], str(loopback.ca_file))


@contextmanager
def azurite_catalog() -> Iterator[Catalog]:
    credential: Any = AzureNamedKeyCredential(AZURITE_ACCOUNT, AZURITE_KEY)
    with open_table(os.environ[AZURITE], f"catalog{uuid4().hex}", credential) as client:
        client.create_table()
        try:
            yield AzureTableCatalog(client)
        finally:
            client.delete_table()
