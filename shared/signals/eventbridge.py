"""Signals as events on an Amazon EventBridge bus."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import boto3
import msgspec
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
)
from botocore.exceptions import ConnectionError as NoConnection

from shared.model.aws_errors import AwsCall, no_credentials, refused, unanswered
from shared.model.errors import BackupError
from shared.signals.size import fitted

SOURCE = "scalar-backup"
ACTIONS = ("events:PutEvents",)
"""What a role needs on the bus."""
CLIENT = Config(connect_timeout=2, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 4})
MOST_BYTES = 240 * 1024
"""EventBridge and what it feeds (SNS, SQS, Step Functions) take 256 KiB per event; the rest is for the envelope."""


class EventBridgeSignals:
    """`session_or_client` is a boto3 Session, or an EventBridge client that brings its own time-outs."""

    def __init__(self, bus_name: str, session_or_client: Any) -> None:
        is_session = isinstance(session_or_client, boto3.Session)
        self._client = session_or_client.client("events", config=CLIENT) if is_session else session_or_client
        self._bus = bus_name
        self._call = AwsCall("events:PutEvents", f"event bus {bus_name}")

    def publish(self, detail_type: str, detail: Mapping[str, Any]) -> None:
        """Puts one event with the source `scalar-backup`; texts too long for an event are cut.

        Raises:
            Throttled, Unreachable, Forbidden, Misconfigured: also when the answer is 200 and the entry inside it failed.
        """
        text = msgspec.json.encode(fitted(detail, MOST_BYTES)).decode()
        answer = self._put({"Source": SOURCE, "DetailType": detail_type, "Detail": text, "EventBusName": self._bus})
        if answer.get("FailedEntryCount", 0):
            entry = answer["Entries"][0]
            raise refused(self._call, entry.get("ErrorCode", "Unknown"), entry.get("ErrorMessage", ""))

    def _put(self, entry: dict[str, str]) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = self._client.put_events(Entries=[entry])
        except ClientError as error:
            about, status = error.response["Error"], error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            raise refused(self._call, about.get("Code", ""), about.get("Message", ""), status) from error
        except (NoCredentialsError, PartialCredentialsError, NoRegionError) as error:
            raise no_credentials(self._call, str(error)) from error
        except (NoConnection, HTTPClientError) as error:
            raise unanswered(self._call, str(error)) from error
        except BotoCoreError as error:
            raise BackupError(f"{self._call} failed: {error}.", hint="This is unexpected: please report it.") from error
        return answer
