"""Every relational database loses data; two payloads bring it back to its restore point, two more to where it was.

All of them at the same time, one phase after the other. The three deployment forms of RDS are here once each and every engine
once; the product of engines and forms, with each single setting, is in tests/contract/databases.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from infra.sandbox import bank_worlds
from infra.sandbox.aws.process import RunningAws
from infra.sandbox.bank.layouts import on_relational
from infra.sandbox.bank.relational import Relational
from tests.scenarios.deployment import Deployment
from tests.scenarios.restore.scene import LONGEST_SECONDS, Bank, Story, bank_of, restore_all, succeeded, undo_all

pytestmark = [pytest.mark.stand_in_only(reason="it is about RDS"), pytest.mark.timeout(LONGEST_SECONDS)]

SERVERLESS = {"ServerlessV2ScalingConfiguration": {"MinCapacity": 0.5, "MaxCapacity": 4.0}}


@dataclass(frozen=True)
class Kind:
    """A database by the key of its section in a plan, and how to make it."""

    section: str
    named_by: str
    make: Callable[[RunningAws, str], Relational]

    def entry(self, name: str, region: str) -> dict[str, Any]:
        return {self.section: {self.named_by: name, "region": region}}


def instance(engine: str, **parameters: Any) -> Kind:
    return Kind("rds", "instance", lambda aws, name: bank_worlds.create_instance(aws, name, engine, **parameters))


def aurora(engine: str, **parameters: Any) -> Kind:
    return Kind("aurora", "cluster", lambda aws, name: bank_worlds.create_aurora(aws, name, engine, **parameters))


KINDS = {
    "mysql": instance("mysql"),
    "postgres-multi-az": instance("postgres", MultiAZ=True),
    "oracle-multi-az": instance("oracle-ee", MultiAZ=True, LicenseModel="bring-your-own-license"),
    "sqlserver": instance("sqlserver-se", LicenseModel="license-included"),
    "postgres-multi-az-cluster": Kind("rds", "cluster", bank_worlds.create_multi_az_cluster),
    "aurora-mysql": aurora("aurora-mysql"),
    "aurora-postgresql-serverless": aurora("aurora-postgresql", instances=1, instance_class="db.serverless", **SERVERLESS),
}


@pytest.fixture(scope="module")
def stories(shared_deployment: Deployment) -> Iterator[dict[str, Story]]:
    with shared_deployment.world.environment():
        found = {name: Story(_bank(shared_deployment, name, kind)) for name, kind in KINDS.items()}
        for story in found.values():
            story.bank.until_at_work()
            story.bank.begin_set_workers(0)
        for story in found.values():
            story.bank.until_replaced()
            story.kept = story.bank.fingerprint()
        backups = {name: shared_deployment.start(story.bank.plan) for name, story in found.items()}
        for name, execution in backups.items():
            succeeded(shared_deployment.run_of(shared_deployment.finish(execution)))
            found[name].lose_data()
        restore_all(found)
        undo_all(found)
        yield found


def _bank(deployment: Deployment, name: str, kind: Kind) -> Bank:
    aws = deployment.world.aws
    layout, release = on_relational(kind.make(aws, name))
    return bank_of(deployment, name, layout, {name: release}, [kind.entry(name, aws.region)])


@pytest.mark.parametrize("kind", KINDS)
def test_a_bank_goes_back_to_its_restore_point_and_there_again(
    deployment: Deployment, stories: dict[str, Story], kind: str
) -> None:
    story = stories[kind]
    assert story.damaged != story.kept
    assert story.restored == story.kept, "exactly the state of the point, where the properties of the release lead"
    assert story.audit is not None
    assert story.audit.is_consistent, story.audit.explain()
    assert story.undone == story.damaged, "exactly what was there before the restore"
