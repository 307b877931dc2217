"""SIGKILL to the app and to its host, in every step of a restore and its undo, and while pods are paused: it goes on where it
was, nothing is done twice, and nobody stays paused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from infra.sandbox.bank.layouts import on_cosmos
from infra.sandbox.releases_world import NAMESPACE
from shared.model.run import AttemptStatus, Run, RunStatus
from tests.scenarios.on_azure import AzureDeployment
from tests.scenarios.restore.scene import LONGEST_SECONDS, Bank, bank_of, succeeded

pytestmark = [pytest.mark.extended, pytest.mark.timeout(LONGEST_SECONDS)]

NAME = "deaths"
STEPS = {
    "restore_begin": "run",
    "restore_check": "restore",
    "restore_stop": "applications",
    "restore_prepare": "databases",
    "restore_cut_over": "databases",
    "restore_lead": "applications",
    "restore_start": "applications",
    "restore_verify": "databases",
    "restore_publish": "run",
}
"""Each step with its activity."""


@pytest.fixture(scope="module")
def bank(shared_deployment: AzureDeployment) -> Iterator[Bank]:
    """One that stands still."""
    world = shared_deployment.world
    with world.environment():
        layout, release = on_cosmos(world.databases.create_cosmos(f"{NAME}-account"))
        schema = f"{NAME}-schema/schema.json"
        world.add_schema(schema, layout.account_tables)
        bank = bank_of(
            shared_deployment,
            NAME,
            layout,
            {NAME: release},
            [world.cosmos_entry(f"{NAME}-account")],
            workers=0,
            of_release={"schema_loader": {"schema_file": schema}},
        )
        world.allow_leading(*bank.config_maps)
        bank.until_ready()
        yield bank


def test_a_restore_and_its_undo_survive_a_death_in_every_step(deployment: AzureDeployment, bank: Bank) -> None:
    """In the restore each step has done everything and its answer is lost; in the undo it has done nothing yet."""
    host = deployment.world.host
    bank.backed_up()
    kept = bank.fingerprint()
    bank.lose_data()
    damaged, before = bank.fingerprint(), len(host.killed())

    for step, activity in STEPS.items():
        host.kill_worker(activity, {"step": step}, at_end=True)
    restore = carried_out(bank, "restore")
    died = [kill["payload"]["step"] for kill in host.killed()[before:]]
    assert sorted(died) == sorted(STEPS)
    assert bank.fingerprint() == kept
    assert restored_accounts(deployment) == 1, "restored once, however often it was asked for"

    for step, activity in STEPS.items():
        host.kill_worker(activity, {"step": step})
    carried_out(bank, "undo", run=restore.id)
    assert bank.fingerprint() == damaged
    assert restored_accounts(deployment) == 1


def carried_out(bank: Bank, action: str, **more: Any) -> Run:
    """Started as the command line does it: an answer over HTTP would die with the app."""
    planned = bank.ask(action, **more)
    answer = bank.deployment.engine.restore(planned["confirm_with"])
    return succeeded(bank.ended(bank.deployment.engine.started(answer["execution"])))


def restored_accounts(deployment: AzureDeployment) -> int:
    return sum(name.startswith(f"{NAME}-account-r") for name in deployment.world.databases.accounts())


def test_pods_are_resumed_by_the_run_when_the_host_comes_back_in_time(deployment: AzureDeployment) -> None:
    world = deployment.world
    world.install("host-dies")
    world.kube.wait_until_ready(NAMESPACE, "host-dies-scalardb-cluster-node")
    execution = deployment.start(deployment.apply("host-dies", "host-dies", hold="4s"))
    deployment.await_pause("host-dies")
    world.host.kill()
    assert deployment.paused_pods("host-dies"), "nobody is there to resume them"
    world.host.restart()
    run = deployment.run_of(deployment.finish(execution))
    assert run.status is RunStatus.SUCCEEDED, run.cause
    assert run.attempts[-1].status is AttemptStatus.VALID
    assert deployment.paused_pods("host-dies") == []
    assert [item for item in deployment.catalog.open_pauses() if item.run == run.id] == []
