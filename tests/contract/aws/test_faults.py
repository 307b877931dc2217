"""Injected failures have the shapes of the real ones."""

import time
from typing import Any

import botocore.exceptions
import pytest


@pytest.mark.parametrize(
    ("service", "operation", "code", "status", "call"),
    [
        ("dynamodb", "DescribeTable", "ThrottlingException", 400, lambda c: c.describe_table(TableName="abc")),
        ("dynamodb", "ListTables", "InternalServerError", 500, lambda c: c.list_tables()),
        ("stepfunctions", "ListStateMachines", "ThrottlingException", 400, lambda c: c.list_state_machines()),
        ("lambda", "Invoke", "TooManyRequestsException", 429, lambda c: c.invoke(FunctionName="f")),
        ("eks", "DescribeCluster", "ServerException", 500, lambda c: c.describe_cluster(name="prod")),
        ("sts", "GetCallerIdentity", "ExpiredTokenException", 400, lambda c: c.get_caller_identity()),
        ("scheduler", "GetSchedule", "ThrottlingException", 429, lambda c: c.get_schedule(Name="x")),
        ("events", "PutEvents", "InternalException", 500, lambda c: c.put_events(Entries=[{"Source": "s"}])),
    ],
)
def test_an_injected_error_is_raised_by_boto3_as_a_real_one(
    aws: Any, clients: Any, service: str, operation: str, code: str, status: int, call: Any
) -> None:
    aws.fault(service, operation, code, message="too busy")
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        call(clients(service))
    error = caught.value.response["Error"]
    assert (error["Code"], error["Message"]) == (code, "too busy")
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == status


def test_a_fault_strikes_as_often_as_asked_and_only_its_operation(aws: Any, dynamodb: Any) -> None:
    aws.fault("dynamodb", "ListBackups", "ThrottlingException", times=2)
    dynamodb.list_tables()
    for _ in range(2):
        with pytest.raises(botocore.exceptions.ClientError, match="ThrottlingException"):
            dynamodb.list_backups()
    dynamodb.list_backups()
    assert aws.faults() == []


def test_a_delay_alone_only_delays(aws: Any, dynamodb: Any) -> None:
    aws.fault("dynamodb", "ListTables", delay_seconds=0.3)
    started = time.monotonic()
    assert dynamodb.list_tables()["TableNames"] == []
    assert time.monotonic() - started > 0.3
