"""Every test of the contract runs on every implementation of the port `Catalog`."""

from __future__ import annotations

from collections.abc import Iterator

import boto3
import pytest
from moto import mock_aws

from shared.catalog.dynamodb import DynamoDbCatalog, table_definition
from shared.catalog.memory import MemoryCatalog
from shared.steps.ports import Catalog

REGION = "ap-northeast-1"
TABLE = "catalog"


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


@pytest.fixture(params=["memory", "dynamodb"])
def catalog(request: pytest.FixtureRequest) -> Catalog:
    if request.param == "memory":
        return MemoryCatalog()
    return DynamoDbCatalog(TABLE, request.getfixturevalue("aws"))
