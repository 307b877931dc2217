"""Calls to Amazon RDS (and to Application Auto Scaling for its replicas): with time-outs, retries at this one level, and errors
in our words."""

from __future__ import annotations

from threading import Lock
from typing import Any

from shared.databases.rds.errors import in_our_words

ATTEMPTS = 4
"""All retries of the whole package: botocore's standard mode, first try included. What still fails is tried by a later call."""
CONNECT_SECONDS = 3
READ_SECONDS = 20


class Calls:
    """The calls to one region. Clients are made when first used: each costs tens of milliseconds of a cold start.

    `session` is a boto3 session.
    """

    def __init__(self, session: Any, region: str) -> None:
        self.region = region
        self._session = session
        self._clients: dict[str, Any] = {}
        self._lock = Lock()

    @property
    def endpoint_url(self) -> str:
        """Of the RDS service in this region."""
        return str(self._client("rds").meta.endpoint_url)

    def rds(self, operation: str, subject: str, **parameters: Any) -> dict[str, Any]:
        """One call, named as boto3's method; `subject` names in messages what it is about.

        Raises:
            Throttled, Unreachable, Forbidden, NotReady, Conflict, Misconfigured: see `errors`; `aws_code` tells RDS's code.
        """
        return self._call("rds", operation, subject, parameters)

    def rds_list(self, operation: str, items: str, subject: str, **parameters: Any) -> list[dict[str, Any]]:
        """All pages of a describe call; `items` is the field of the answer that holds them (`DBInstances`). Raises as `rds`."""
        return self._list("rds", operation, items, "Marker", subject, parameters)

    def autoscaling(self, operation: str, subject: str, **parameters: Any) -> dict[str, Any]:
        """One call to Application Auto Scaling in the namespace `rds`. Raises as `rds`."""
        return self._call("application-autoscaling", operation, subject, {"ServiceNamespace": "rds", **parameters})

    def autoscaling_list(self, operation: str, items: str, subject: str, **parameters: Any) -> list[dict[str, Any]]:
        """All pages of a describe call to Application Auto Scaling in the namespace `rds`. Raises as `rds`."""
        given = {"ServiceNamespace": "rds", **parameters}
        return self._list("application-autoscaling", operation, items, "NextToken", subject, given)

    def _list(
        self, service: str, operation: str, items: str, marker: str, subject: str, parameters: dict[str, Any]
    ) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while True:
            page = self._call(service, operation, subject, parameters)
            found += page.get(items, [])
            if not page.get(marker):
                return found
            parameters = {**parameters, marker: page[marker]}

    def _call(self, service: str, operation: str, subject: str, parameters: dict[str, Any]) -> dict[str, Any]:
        client = self._client(service)
        with in_our_words(f"{service}:{client.meta.method_to_api_mapping[operation]}", subject):
            answer: dict[str, Any] = getattr(client, operation)(**parameters)
        return answer

    def _client(self, service: str) -> Any:
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
        )
        return self._session.client(service, region_name=self.region, config=config)
