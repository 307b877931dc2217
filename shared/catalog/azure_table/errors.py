"""What the Table service and its SDK answer, as errors of the product.

Sources: "Table service error codes", "Common REST API error codes", "Authorize with Microsoft Entra ID (Azure Storage)".
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import msgspec
from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    IncompleteReadError,
    ServiceRequestError,
    ServiceResponseError,
)

from shared.model.errors import BackupError, Forbidden, Misconfigured, Temporary, Throttled, Unreachable

ROLE = "Storage Table Data Contributor"
"""What the identity needs, on the table or above it."""
LONGEST_TEXT = 300
"""Characters kept of the service's own sentence."""
THROTTLING = frozenset({"ServerBusy", "TooManyRequests"})
NO_ROLE = frozenset({"AuthorizationPermissionMismatch", "InsufficientAccountPermissions"})
NETWORK_RULES = frozenset({"AuthorizationFailure", "IpAuthorizationError"})
NOT_SIGNED_IN = frozenset({"AuthenticationFailed", "InvalidAuthenticationInfo", "NoAuthenticationInformation"})
NO_TABLE = frozenset({"TableNotFound", "TableBeingDeleted"})
COLLISION_RETRY_SECONDS = 0.2


class ComeBackLater(Exception):
    """The service throttles and says for how long. Raised past the SDK's retries, which would sleep all that time here."""

    def __init__(self, status: int, code: str, seconds: float) -> None:
        super().__init__(f"{code or 'no code'}, HTTP {status}, come back in {seconds:g} s")
        self.seconds = seconds


class TableCall(NamedTuple):
    """`operation` as the REST reference calls it, such as Insert Entity; `table` is the table's name."""

    operation: str
    table: str

    def __str__(self) -> str:
        return f"{self.operation} on table {self.table}"


@contextmanager
def mapped(call: TableCall) -> Iterator[None]:
    """Turns what the SDK raises into an error of shared.model.errors, with the cause chained."""
    try:
        yield
    except ComeBackLater as error:
        raise _throttled(call, str(error), error.seconds) from error
    except (ServiceRequestError, ServiceResponseError, IncompleteReadError) as error:
        raise unanswered(call, str(error)) from error
    except HttpResponseError as error:
        raise of_answer(call, error) from error
    except AzureError as error:
        raise BackupError(f"{call} failed: {_cut(str(error))}.", hint="This is unexpected: please report it.") from error


def code_of(error: HttpResponseError) -> str:
    """The service's error code, as text."""
    return _said(error)[0]


def _said(error: HttpResponseError) -> tuple[str, str]:
    """Code and sentence of the service. The SDK has read them on most of its errors; not on those of an insert."""
    if hasattr(error, "error_code"):
        return str(getattr(error.error_code, "value", error.error_code) or ""), error.message
    response: Any = error.response
    try:
        answered = msgspec.json.decode(response.text())["odata.error"]
        return str(answered["code"]), str(answered["message"]["value"])
    except (AttributeError, KeyError, TypeError, msgspec.DecodeError):
        return "", error.message  # not from the service: a proxy's page, or no answer at all


def of_answer(call: TableCall, error: HttpResponseError) -> BackupError:
    if error.response is None and isinstance(error, ClientAuthenticationError):
        return Misconfigured(
            f"{call}: there is no identity to sign in with ({_cut(str(error))}).",
            hint="Give the function app a managed identity, and name it in AZURE_CLIENT_ID if there are several; on your own "
            "machine sign in with az login.",
        )
    (code, text), status = _said(error), error.status_code or 0
    said = f"{code or 'no code'}, HTTP {status}: {_cut(text)}"
    if code in THROTTLING or status in (429, 503):
        return _throttled(call, said)
    return _refused(call, code, status, said)


def _throttled(call: TableCall, said: str, seconds: float = 1.0) -> Throttled:
    hint = "It succeeds later; if not, look at the storage account's metrics."
    return Throttled(f"Azure throttles {call} ({said}).", hint=hint, retry_after_seconds=seconds)


def _refused(call: TableCall, code: str, status: int, said: str) -> BackupError:
    if code in NO_TABLE:
        return Misconfigured(
            f"{call}: there is no such table ({said}).",
            hint="Check its name and the account's address; the deployment's template creates it.",
        )
    if code in NETWORK_RULES:
        return Forbidden(
            f"{call} is not allowed from here ({said}).",
            hint="The storage account's network rules shut this caller out: use the private endpoint or add its VNet; if they "
            f'do not, give the identity the role "{ROLE}".',
        )
    if code in NOT_SIGNED_IN or status == 401:
        return Forbidden(
            f"The storage account does not accept the identity for {call} ({said}).",
            hint="The identity must be of the account's tenant; check this machine's clock too.",
        )
    if code in NO_ROLE or status == 403:
        return Forbidden(
            f"{call} is not allowed ({said}).",
            hint=f'Give the identity the role "{ROLE}" on the table. A new assignment takes up to ten minutes.',
        )
    if status >= 500:
        return Unreachable(f"{call}: the service failed ({said}).", hint="It is repeated; see Azure Service Health.")
    return BackupError(f"{call} was refused ({said}).", hint="This is unexpected: please report it with this message.")


def unanswered(call: TableCall, reason: str) -> Unreachable:
    return Unreachable(
        f"{call}: no answer ({_cut(reason)}).",
        hint="Check the account's address and the route to it: private endpoint and its DNS zone, VNet integration, firewall.",
    )


def collided(call: TableCall, what: str) -> Temporary:
    return Throttled(
        f"{call}: other writers were faster at {what}, again and again.",
        hint="It is repeated.",
        retry_after_seconds=COLLISION_RETRY_SECONDS,
    )


def _cut(text: str) -> str:
    """The first line is the sentence; request id and time follow."""
    return text.partition("\n")[0][:LONGEST_TEXT]
