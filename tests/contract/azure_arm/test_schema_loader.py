"""The Schema Loader on a restored account: what was lost is there again; alone, and as the Job that the product makes of it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from azure.mgmt.cosmosdb import CosmosDBManagementClient

from infra.sandbox.bank import layouts
from infra.sandbox.bank.cosmos import Cosmos
from infra.sandbox.bank.cosmos_documents import STORED_PROCEDURE, place_of
from infra.sandbox.bank.schema_file import schema_file
from infra.sandbox.bank.store import StorageError
from infra.sandbox.bank.tables import ACCOUNT_TABLES, BANK_TABLES, METADATA_TABLE
from infra.sandbox.cluster import process
from infra.sandbox.cluster.api.resources import JOBS, SECRETS
from infra.sandbox.cluster.charts import release_objects
from infra.sandbox.cluster.client import ClusterClient
from infra.sandbox.pods import schema_loader
from shared.clusters.api import KubernetesApi
from shared.clusters.schema_repair import SchemaRepairInClusters
from shared.model.checks import CheckStatus
from shared.model.plan import AksCluster, Release, SchemaLoader
from shared.model.schema_repair import RepairProgress
from shared.scalar.repair_source import find_repair_source
from shared.system_clock import SystemClock
from tests.contract.azure_arm.conftest import Azure, documents_of
from tests.contract.azure_arm.test_bank import cosmos_storage, move, new_cosmos, store_of
from tests.contract.azure_arm.test_cosmos_restore import restore

CLUSTER_IMAGE = "ghcr.io/scalar-labs/scalardb-cluster-node-byol-premium:3.19.0"
SCALARDB, SCALARDL = (f"ghcr.io/scalar-labs/{name}-schema-loader:3.19.0" for name in ("scalardb", "scalardl"))
ARGUMENTS = ["--config", "/scalar-backup/database.properties", "-f", "/scalar-backup-schema/schema.json"]
LEDGER_ARGUMENTS = ["--config", "/scalardl-schema-loader/database.properties"]
NAMESPACE, SECRET, KEY = "scalar", "cosmos-key", "COSMOS_KEY"
NOWHERE = "http://127.0.0.1:9"
LONGEST_SECONDS = 60.0


@pytest.fixture
def restored(azure: Azure, cosmos: CosmosDBManagementClient) -> Cosmos:
    """An account with the bank's documents and no stored procedures."""
    layout, _ = layouts.on_cosmos(new_cosmos(azure, cosmos))
    layouts.create(layout)
    layouts.seed(layout, layout.opening(accounts=2, balance=1_000))
    azure.pass_time(10)
    restore(cosmos, "orders", "orders-r1", azure.now - 5)
    return cosmos_storage(azure, cosmos, "orders-r1")


def procedures(azure: Azure, cosmos: CosmosDBManagementClient) -> dict[str, list[str]]:
    connection = documents_of(azure, cosmos, "orders-r1")
    return {table: connection.procedures(*place_of(table)) for table in BANK_TABLES}


def text_of(storage: Cosmos, *, key: str = "", value: str = "") -> str:
    lines = {**{f"scalar.db.{name}": text for name, text in storage.properties.items()}, **({key: value} if key else {})}
    return "\n".join(f"{name}={text}" for name, text in lines.items())


def write(root: Path, path: str, text: str) -> None:
    file = root / path.lstrip("/")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def run(root: Path, storage: Cosmos, *arguments: str, image: str = SCALARDB, **environment: str) -> int:
    return schema_loader.main(image, root, arguments, {"BANK_DOCUMENTS_URL": storage.documents_url, **environment})


# Alone


def test_it_brings_back_procedures_metadata_and_namespaces_and_can_be_run_again(
    azure: Azure, cosmos: CosmosDBManagementClient, restored: Cosmos, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, ARGUMENTS[1], text_of(restored))
    write(tmp_path, ARGUMENTS[3], schema_file(BANK_TABLES))
    assert set(map(tuple, procedures(azure, cosmos).values())) == {()}
    documents_of(azure, cosmos, "orders-r1").drop_container(*place_of(METADATA_TABLE))
    _, release = layouts.on_cosmos(restored)
    with pytest.raises(StorageError, match="Stored procedure mutate"):
        move(store_of(azure, release), ACCOUNT_TABLES)
    for _ in range(2):
        assert run(tmp_path, restored, *ARGUMENTS, "--coordinator", "--repair-all") == 0
    assert set(map(tuple, procedures(azure, cosmos).values())) == {(STORED_PROCEDURE,)}
    described = documents_of(azure, cosmos, "orders-r1").query(*place_of(METADATA_TABLE))
    assert {each["id"] for each in described} == set(BANK_TABLES)
    move(store_of(azure, release), ACCOUNT_TABLES)
    said = capsys.readouterr().out
    assert "INFO com.scalar.db.schemaloader - Repairing the table checking in the namespace bank succeeded" in said


def test_without_the_option_the_coordinators_table_stays_as_it_is(
    azure: Azure, cosmos: CosmosDBManagementClient, restored: Cosmos, tmp_path: Path
) -> None:
    write(tmp_path, ARGUMENTS[1], text_of(restored))
    write(tmp_path, ARGUMENTS[3], schema_file(BANK_TABLES))
    assert run(tmp_path, restored, *ARGUMENTS, "--repair-all") == 0
    assert [table for table, found in procedures(azure, cosmos).items() if not found] == ["coordinator.state"]


@pytest.mark.parametrize(("kind", "coordinator"), [("ledger", ["--coordinator"]), ("auditor", [])])
def test_that_of_scalardl_has_the_schema_and_renders_its_properties(
    azure: Azure, cosmos: CosmosDBManagementClient, restored: Cosmos, tmp_path: Path, kind: str, coordinator: list[str]
) -> None:
    template = text_of(restored, key="scalar.db.password", value='{{ default .Env.HELM_SCALAR_DB_PASSWORD "" }}')
    write(tmp_path, f"{LEDGER_ARGUMENTS[1]}.tmpl", template)
    given = {"SCHEMA_TYPE": kind, "HELM_SCALAR_DB_PASSWORD": restored.key, "BANK_TABLES": "bank.checking,bank.savings"}
    assert run(tmp_path, restored, *LEDGER_ARGUMENTS, *coordinator, "--repair-all", image=SCALARDL, **given) == 0
    repaired = {table for table, found in procedures(azure, cosmos).items() if found}
    assert repaired == {"bank.checking", "bank.savings"} | ({"coordinator.state"} if coordinator else set())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"scalar.db.password": "bm90IHRoZSBrZXk="}, "Unauthorized: The input authorization token can't serve the request"),
        ({"scalar.db.password": "${env:COSMOS_KEY}"}, "Unauthorized"),
        ({"scalar.db.contact_points": "https://gone.documents.azure.com:443/"}, "UnknownHost: Name or service not known"),
        ({"scalar.db.storage": "cassandra"}, "Storage 'cassandra' is not found"),
    ],
)
def test_properties_that_lead_nowhere_end_it_with_1_and_a_word(
    restored: Cosmos, tmp_path: Path, capsys: pytest.CaptureFixture[str], change: dict[str, str], words: str
) -> None:
    ((name, value),) = change.items()
    write(tmp_path, ARGUMENTS[1], text_of(restored, key=name, value=value))
    write(tmp_path, ARGUMENTS[3], schema_file(BANK_TABLES))
    assert run(tmp_path, restored, *ARGUMENTS, "--repair-all") == 1
    said = capsys.readouterr().out
    assert "[main] ERROR com.scalar.db.schemaloader - " in said
    assert words in said
    assert restored.key not in said


def test_what_is_missing_is_told_with_1_and_options_that_are_none_with_2(
    restored: Cosmos, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, ARGUMENTS[1], text_of(restored))
    assert run(tmp_path, restored, *ARGUMENTS, "--repair-all") == 1
    write(tmp_path, ARGUMENTS[3], "no JSON")
    assert run(tmp_path, restored, *ARGUMENTS, "--repair-all") == 1
    assert run(tmp_path, restored, "--config", "/none", "--repair-all", image=SCALARDL, SCHEMA_TYPE="both") == 1
    assert run(tmp_path, restored, "--config", "/none", "--repair-all", image=SCALARDL, SCHEMA_TYPE="ledger") == 1
    said = capsys.readouterr().out.splitlines()
    assert [text for text, line in zip(_WORDS, said, strict=True) if text not in line] == []
    with pytest.raises(SystemExit, match="2"):
        run(tmp_path, restored, *ARGUMENTS, "--delete-all")


_WORDS = (
    "Reading the schema file failed. File: /scalar-backup-schema/schema.json",
    "Parsing the schema JSON failed",
    "SCHEMA_TYPE is 'both'; it must be ledger or auditor",
    "The container has no properties file: none of /none.tmpl, /none exists",
)


# As a Job


class StaticToken:
    def __init__(self, token: str) -> None:
        self._token = token

    def token(self) -> str:
        return self._token

    def renewed(self, rejected: str) -> str:
        return self._token


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[tuple[ClusterClient, KubernetesApi]]:
    with process.start("prod", NOWHERE, state_dir=tmp_path) as running:
        admin = running.administrator()
        api = KubernetesApi(running.url, running.ca_pem, StaticToken(running.admin_token), name="prod")
        yield admin, api
        api.close()
        admin.close()


def test_a_wrong_key_fails_the_job_with_the_reason_and_with_the_right_one_it_brings_everything_back(
    azure: Azure, cosmos: CosmosDBManagementClient, restored: Cosmos, cluster: tuple[ClusterClient, KubernetesApi]
) -> None:
    admin, api = cluster
    properties = text_of(restored, key="scalar.db.password", value=f"${{env:{KEY}}}")
    objects = release_objects(
        "scalardb-cluster",
        "orders",
        NAMESPACE,
        properties,
        0,
        CLUSTER_IMAGE,
        env={"BANK_DOCUMENTS_URL": restored.documents_url},
        user_secret=(SECRET, {KEY: "bm90IHRoZSBrZXk="}),
    )
    schema = {"metadata": {"name": "schema", "namespace": NAMESPACE}, "data": {"schema.json": schema_file(BANK_TABLES)}}
    admin.apply([*objects, {"apiVersion": "v1", "kind": "ConfigMap", **schema}])
    room = SchemaRepairInClusters(lambda _: api, lambda release: find_repair_source(api, release), SystemClock())
    release = Release(
        cluster=AksCluster(name="prod", resource_group="rg", subscription="s"),
        namespace=NAMESPACE,
        helm_release="orders",
        schema_loader=SchemaLoader(schema="schema/schema.json"),
    )

    def advanced(reached: RepairProgress | None) -> RepairProgress:
        ends = time.monotonic() + LONGEST_SECONDS
        while True:
            reached = room.advance(release, "run-1", reached)
            # A call after a failure clears it away, and begins anew only then.
            if reached.done or (reached.problem and "being removed" not in reached.message):
                return reached
            assert time.monotonic() < ends, reached.message
            time.sleep(0.1)

    (check,) = room.check([release])
    assert check.status == CheckStatus.OK, check.detail
    failed = advanced(None)
    assert "The input authorization token can't serve the request" in failed.problem
    assert set(map(tuple, procedures(azure, cosmos).values())) == {()}
    admin.patch(SECRETS, NAMESPACE, SECRET, {"stringData": {KEY: restored.key}})
    done = advanced(failed)
    assert done.done, done.message
    assert [line.rpartition(" ")[2] for line in done.log] == ["succeeded"] * len(BANK_TABLES)
    assert restored.key not in json.dumps(done.log)
    assert set(map(tuple, procedures(azure, cosmos).values())) == {(STORED_PROCEDURE,)}
    _, copied = layouts.on_cosmos(restored)
    move(store_of(azure, copied), ACCOUNT_TABLES)
    assert image_of_the_job(admin, done.job) == "ghcr.io/scalar-labs/scalardb-schema-loader:3.19.0"


def image_of_the_job(admin: ClusterClient, name: str) -> Any:
    return admin.get(JOBS, NAMESPACE, name)["spec"]["template"]["spec"]["containers"][0]["image"]
