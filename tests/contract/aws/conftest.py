"""One server for the whole session, emptied before each test; builders for what tests need."""

import io
import json
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from infra.sandbox.aws.process import RunningAws

ROOT = Path(__file__).resolve().parents[3]
ROLE = "arn:aws:iam::123456789012:role/Backup"
FAST = {"lag_seconds": 0, "restore_seconds": 0, "backup_seconds": 0, "delete_seconds": 0, "update_seconds": 0}


@pytest.fixture
def aws(server: RunningAws) -> RunningAws:
    server.reset()
    return server


@pytest.fixture(scope="session")
def clients(server: RunningAws) -> Callable[[str], Any]:
    """boto3 clients, made once."""
    made: dict[str, Any] = {}

    def client(service: str) -> Any:
        if service not in made:
            made[service] = server.client(service, max_pool_connections=32)
        return made[service]

    return client


@pytest.fixture
def dynamodb(aws: RunningAws, clients: Callable[[str], Any]) -> Any:
    return clients("dynamodb")


@pytest.fixture
def sfn(aws: RunningAws, clients: Callable[[str], Any]) -> Any:
    return clients("stepfunctions")


@pytest.fixture
def make_function(aws: RunningAws, clients: Callable[[str], Any]) -> Callable[..., str]:
    """Deploys one of handlers.py; returns its ARN."""

    def make(handler: str, name: str | None = None, **more: Any) -> str:
        role = {"RoleName": "Backup", "AssumeRolePolicyDocument": "{}"}
        iam = clients("iam")
        if not iam.list_roles()["Roles"]:
            iam.create_role(**role)
        answer = clients("lambda").create_function(
            FunctionName=name or handler,
            Handler=f"tests.contract.aws.handlers.{handler}",
            Runtime="python3.13",
            Role=ROLE,
            Code={"ZipFile": _package()},
            **{"Timeout": 10, **more},
        )
        return str(answer["FunctionArn"])

    return make


@pytest.fixture
def make_queue(aws: RunningAws, clients: Callable[[str], Any]) -> Callable[[str], tuple[str, str]]:
    """Returns URL and ARN."""

    def make(name: str) -> tuple[str, str]:
        sqs = clients("sqs")
        url = sqs.create_queue(QueueName=name)["QueueUrl"]
        return url, sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]

    return make


@pytest.fixture
def received(clients: Callable[[str], Any]) -> Callable[..., list[dict[str, Any]]]:
    """Waits until a queue has given at least `count` messages."""

    def receive(url: str, count: int = 1, seconds: float = 10) -> list[dict[str, Any]]:
        messages: list[dict[str, Any]] = []

        def enough() -> bool:
            answer = clients("sqs").receive_message(
                QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"], WaitTimeSeconds=0
            )
            messages.extend(answer.get("Messages", []))
            return len(messages) >= count

        wait_until(enough, f"{count} messages in {url}", seconds)
        return messages

    return receive


@pytest.fixture
def make_machine(sfn: Any) -> Callable[..., str]:
    """A state machine of one state, or of a whole definition; returns its ARN."""

    def make(name: str, state: dict[str, Any] | None = None, definition: dict[str, Any] | None = None) -> str:
        whole = definition or {"StartAt": "Only", "States": {"Only": state}}
        return str(sfn.create_state_machine(name=name, roleArn=ROLE, definition=json.dumps(whole))["stateMachineArn"])

    return make


@pytest.fixture
def run(sfn: Any) -> Callable[..., dict[str, Any]]:
    """Starts an execution and returns its description when it has ended."""

    def start(machine: str, given: Any = None, name: str | None = None) -> dict[str, Any]:
        named = {} if name is None else {"name": name}
        arn = sfn.start_execution(stateMachineArn=machine, input=json.dumps(given or {}), **named)["executionArn"]
        return ended(sfn, arn)

    return start


def ended(sfn: Any, arn: str, seconds: float = 20) -> dict[str, Any]:
    found: dict[str, Any] = {}

    def has_ended() -> bool:
        found.update(sfn.describe_execution(executionArn=arn))
        return bool(found["status"] != "RUNNING")

    wait_until(has_ended, f"{arn} to end", seconds)
    return found


def wait_until(condition: Callable[[], bool], what: str, seconds: float = 10) -> None:
    """Polls; fails with what was waited for."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s in vain for {what}"
        time.sleep(0.02)


def make_table(dynamodb: Any, name: str = "accounts", **more: Any) -> None:
    dynamodb.create_table(
        **{
            "TableName": name,
            "BillingMode": "PAY_PER_REQUEST",
            "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
            "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
            **more,
        }
    )


def turn_recovery_on(dynamodb: Any, name: str = "accounts", **more: Any) -> None:
    specification = {"PointInTimeRecoveryEnabled": True, **more}
    dynamodb.update_continuous_backups(TableName=name, PointInTimeRecoverySpecification=specification)


def status(dynamodb: Any, name: str) -> str | None:
    try:
        return str(dynamodb.describe_table(TableName=name)["Table"]["TableStatus"])
    except dynamodb.exceptions.ResourceNotFoundException:
        return None


def _package() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("README", "see handlers.py")
    return content.getvalue()
