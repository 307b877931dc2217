"""One strict AWS per test worker for all contracts. Who uses it empties it before."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.sandbox.aws import process
from infra.sandbox.aws.process import RunningAws

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningAws]:
    with process.start(ROOT, log_file=tmp_path_factory.mktemp("aws") / "server.log") as running:
        yield running
