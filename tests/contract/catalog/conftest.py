"""Every test of the contract runs on every implementation of the port `Catalog`; the one on DynamoDB over the wire, on the
sandbox's strict server. Where AZURITE_TABLE_URL names an Azurite, it runs there too."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import count

import boto3
import pytest
from moto import mock_aws

from infra.sandbox.aws.process import RunningAws
from shared.catalog.azure_table import AzureTableCatalog
from shared.catalog.dynamodb import DynamoDbCatalog, table_definition
from shared.catalog.memory import MemoryCatalog
from shared.steps.ports import Catalog
from tests.contract.catalog.azure_tables import AZURITE, TableAccount, azurite_catalog, running_account

REGION = "ap-northeast-1"
TABLE = "catalog"
TABLES = count(1)
IMPLEMENTATIONS = ["memory", "dynamodb", "azure-table", *(["azurite"] if AZURITE in os.environ else [])]


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[boto3.Session]:
    """A session with an empty catalog table behind it, in this process."""
    for name, value in {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": REGION}.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    with mock_aws():
        session = boto3.Session(region_name=REGION)
        session.client("dynamodb").create_table(**table_definition(TABLE))
        yield session


@pytest.fixture(scope="session")
def served_client(server: RunningAws) -> object:
    server.reset()
    return server.client("dynamodb", max_pool_connections=16)


@pytest.fixture(scope="session")
def account() -> Iterator[TableAccount]:
    with running_account() as running:
        running.service.scanned_at_most = 7  # so that queries have pages, also empty ones
        yield running


@pytest.fixture
def azure_table(account: TableAccount) -> Iterator[AzureTableCatalog]:
    with account.empty_table() as client:
        yield AzureTableCatalog(client)


@pytest.fixture
def azurite() -> Iterator[Catalog]:
    with azurite_catalog() as catalog:
        yield catalog


@pytest.fixture(params=IMPLEMENTATIONS)
def catalog(request: pytest.FixtureRequest) -> Catalog:
    match request.param:
        case "memory":
            return MemoryCatalog()
        case "azure-table":
            return request.getfixturevalue("azure_table")
        case "azurite":
            return request.getfixturevalue("azurite")
    client, name = request.getfixturevalue("served_client"), f"catalog-{next(TABLES)}"
    client.create_table(**table_definition(name))
    return DynamoDbCatalog(name, client)
