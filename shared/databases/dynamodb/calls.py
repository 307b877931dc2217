"""Calls to DynamoDB and Application Auto Scaling: within their rates, within a time budget, with errors in our words."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import Any, TypeVar

from shared.databases.dynamodb.errors import SLOW_DOWN_SECONDS, in_our_words
from shared.databases.dynamodb.rates import Rates
from shared.model.errors import Throttled

T = TypeVar("T")
R = TypeVar("R")

WORKERS = 16
ATTEMPTS = 4
"""All retries of the whole package: botocore's standard mode, first try included. What still fails is tried by a later call."""
CONNECT_SECONDS = 3
READ_SECONDS = 10

_PAGES = {
    "list_tables": ("LastEvaluatedTableName", "ExclusiveStartTableName"),
    "list_backups": ("LastEvaluatedBackupArn", "ExclusiveStartBackupArn"),
    "scan": ("LastEvaluatedKey", "ExclusiveStartKey"),
    "list_tags_of_resource": ("NextToken", "NextToken"),
    "describe_scalable_targets": ("NextToken", "NextToken"),
    "describe_scaling_policies": ("NextToken", "NextToken"),
}
"""Where an answer says how to go on, and where the next request wants it."""


def action_of(service: str, operation: str) -> str:
    """The IAM action of a boto3 method: `describe_table` of `dynamodb` is `dynamodb:DescribeTable`."""
    return f"{service}:{''.join(word.capitalize() for word in operation.split('_'))}"


class RegionClients:
    """The boto3 clients of one region, made when first used: a client costs tens of milliseconds of a cold start."""

    def __init__(self, session: Any, region: str) -> None:
        self.region = region
        self._session = session
        self._clients: dict[str, Any] = {}
        self._lock = Lock()

    def client(self, service: str) -> Any:
        with self._lock:
            if service not in self._clients:
                with in_our_words(f"{service}:*", self.region):
                    self._clients[service] = self._create(service)
            return self._clients[service]

    def _create(self, service: str) -> Any:
        from botocore.config import Config

        config = Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
            max_pool_connections=WORKERS,
        )
        return self._session.client(service, region_name=self.region, config=config)


class Calls:
    """The calls of one public method. After `deadline` (monotonic) no new one is begun."""

    def __init__(self, clients: RegionClients, rates: Rates, deadline: float = math.inf) -> None:
        self._clients = clients
        self._rates = rates
        self._deadline = deadline

    @property
    def region(self) -> str:
        return self._clients.region

    def dynamodb(self, operation: str, subject: str, **parameters: Any) -> dict[str, Any]:
        """One call; `subject` names in messages what it is about.

        Raises:
            Throttled: the service says so, or the time budget of this method is used up.
            Unreachable, Forbidden, NotReady, Conflict, Misconfigured: see `errors`; `aws_code` tells the service's code.
        """
        return self._call("dynamodb", operation, subject, parameters)

    def dynamodb_pages(self, operation: str, subject: str, **parameters: Any) -> Iterator[dict[str, Any]]:
        return self._pages("dynamodb", operation, subject, parameters)

    def autoscaling(self, operation: str, subject: str, **parameters: Any) -> dict[str, Any]:
        """One call to Application Auto Scaling. Raises as `dynamodb`."""
        return self._call("application-autoscaling", operation, subject, {"ServiceNamespace": "dynamodb", **parameters})

    def autoscaling_pages(self, operation: str, **parameters: Any) -> Iterator[dict[str, Any]]:
        parameters["ServiceNamespace"] = "dynamodb"
        return self._pages("application-autoscaling", operation, self.region, parameters)

    def in_parallel(self, do: Callable[[T], R], things: list[T]) -> list[R]:
        """`do` for each, in threads; results in order. The first error ends it, after what is under way."""
        if not things:
            return []
        with ThreadPoolExecutor(min(WORKERS, len(things)), thread_name_prefix="dynamodb") as pool:
            return list(pool.map(do, things))

    def _pages(self, service: str, operation: str, subject: str, parameters: dict[str, Any]) -> Iterator[dict[str, Any]]:
        go_on, start = _PAGES[operation]
        while True:
            page = self._call(service, operation, subject, parameters)
            yield page
            if not page.get(go_on):
                return
            parameters = {**parameters, start: page[go_on]}

    def _call(self, service: str, operation: str, subject: str, parameters: dict[str, Any]) -> dict[str, Any]:
        action = action_of(service, operation)
        if not self._rates.wait_turn(operation, self._deadline):
            raise Throttled(
                f"{action} on {subject}: not begun, the time for this call is used up.",
                hint="The next call goes on from here.",
                retry_after_seconds=SLOW_DOWN_SECONDS,
            )
        method = getattr(self._clients.client(service), operation)
        with in_our_words(action, subject):
            answer: dict[str, Any] = method(**parameters)
        return answer
