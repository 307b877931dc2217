"""Every database of Azure, and two at once, go from a busy bank's backup through a disaster back to the restore point, and
there again. Two payloads carry each out, given to the function `restore` by HTTP.

All banks at the same time, one phase after the other. Each setting that a restore loses is in tests/contract/databases.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from infra.sandbox.azure_databases import POSTGRESQL
from infra.sandbox.bank.layouts import BankLayout, BankRelease, on_cosmos, on_cosmos_and_relational, on_relational
from infra.sandbox.cluster.api.resources import JOBS
from infra.sandbox.releases_world import NAMESPACE
from tests.scenarios.on_azure import AzureDeployment
from tests.scenarios.restore.scene import LONGEST_SECONDS, Bank, Story, bank_of, restore_all, undo_all

pytestmark = pytest.mark.timeout(LONGEST_SECONDS)

BANKS = ("cosmos", "mysql", "postgresql", "mixed")
ON_COSMOS = ("cosmos", "mixed")


@pytest.fixture(scope="module")
def stories(shared_deployment: AzureDeployment) -> Iterator[dict[str, Story]]:
    with shared_deployment.world.environment():
        found = {name: Story(_bank(shared_deployment, name)) for name in BANKS}
        for story in found.values():
            story.bank.until_at_work()
        with ThreadPoolExecutor(len(found)) as threads:
            for story, kept in zip(found.values(), threads.map(_back_up, found.values()), strict=True):
                story.kept = kept
        for name in ON_COSMOS:
            found[name].bank.begin_set_workers(0)
        for name, story in found.items():
            if name in ON_COSMOS:
                story.bank.until_replaced()
            story.lose_data()
        restore_all(found)
        undo_all(found)
        yield found


def _back_up(story: Story) -> str:
    """What stood in the tables at the point. One relational database alone is not paused for a backup, so that its bank has to
    stand still to be read."""
    if story.bank.plan not in ON_COSMOS:
        story.bank.set_workers(0)
        story.bank.backed_up()
        return story.bank.fingerprint()
    _, kept = story.bank.backed_up_at_work()
    return kept


def _bank(deployment: AzureDeployment, name: str) -> Bank:
    world, databases = deployment.world, deployment.world.databases
    account, server = f"{name}-account", f"{name}-server"
    made: tuple[BankLayout, BankRelease]
    match name:
        case "cosmos":
            made, entries = on_cosmos(databases.create_cosmos(account)), [world.cosmos_entry(account)]
        case "mysql" | "postgresql":
            made, entries = on_relational(databases.create_server(name, server)), [world.server_entry(name, server)]
        case _:
            made = on_cosmos_and_relational(databases.create_cosmos(account), databases.create_server(POSTGRESQL, server))
            entries = [world.cosmos_entry(account), world.server_entry(POSTGRESQL, server)]
    layout, release = made
    more = {"schema_loader": {"schema_file": f"{name}-schema/schema.json"}} if name in ON_COSMOS else {"schema_loader": None}
    world.add_schema(f"{name}-schema/schema.json", layout.account_tables)
    bank = bank_of(deployment, name, layout, {name: release}, entries, of_release=more)
    world.allow_leading(*bank.config_maps)
    return bank


@pytest.mark.parametrize("name", BANKS)
def test_a_bank_goes_back_to_its_restore_point_and_there_again(
    deployment: AzureDeployment, stories: dict[str, Story], name: str
) -> None:
    story = stories[name]
    assert story.damaged != story.kept
    assert story.restored == story.kept, "exactly what stood in the tables during the pause"
    assert story.audit is not None
    assert story.audit.is_consistent, story.audit.explain()
    assert story.undone == story.damaged, "exactly what was there before the restore"


@pytest.mark.parametrize("name", ON_COSMOS)
def test_the_schema_loader_has_repaired_a_restored_account_before_its_release_started(
    deployment: AzureDeployment, stories: dict[str, Story], name: str
) -> None:
    restore = stories[name].restore
    assert restore is not None
    jobs = [
        job
        for job in deployment.world.kube.list_objects(JOBS, NAMESPACE)
        if job["metadata"]["annotations"]["scalar-backup/run"] == restore.id
    ]
    (job,) = jobs
    assert [each["type"] for each in job["status"]["conditions"] if each["status"] == "True"][-1] == "Complete"
