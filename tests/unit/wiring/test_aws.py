"""The rooms of a deployment on AWS: one access for each database of the plan, and errors for what is not set or not here."""

from __future__ import annotations

import pytest

from shared.model.errors import InvalidRequest, Misconfigured
from shared.model.plan import AksCluster, AuroraCluster, Database, DynamoDb, FlexibleServer, RdsCluster, RdsInstance, Release
from shared.wiring import AwsRooms

REGION = "ap-northeast-1"


@pytest.fixture
def rooms(monkeypatch: pytest.MonkeyPatch) -> AwsRooms:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "none")
    return AwsRooms("catalog", "bus", REGION)


@pytest.mark.parametrize(
    ("database", "access"),
    [
        (DynamoDb(region=REGION), "DynamoDbAccess"),
        (RdsInstance(region=REGION, instance="orders"), "RdsInstanceAccess"),
        (RdsCluster(region=REGION, cluster="orders"), "RdsClusterAccess"),
        (AuroraCluster(region=REGION, cluster="orders"), "AuroraAccess"),
    ],
)
def test_each_database_of_aws_has_an_access_that_is_made_once(rooms: AwsRooms, database: Database, access: str) -> None:
    found = rooms.database(database)
    assert type(found).__name__ == access
    assert rooms.database(database) is found


def test_a_database_of_azure_is_refused(rooms: AwsRooms) -> None:
    with pytest.raises(InvalidRequest, match="FlexibleServer is no database of AWS"):
        rooms.database(FlexibleServer(engine="mysql", subscription="s", resource_group="g", server="orders"))


def test_a_function_that_starts_no_restores_says_which_variable_is_missing(rooms: AwsRooms) -> None:
    with pytest.raises(Misconfigured, match="RESTORE_STATE_MACHINE"):
        rooms.executions  # noqa: B018  reading it is what makes it


def test_executions_lead_to_the_machine_that_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    rooms = AwsRooms("catalog", "bus", REGION, restore_machine="arn:aws:states:r:1:stateMachine:restore")
    assert type(rooms.executions).__name__ == "StepFunctionsExecutions"


def test_an_application_in_a_cluster_of_azure_is_refused(rooms: AwsRooms) -> None:
    aks = AksCluster(name="prod", resource_group="g", subscription="s")
    with pytest.raises(InvalidRequest, match="cannot be reached from AWS"):
        rooms.applications.replicas([Release(cluster=aks, namespace="scalar", helm_release="orders")])
