"""A bank on DynamoDB loses data; two payloads bring it back to the restore point, and two more to where it was."""

from __future__ import annotations

import pytest

from infra.sandbox import bank_worlds
from infra.sandbox.bank.layouts import on_dynamodb
from tests.scenarios.deployment import Deployment
from tests.scenarios.restore.scene import LONGEST_SECONDS, Bank, bank_of, succeeded

pytestmark = [
    pytest.mark.stand_in_only(reason="the cluster's part, stopping and starting, has its contract tests on both"),
    pytest.mark.timeout(LONGEST_SECONDS),
]


def dynamodb_bank(deployment: Deployment, name: str, **more: object) -> Bank:
    world = deployment.world
    layout, release = on_dynamodb(bank_worlds.dynamodb_of(world.aws, prefix=f"{name}_"))
    return bank_of(deployment, name, layout, {name: release}, [{"dynamodb": {"region": world.aws.region}}], **more)


def test_a_bank_at_work_goes_back_to_its_restore_point_and_there_again(deployment: Deployment) -> None:
    bank = dynamodb_bank(deployment, "dynamo-bank", pods=2)
    bank.until_at_work()
    _, kept = bank.backed_up_at_work()
    bank.set_workers(0)
    dropped = bank.lose_data()
    damaged = bank.fingerprint()
    assert not bank.audit().is_consistent

    restored = bank.restored()
    assert bank.fingerprint() == kept, "exactly the state of the point"
    found = bank.audit()
    assert found.is_consistent, found.explain()

    planned = bank.ask("undo", run=restored.id)
    assert any("are removed" in said and dropped in said for said in planned["checks"]), "it is said beforehand"
    undone = succeeded(bank.ended(bank.confirm(planned)))
    assert bank.fingerprint() == damaged, "exactly what was there before the restore, without the dropped table"

    bank.undone(undone)
    assert bank.fingerprint() == kept, "the undo of the undo: exactly the state of the point again"
