"""The bank in a container works where the container's own properties file says, and says so when it cannot."""

from __future__ import annotations

import asyncio
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.sandbox.bank import layouts
from infra.sandbox.bank.layouts import BankLayout, BankRelease, audit_live, on_relational, on_two_releases
from infra.sandbox.bank.opening import Opening
from infra.sandbox.bank.relational import Relational
from tests.unit.sandbox.bank.sql_server import HOST, OTHER_HOST, PASSWORD, SqlServer, sql_server

from .containers import CLUSTER_3_19, CLUSTER_PROPERTIES, Start, ended, metrics, until_ready

PEER = "bank/peer/scalardb-cluster-node.properties"
BUSY = {"BANK_WORKERS": "2", "BANK_ACCOUNTS": "3", "BANK_CRASH_RATE": "0", "BANK_THINK_SECONDS": "0.01"}


@pytest.fixture
def server() -> Iterator[SqlServer]:
    with sql_server() as running:
        yield running


def relational(server: SqlServer, host: str = HOST) -> Relational:
    return Relational(f"jdbc:mysql://{host}/", "bank", PASSWORD, server.url)


def open_bank(layout: BankLayout) -> Opening:
    opening = layout.opening(accounts=3)
    layouts.create(layout)
    layouts.seed(layout, opening)
    return opening


def text_of(release: BankRelease) -> str:
    return "\n".join(f"{name}={value}" for name, value in release.properties.items())


async def until_committed(address: str, transfers: int) -> None:
    while not (found := re.search(r"bank_committed_total (\d+)", await metrics(address))) or int(found[1]) < transfers:
        await asyncio.sleep(0.05)


async def test_a_container_moves_money_in_the_relational_database_of_its_own_file(
    start: Start, address: str, server: SqlServer
) -> None:
    layout, release = on_relational(relational(server))
    opening = open_bank(layout)
    process = await start(CLUSTER_3_19, CLUSTER_PROPERTIES, text_of(release), BANK_SQL_URL=server.url, **BUSY)
    await until_ready(process)
    await until_committed(address, 5)
    process.send_signal(signal.SIGTERM)
    assert (await ended(process))[0] == 0
    result = audit_live(layout, opening)
    assert result.is_consistent, result.explain()
    assert result.coordinator_states["COMMITTED"] > 5


async def test_a_container_with_a_peer_finds_the_other_releases_tables_by_the_other_releases_file(
    start: Start, address: str, server: SqlServer, tmp_path: Path
) -> None:
    layout, first, second = on_two_releases(relational(server), relational(server, OTHER_HOST))
    opening = open_bank(layout)
    file = tmp_path / PEER
    file.parent.mkdir(parents=True)
    file.write_text(text_of(second))
    environment = {**BUSY, **first.environment, "BANK_SQL_URL": server.url, "BANK_PEER_PROPERTIES": f"/{PEER}"}
    process = await start(CLUSTER_3_19, CLUSTER_PROPERTIES, text_of(first), **environment)
    await until_ready(process)
    await until_committed(address, 5)
    process.send_signal(signal.SIGTERM)
    assert (await ended(process))[0] == 0
    result = audit_live(layout, opening)
    assert result.is_consistent, result.explain()
    wallets = server.volumes[OTHER_HOST].rows("branch.wallets")
    assert wallets is not None
    assert any(row["tx_version"] > 1 for row in wallets.values())


async def test_a_database_that_is_not_where_the_file_says_is_told_in_the_log_and_tried_again(
    start: Start, server: SqlServer
) -> None:
    release = on_relational(relational(server, host="restored.example"))[1]
    process = await start(CLUSTER_3_19, CLUSTER_PROPERTIES, text_of(release), BANK_SQL_URL=server.url, **BUSY)
    await until_ready(process)
    assert process.stdout is not None
    line = (await process.stdout.readline()).decode()
    assert "restored.example:3306 did not read table" in line
    assert PASSWORD not in line
    assert process.returncode is None


@pytest.mark.parametrize(
    ("text", "environment", "message"),
    [
        ("scalar.db.storage=jdbc\nscalar.db.contact_points=orders:3306", {}, "contact_points cannot be read"),
        ("scalar.db.storage=jdbc\nscalar.db.contact_points=jdbc:mysql://orders/", {}, "scalar.db.username is missing"),
        ("", {"BANK_PEER_PROPERTIES": "/bank/peer/x", "BANK_PEER_TABLES": "branch.wallets"}, "/bank/peer/x exists below"),
        ("", {"BANK_PEER_TABLES": "branch.wallets"}, "without BANK_PEER_PROPERTIES"),
    ],
)
async def test_a_bank_without_a_database_keeps_the_container_from_starting(
    start: Start, text: str, environment: dict[str, str], message: str
) -> None:
    environment = {"BANK_SQL_URL": "http://127.0.0.1:1", **environment}
    exit_code, errors = await ended(await start(CLUSTER_3_19, CLUSTER_PROPERTIES, text, **environment))
    assert exit_code == 1
    assert re.search(message, errors), errors
