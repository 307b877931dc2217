"""Signals as CloudEvents on an Azure Event Grid custom topic.

azure-core's own pipeline is used, which the catalog has loaded anyway; azure-eventgrid would add a package for this one call.
Sources: "Publish events to Azure Event Grid custom topics", "CloudEvents v1.0 schema with Azure Event Grid", "Authenticate
publishing clients using Microsoft Entra ID".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import msgspec
from azure.core import PipelineClient
from azure.core.exceptions import AzureError, ClientAuthenticationError
from azure.core.pipeline.policies import BearerTokenCredentialPolicy, RetryPolicy, UserAgentPolicy
from azure.core.rest import HttpRequest

from shared.model.errors import BackupError, Forbidden, Misconfigured, Throttled, Unreachable
from shared.model.times import iso
from shared.signals.size import fitted

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential
    from azure.core.rest import HttpResponse

SOURCE = "scalar-backup"
TYPE_PREFIX = "ScalarBackup."
"""`Backup Succeeded` becomes the type ScalarBackup.BackupSucceeded, as Azure names its own: Microsoft.Storage.BlobCreated."""
ROLE = "EventGrid Data Sender"
"""What the identity needs on the topic."""
SCOPE = "https://eventgrid.azure.net/.default"
API_VERSION = "2018-01-01"
CONNECT_SECONDS, READ_SECONDS, TRIES = 2.0, 5.0, 4
MOST_BYTES = 240 * 1024
"""Event Grid takes 1 MiB, but a Service Bus queue that it feeds 256 KiB; the rest is for the envelope."""
LONGEST_TEXT = 300
"""Characters kept of the service's own sentence."""


class EventGridSignals:
    """`endpoint` is the topic's, such as https://<topic>.<region>.eventgrid.azure.net/api/events; its input schema must be
    CloudEvents 1.0. Safe to use from several threads."""

    def __init__(
        self, endpoint: str, credential: TokenCredential, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._endpoint, self._now = endpoint, now
        retries = _Retries(retry_total=TRIES - 1, retry_backoff_factor=0.2)
        agent = UserAgentPolicy(base_user_agent="scalar-backup")
        self._client: Any = PipelineClient(endpoint, policies=[agent, retries, BearerTokenCredentialPolicy(credential, SCOPE)])

    def publish(self, detail_type: str, detail: Mapping[str, Any]) -> None:
        """Sends one event with the detail as its data; texts too long for an event are cut.

        The id is made from type and detail, so a repeated call sends an event that receivers know to be the same.

        Raises:
            Throttled, Unreachable, Forbidden, Misconfigured.
        """
        data = fitted(detail, MOST_BYTES)
        event = {
            "specversion": "1.0",
            "id": sha256(msgspec.json.encode([detail_type, data])).hexdigest()[:32],
            "source": SOURCE,
            "type": TYPE_PREFIX + detail_type.replace(" ", ""),
            "subject": str(detail.get("plan") or SOURCE),
            "time": iso(self._now()),
            "datacontenttype": "application/json",
            "data": data,
        }
        response = self._post(msgspec.json.encode([event]))
        if response.status_code != 200:
            raise _refused(self._endpoint, response)

    def _post(self, body: bytes) -> HttpResponse:
        headers = {"Content-Type": "application/cloudevents-batch+json; charset=utf-8"}
        request = HttpRequest("POST", self._endpoint, params={"api-version": API_VERSION}, headers=headers, content=body)
        try:
            response: HttpResponse = self._client.send_request(
                request, connection_timeout=CONNECT_SECONDS, read_timeout=READ_SECONDS
            )
        except ClientAuthenticationError as error:
            raise Misconfigured(
                f"Event Grid topic {self._endpoint}: there is no identity to sign in with ({_cut(str(error))}).",
                hint="Give the function app a managed identity, and name it in AZURE_CLIENT_ID if there are several; on your "
                "own machine sign in with az login.",
            ) from error
        except AzureError as error:
            raise Unreachable(
                f"Event Grid topic {self._endpoint}: no answer ({_cut(str(error))}).",
                hint="Check the topic's address and the route to it: private endpoint, VNet integration, firewall, DNS.",
            ) from error
        return response


class _Retries(RetryPolicy[Any, Any]):
    """Without the answers that say when to come back: waiting is the engine's, which does it without a function running."""

    def is_retry(self, settings: dict[str, Any], response: Any) -> bool:
        return "Retry-After" not in response.http_response.headers and bool(super().is_retry(settings, response))


def _refused(endpoint: str, response: HttpResponse) -> BackupError:
    status = response.status_code
    message = f"Event Grid topic {endpoint} does not take the event: {_cut(response.text()) or 'no text'} (HTTP {status})."
    match status:
        case 400:
            return Misconfigured(
                message, hint="The topic's input schema must be CloudEventSchemaV1_0; it cannot be changed later."
            )
        case 401:
            return Forbidden(message, hint="The identity must be of the topic's tenant; check this machine's clock too.")
        case 403:
            hint = f'Give the identity the role "{ROLE}" on the topic, and let its network rules admit this caller.'
            return Forbidden(message, hint=f"{hint} A new assignment takes up to ten minutes.")
        case 404 | 405:
            return Misconfigured(message, hint="Check the topic's address: it is its endpoint and ends with /api/events.")
        case 429 | 503:
            seconds = response.headers.get("Retry-After") or ""
            return Throttled(
                message,
                hint="It succeeds later; if not, look at the topic's metrics.",
                retry_after_seconds=float(seconds) if seconds.isdecimal() else 1.0,
            )
        case _ if status >= 500:
            return Unreachable(message, hint="It is repeated; see Azure Service Health.")
    return BackupError(message, hint="This is unexpected: please report it with this message.")


def _cut(text: str) -> str:
    return " ".join(text.split())[:LONGEST_TEXT]
