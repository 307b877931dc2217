"""The deployed stack that the command line works with: its parts, found through the outputs of its CloudFormation stack."""

from __future__ import annotations

from typing import Any, NamedTuple

from shared.cli.aws_errors import calling
from shared.model.errors import InvalidRequest, Misconfigured

DEFAULT_STACK = "scalar-backup"
_OUTPUTS = {
    "catalog_table": "CatalogTable",
    "backup_state_machine": "BackupStateMachineArn",
    "watchdog_state_machine": "WatchdogStateMachineArn",
    "check_function": "CheckFunctionName",
    "restore_function": "RestoreFunctionName",
    "watchdog_function": "WatchdogFunctionName",
    "event_bus": "EventBusName",
}


class Deployment(NamedTuple):
    """Names and ARNs of the stack's parts, as its outputs give them."""

    stack: str
    region: str
    catalog_table: str
    backup_state_machine: str
    watchdog_state_machine: str
    check_function: str
    restore_function: str
    watchdog_function: str
    event_bus: str


def client(session: Any, service: str, read_timeout_seconds: float = 10.0, attempts: int = 3) -> Any:
    """A boto3 client with time-outs. `attempts` counts the first try; it is the only retry level of the command line."""
    from botocore.config import Config

    retries = {"mode": "standard", "total_max_attempts": attempts}
    return session.client(
        service, config=Config(connect_timeout=3, read_timeout=read_timeout_seconds, retries=retries, tcp_keepalive=True)
    )


def find_deployment(session: Any, stack: str) -> Deployment:
    """The stack's parts.

    Raises:
        InvalidRequest: there is no such stack in this account and region.
        Misconfigured: the stack is not complete.
        Forbidden, Throttled, Unreachable: CloudFormation.
    """
    from botocore.exceptions import ClientError

    with calling("cloudformation:DescribeStacks"):
        try:
            described = client(session, "cloudformation").describe_stacks(StackName=stack)["Stacks"]
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") != "ValidationError":
                raise
            described = []
    if not described:
        raise InvalidRequest(
            f"There is no stack {stack!r} in {session.region_name} of this account.",
            hint="Use --stack and --region (or SCALAR_BACKUP_STACK and AWS_REGION), or deploy infra/aws/template.yaml first.",
        )
    outputs = {item["OutputKey"]: item["OutputValue"] for item in described[0].get("Outputs", [])}
    if missing := sorted(set(_OUTPUTS.values()) - outputs.keys()):
        raise Misconfigured(
            f"The stack {stack!r} ({described[0].get('StackStatus', 'unknown state')}) has no output {', '.join(missing)}.",
            hint="Wait until its deployment is complete; if it is, it is another stack or another release: deploy it again.",
        )
    return Deployment(stack=stack, region=session.region_name, **{field: outputs[output] for field, output in _OUTPUTS.items()})
