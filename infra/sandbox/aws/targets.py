"""Starts what rules and schedules aim at, in the background: with retries, then the dead-letter queue."""

from __future__ import annotations

import json
import logging
import threading
import time
import uuid
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any

import botocore.exceptions

from infra.sandbox.aws.functions import Clients
from infra.sandbox.aws.settings import Settings

LOG = logging.getLogger(__name__)
_AT_ONCE = 16
_RESET_SECONDS = 10
_MOST_RETRIES = 5
"""AWS tries for a day, up to 185 times; a sandbox that hid a failure so long would be of no use."""
_NOT_WORTH_A_RETRY = ("NotFound", "DoesNotExist", "NonExistent", "Invalid", "Validation", "AccessDenied", "AlreadyExists")


@dataclass(frozen=True)
class Delivery:
    """`target` is the Target of a rule or a schedule, `source` what a dead letter says about where it came from."""

    target: dict[str, Any]
    payload: str
    source: dict[str, str]
    execution_name: str = field(default_factory=lambda: str(uuid.uuid4()))


class Targets:
    """Deliveries leave in order and arrive independently of each other."""

    def __init__(self, clients: Clients, settings: Settings) -> None:
        self._clients, self._settings = clients, settings
        self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="target")
        self._cancelled = threading.Event()
        self._under_way: set[Future[None]] = set()

    def send(self, delivery: Delivery) -> None:
        """Returns at once."""
        future = self._pool.submit(self._deliver, delivery, self._cancelled)
        self._under_way.add(future)
        future.add_done_callback(self._under_way.discard)

    def reset(self) -> None:
        """Forget what has not arrived yet; when this returns, nothing arrives any more."""
        self._cancelled.set()
        wait(list(self._under_way), timeout=_RESET_SECONDS)
        self._cancelled = threading.Event()

    def _deliver(self, delivery: Delivery, cancelled: threading.Event) -> None:
        retries = min(delivery.target.get("RetryPolicy", {}).get("MaximumRetryAttempts", 185), _MOST_RETRIES)
        pause = self._settings.target_retry_seconds
        for attempt in range(retries + 1):
            if cancelled.is_set():
                return
            try:
                self._start(delivery)
            except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError, _UnknownTargetError) as error:
                code, message = _code_and_message(error)
                LOG.warning("Target %s: %s: %s", delivery.target["Arn"], code, message)
                if attempt < retries and not any(word in code for word in _NOT_WORTH_A_RETRY):
                    cancelled.wait(pause)
                    pause *= 2
                    continue
                self._bury(delivery, code, message)
            return

    def _start(self, delivery: Delivery) -> None:
        arn, payload = delivery.target["Arn"], delivery.payload
        service = arn.split(":")[2]
        if service == "states":
            self._clients("stepfunctions").start_execution(
                stateMachineArn=arn, name=delivery.execution_name[:80], input=payload
            )
        elif service == "lambda":
            self._clients("lambda").invoke(FunctionName=arn, InvocationType="Event", Payload=payload.encode())
        elif service == "sns":
            self._clients("sns").publish(TopicArn=arn, Message=payload)
        elif service == "sqs":
            group = delivery.target.get("SqsParameters", {}).get("MessageGroupId")
            self._send_message(arn, payload, {"MessageGroupId": group} if group else {})
        elif service == "events":
            entry = self._entry_of_bus_target(delivery)
            self._clients("events").put_events(Entries=[entry])
        elif service == "logs":
            self._write_log(arn, payload)
        else:
            raise _UnknownTargetError(f"The sandbox cannot start targets of the service {service}: {arn}")

    def _entry_of_bus_target(self, delivery: Delivery) -> dict[str, Any]:
        parameters = delivery.target.get("EventBridgeParameters")
        if parameters:  # a schedule: the payload is the detail
            kind = {"Source": parameters["Source"], "DetailType": parameters["DetailType"], "Detail": delivery.payload}
        else:
            event = json.loads(delivery.payload)
            kind = {"Source": event["source"], "DetailType": event["detail-type"], "Detail": json.dumps(event["detail"])}
        return {**kind, "EventBusName": delivery.target["Arn"]}

    def _write_log(self, arn: str, payload: str) -> None:
        logs, group, stream = self._clients("logs"), arn.split(":log-group:")[1].removesuffix(":*"), str(uuid.uuid4())
        logs.create_log_stream(logGroupName=group, logStreamName=stream)
        event = {"timestamp": int(time.time() * 1000), "message": payload}
        logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=[event])

    def _send_message(self, queue_arn: str, body: str, more: dict[str, Any]) -> None:
        sqs = self._clients("sqs")
        url = sqs.get_queue_url(QueueName=queue_arn.split(":")[-1])["QueueUrl"]
        sqs.send_message(QueueUrl=url, MessageBody=body, **more)

    def _bury(self, delivery: Delivery, code: str, message: str) -> None:
        """https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html"""
        queue = delivery.target.get("DeadLetterConfig", {}).get("Arn")
        if not queue:
            return
        said = {**delivery.source, "TARGET_ARN": delivery.target["Arn"], "ERROR_CODE": code, "ERROR_MESSAGE": message}
        attributes = {name: {"DataType": "String", "StringValue": value or "-"} for name, value in said.items()}
        try:
            self._send_message(queue, delivery.payload, {"MessageAttributes": attributes})
        except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError):
            # AWS drops the event too when its dead-letter queue cannot be reached.
            LOG.exception("Dead-letter queue %s", queue)


class _UnknownTargetError(Exception):
    """A service that no target can be of."""


def _code_and_message(error: Exception) -> tuple[str, str]:
    if isinstance(error, botocore.exceptions.ClientError):
        return error.response["Error"]["Code"], error.response["Error"]["Message"]
    return type(error).__name__, str(error)
