"""Faults of one DynamoDB client, by botocore's own hooks: an error instead of an answer, a lost answer, a rival in between."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

import boto3
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ReadTimeoutError

from shared.catalog.dynamodb import DynamoDbCatalog
from shared.catalog.dynamodb.table import CLIENT
from tests.contract.catalog.conftest import TABLE


class FaultyClient:
    """`client` is a real one; a fault applies to the `nth` call of its operation from now on and then is over."""

    def __init__(self, session: boto3.Session) -> None:
        self.client = session.client("dynamodb", config=CLIENT)
        self.catalog = DynamoDbCatalog(TABLE, self.client)

    def answers(self, operation: str, code: str, message: str = "", status: int = 400, **more: Any) -> None:
        """Nothing reaches the table; the answer is this error."""
        url = self.client.meta.endpoint_url
        metadata = {"HTTPStatusCode": status}
        parsed = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": metadata, **more}
        self._once("before-call", operation, lambda: (AWSResponse(url, status, {}, None), parsed))

    def loses_the_answer(self, operation: str, nth: int = 1) -> None:
        """The call does its work, and nobody hears of it."""

        def lose() -> None:
            raise ReadTimeoutError(endpoint_url=self.client.meta.endpoint_url)

        self._once("after-call", operation, lose, nth)

    def meets_a_rival(self, operation: str, act: Callable[[], object], nth: int = 1) -> None:
        """`act` happens just before the call reaches the table."""

        def meet() -> None:
            act()

        self._once("before-call", operation, meet, nth)

    def _once(self, moment: str, operation: str, fault: Callable[[], object], nth: int = 1) -> None:
        event, calls = f"{moment}.dynamodb.{operation}", count(1)

        def handle(**_: Any) -> object:
            if next(calls) < nth:
                return None
            self.client.meta.events.unregister(event, handle)
            return fault()

        self.client.meta.events.register(event, handle)
