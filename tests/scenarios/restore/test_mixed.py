"""Banks on several databases go back to the one moment that all have in common, and there again: one release with
multi-storage, and two releases that share transactions (two-phase commit), one of whose databases is led to by its endpoint.

The backup is one of a bank at work; what comes back is held against what stood in the tables during the pause.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from infra.sandbox import bank_worlds
from infra.sandbox.bank.layouts import on_three, on_two_releases
from infra.sandbox.cluster.api.resources import CONFIG_MAPS
from infra.sandbox.world import NAMESPACE
from shared.model.run import RunStatus
from tests.scenarios.deployment import Deployment
from tests.scenarios.restore.scene import LONGEST_SECONDS, Bank, Story, bank_of, restore_all, succeeded, undo_all

pytestmark = [
    pytest.mark.extended,
    pytest.mark.stand_in_only(reason="it is about databases"),
    pytest.mark.timeout(LONGEST_SECONDS),
]

BANKS = ("multi-storage", "two-releases")
SECOND = "second-db"


@pytest.fixture(scope="module")
def stories(shared_deployment: Deployment) -> Iterator[dict[str, Story]]:
    with shared_deployment.world.environment():
        found = {
            "multi-storage": Story(multi_storage(shared_deployment)),
            "two-releases": Story(two_releases(shared_deployment)),
        }
        for story in found.values():
            story.bank.until_at_work()
        for story in found.values():
            _, story.kept = story.bank.backed_up_at_work()
        for story in found.values():
            story.bank.begin_set_workers(0)
        for story in found.values():
            story.bank.until_replaced()
            story.lose_data()
        restore_all(found)
        found["two-releases"].problems = drift(found["two-releases"].bank)
        undo_all(found)
        yield found


def drift(bank: Bank) -> list[str]:
    """What the checks find when somebody runs `helm upgrade` with the old values, which is mended again at once."""
    kube = bank.deployment.world.kube
    name = bank.config_maps[-1]
    led = kube.get(CONFIG_MAPS, NAMESPACE, name)["data"]
    old = {key: re.sub(rf"{SECOND}-r[\w-]+\.", f"{SECOND}.", text) for key, text in led.items()}
    assert old != led
    kube.patch(CONFIG_MAPS, NAMESPACE, name, {"data": old})
    found = bank.deployment.failed_checks(bank.plan)
    kube.patch(CONFIG_MAPS, NAMESPACE, name, {"data": led})
    return [f"{check.name}: {check.detail}" for check in found]


def multi_storage(deployment: Deployment) -> Bank:
    aws = deployment.world.aws
    relational = bank_worlds.create_instance(aws, "mixed-db", "postgres")
    coordinator = bank_worlds.create_instance(aws, "mixed-coordinator", "mysql")
    layout, release = on_three(bank_worlds.dynamodb_of(aws, "mixed_"), relational, coordinator)
    instances = [{"rds": {"instance": name, "region": aws.region}} for name in ("mixed-db", "mixed-coordinator")]
    databases = [{"dynamodb": {"region": aws.region}}, *instances]
    return bank_of(deployment, "mixed", layout, {"mixed": release}, databases)


def two_releases(deployment: Deployment) -> Bank:
    aws = deployment.world.aws
    first = bank_worlds.create_aurora(aws, "first-db", "aurora-postgresql")
    second = bank_worlds.create_instance(aws, SECOND, "mysql")
    layout, front, back = on_two_releases(first, second)
    databases = [
        {"aurora": {"cluster": "first-db", "region": aws.region}},
        {"rds": {"instance": SECOND, "region": aws.region, "cut_over": "endpoint"}},
    ]
    bank = bank_of(deployment, "two", layout, {"front": front, "back": back}, databases)
    deployment.world.allow_leading(*bank.config_maps)
    return bank


@pytest.mark.parametrize("name", BANKS)
def test_all_databases_go_back_to_the_same_moment_and_there_again(
    deployment: Deployment, stories: dict[str, Story], name: str
) -> None:
    story = stories[name]
    assert story.damaged != story.kept
    assert story.restored == story.kept, "exactly what stood in the tables during the pause"
    assert story.audit is not None
    assert story.audit.is_consistent, story.audit.explain()
    assert story.undone == story.damaged, "exactly what was there before the restore"


def test_a_helm_upgrade_with_the_old_values_after_an_endpoint_was_led_is_found(
    deployment: Deployment, stories: dict[str, Story]
) -> None:
    (problem,) = stories["two-releases"].problems
    assert problem.startswith("endpoint-drift: ")
    assert f"leads back to jdbc:mysql://{SECOND}." in problem


def test_one_database_of_three_that_fails_half_way_halts_the_restore_and_continue_brings_it_to_its_end(
    deployment: Deployment, stories: dict[str, Story]
) -> None:
    story, aws = stories["multi-storage"], deployment.world.aws
    bank = story.bank
    # One table goes ahead; while it cannot be replaced, no other is touched.
    aws.fault("dynamodb", "DeleteTable", "AccessDeniedException", times=1)
    halted = bank.ended(bank.confirm(bank.ask()))
    assert aws.faults() == []
    assert halted.status is RunStatus.HALTED
    assert halted.cause is not None
    assert f"Not cut over: dynamodb:{aws.region} (" in halted.cause.message
    assert f"rds:{aws.region}:mixed-db" in halted.cause.message.partition("Cut over: ")[2]
    assert not deployment.addresses("mixed"), "nobody works on databases of different moments"

    went_on = succeeded(bank.ended(bank.started({"action": "continue", "run": halted.id})))
    assert went_on.id == halted.id
    assert bank.fingerprint() == story.kept
