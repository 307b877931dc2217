"""The strict sandbox AWS, and ScalarDB's tables in it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from infra.sandbox.aws.process import RunningAws
from tests.contract.databases.scalardb import ScalarDb

QUICK = {"lag_seconds": 0, "restore_seconds": 0.3, "backup_seconds": 0.2, "delete_seconds": 0.1, "update_seconds": 0.1}


class WallClock:
    process = "test"

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return datetime.now(UTC).timestamp()

    async def sleep(self, seconds: float) -> None:
        raise AssertionError("only the probe sleeps, and it has a clock of its own")


@pytest.fixture(scope="session")
def dynamodb(server: RunningAws) -> Any:
    return server.client("dynamodb", max_pool_connections=8)


@pytest.fixture
def scalardb(server: RunningAws, dynamodb: Any) -> ScalarDb:
    server.reset()
    server.settings(**QUICK)
    return ScalarDb(server, dynamodb, WallClock())
