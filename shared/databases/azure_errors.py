"""What an answer of Azure Resource Manager about a database means in the words of `shared.model.errors`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError

from shared.model.errors import BackupError, Conflict, Forbidden, Misconfigured, NotReady, Throttled, Unreachable

T = TypeVar("T")

LONGEST_TEXT = 300
"""Characters kept of the service's own sentence."""
GONE_STATUS, CONFLICT_STATUSES = 404, frozenset({409, 412, 423})
_BUSY_WORDS = ("busy", "inprogress", "notready", "conflict")
"""Codes with which the services answer 400 although only the moment is wrong: ServerIsBusy, OperationInProgress …"""
_LINKED = re.compile(r"perform action '(?P<action>[^']+)' on the linked scope(?:\(s\))? '(?P<scope>[^']+)'")
"""The right that is missing is on another resource: a subnet, a DNS zone, an identity."""
_OUT_OF_STOCK = ("quota", "capacity", "skunotavailable")
_COSMOS = "microsoft.documentdb/"


def status_of(error: BackupError) -> int:
    """The HTTP status behind a mapped error; 0 when there was no answer."""
    cause = error.__cause__
    return int(cause.status_code or 0) if isinstance(cause, HttpResponseError) else 0


def none_if_gone(call: Callable[[], T]) -> T | None:
    """What `call` answers; None when what it asks for does not exist."""
    try:
        return call()
    except BackupError as error:
        if status_of(error) == GONE_STATUS:
            return None
        raise


@contextmanager
def in_our_words(action: str, subject: str) -> Iterator[None]:
    """Turns what azure-core raises into an error of the model, with the original chained.

    `action` is the ARM action (`Microsoft.DBforMySQL/flexibleServers/read`): exactly what a missing right is called.
    `subject` is the account or server.
    """
    try:
        yield
    except HttpResponseError as error:
        if not error.status_code:
            raise Misconfigured(f"{action} on {subject}: {_cut(str(error))}.", hint="The answer could not be read.") from error
        raise _answered(error, action, subject) from error
    except ClientAuthenticationError as error:
        raise Misconfigured(
            f"{action} on {subject}: there is no identity to ask Azure with: {_cut(str(error))}.",
            hint="Give the function app a managed identity; on your own machine sign in with az login.",
        ) from error
    except AzureError as error:
        raise Unreachable(
            f"{action} on {subject}: no answer ({_cut(str(error))}).",
            hint="The function must reach Azure Resource Manager (management.azure.com) over HTTPS.",
        ) from error


def _answered(error: HttpResponseError, action: str, subject: str) -> BackupError:
    status, code = int(error.status_code or 0), _code(error)
    text = str(getattr(error.error, "message", "") or error.message)
    said, where = _cut(f"{code}: {text}"), f"{action} on {subject}"
    lower = code.lower()
    if status == 401:
        return Forbidden(
            f"Azure does not accept the token for {where} ({said}).",
            hint="The token is not of the subscription's tenant, or the identity was removed.",
        )
    if status == 403 and (linked := _LINKED.search(text)):
        return Forbidden(
            f"{where} needs {linked['action']} on {linked['scope']}, which the settings name ({code}).",
            hint="Give the identity a role with that action there, too. A new one takes up to ten minutes.",
        )
    if status == 403:
        return Forbidden(
            f"{where} is not allowed ({said}).",
            hint=f"Give the identity {_role_with(action)}. A new one takes up to ten minutes.",
        )
    if status == GONE_STATUS:
        return NotReady(
            f"{where}: it does not exist ({said}).", hint="Check name, resource group and subscription in the plan."
        )
    if status == 429:
        return Throttled(
            f"Azure throttles {where} ({said}).",
            hint="It succeeds later; Resource Manager limits calls per subscription.",
            retry_after_seconds=_retry_after(error),
        )
    if any(word in lower for word in _OUT_OF_STOCK):
        return NotReady(
            f"{where}: Azure has no room for it now ({said}).",
            hint="Have the quota of the region raised in the portal under Quotas, or wait for capacity; then go on.",
        )
    if status in CONFLICT_STATUSES or (status == 400 and any(word in lower for word in _BUSY_WORDS)):
        return Conflict(f"{where}: its state does not allow it now ({said}).", hint="Another operation on it is under way.")
    if status >= 500:
        return Unreachable(
            f"{where}: the service failed ({said}).",
            hint="It is repeated; see Azure status.",
            retry_after_seconds=_retry_after(error),
        )
    return NotReady(f"{where} was refused as asked for ({said}).", hint="A value does not fit; see the service's own sentence.")


def _role_with(action: str) -> str:
    """Where Azure has a role of its own for it. Restorable accounts have no narrower scope than the subscription."""
    if not action.lower().startswith(_COSMOS):
        return "a role with that action on the server's resource group"
    if "restorable" in action.lower():
        return "the role CosmosRestoreOperator, at the scope of the subscription: restorable accounts have no narrower one"
    return "the role Cosmos DB Operator, on the resource group"


def _code(error: HttpResponseError) -> str:
    return str(getattr(error.error, "code", "") or error.reason or error.status_code)


def _retry_after(error: HttpResponseError) -> float:
    headers: Any = getattr(error.response, "headers", None) or {}
    seconds = str(headers.get("Retry-After") or "")
    return float(seconds) if seconds.isdecimal() else 1.0


def _cut(text: str) -> str:
    return " ".join(text.split())[:LONGEST_TEXT].rstrip(": .")
