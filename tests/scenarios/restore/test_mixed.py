"""Banks on two databases at once go back to the one moment that both have in common, and there again: one release with
multi-storage, and two releases that share transactions (two-phase commit), one of whose databases is led to by its endpoint.

The backup is one of a bank at work; what comes back is held against what stood in the tables during the pause.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from infra.sandbox import bank_worlds
from infra.sandbox.bank.layouts import on_multi_storage, on_two_releases
from tests.scenarios.deployment import Deployment
from tests.scenarios.restore.scene import Bank, Story, bank_of, carry_out_all

pytestmark = pytest.mark.stand_in_only(reason="it is about databases")

BANKS = ("multi-storage", "two-releases")
HOST_OF_SECOND = "second-db"


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
        carry_out_all(found)
        yield found


def multi_storage(deployment: Deployment) -> Bank:
    aws = deployment.world.aws
    relational = bank_worlds.create_instance(aws, "mixed-db", "postgres")
    layout, release = on_multi_storage(bank_worlds.dynamodb_of(aws, "mixed_"), relational)
    databases = [{"dynamodb": {"region": aws.region}}, {"rds": {"instance": "mixed-db", "region": aws.region}}]
    return bank_of(deployment, "mixed", layout, {"mixed": release}, databases)


def two_releases(deployment: Deployment) -> Bank:
    aws = deployment.world.aws
    first = bank_worlds.create_aurora(aws, "first-db", "aurora-postgresql")
    second = bank_worlds.create_instance(aws, HOST_OF_SECOND, "mysql")
    layout, front, back = on_two_releases(first, second)
    databases = [
        {"aurora": {"cluster": "first-db", "region": aws.region}},
        {"rds": {"instance": HOST_OF_SECOND, "region": aws.region, "cut_over": "endpoint"}},
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
