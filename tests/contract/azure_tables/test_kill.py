"""What a Table service in a file keeps when its process is killed in the middle of transactions."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from infra.sandbox.azure.tables import Store
from shared.catalog.azure_table import AzureTableCatalog
from tests.contract.catalog.azure_tables import running_account
from tests.contract.catalog.values import NOW, PLAN, a_journal, an_id, later

ROOT = Path(__file__).parents[3]
WRITER = """
import sys
from itertools import count
from pathlib import Path
from infra.sandbox.azure.tables import Store
from infra.sandbox.azure.tables.entities import Property

store = Store(Path(sys.argv[1]))
store.create_table("catalog")
for number in count():
    with store.transaction():
        for row in ("a", "b", "c"):
            store.put("catalog", "p", row, {"number": Property("Edm.Int32", number)})
    print(number, flush=True)
"""


@pytest.mark.parametrize("after", [1, 7, 40])
def test_a_killed_service_has_kept_every_answered_transaction_whole(tmp_path: Path, after: int) -> None:
    file = tmp_path / "tables.db"
    with subprocess.Popen([sys.executable, "-c", WRITER, str(file)], stdout=subprocess.PIPE, text=True, cwd=ROOT) as writer:
        assert writer.stdout
        answered = [int(writer.stdout.readline()) for _ in range(after)][-1]
        writer.kill()
    store = Store(file)
    numbers = {entity.properties["number"].value for entity in store.scan("catalog", "p", ("", ""))}
    store.close()
    assert len(numbers) == 1
    assert numbers.pop() >= answered


def test_a_catalog_goes_on_after_the_service_was_started_again(tmp_path: Path) -> None:
    file, run = tmp_path / "tables.db", an_id(1)
    with running_account(Store(file)) as account, account.empty_table() as client:
        catalog = AzureTableCatalog(client)
        token = catalog.acquire_lease(PLAN, run, later(60), NOW).token
        catalog.open_pause(a_journal(run, token))
    with running_account(Store(file)) as account, account.client("catalog1") as client:
        catalog = AzureTableCatalog(client)
        assert catalog.open_pauses() == (a_journal(run),)
        assert not catalog.close_pause(run, 1, "watchdog", later(200)).is_open
