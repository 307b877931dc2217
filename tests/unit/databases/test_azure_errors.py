"""What Azure Resource Manager answers about a database, in the product's words."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ServiceRequestError

from shared.databases.azure_errors import in_our_words
from shared.model.errors import BackupError, Conflict, Forbidden, NotReady, Throttled, Unreachable

READ = "Microsoft.DBforMySQL/flexibleServers/read"


def refused(status: int, code: str, headers: dict[str, str] | None = None, action: str = READ) -> BackupError:
    """What an answer becomes."""
    error = HttpResponseError(message="the service's own sentence")
    error.status_code, error.response = status, SimpleNamespace(headers=headers or {})  # type: ignore[assignment]
    error.error = SimpleNamespace(code=code, message="the service's own sentence")  # type: ignore[assignment]
    with pytest.raises(BackupError) as found, in_our_words(action, "orders"):
        raise error
    return found.value


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (401, "InvalidAuthenticationToken", Forbidden),
        (403, "AuthorizationFailed", Forbidden),
        (404, "ResourceNotFound", NotReady),
        (409, "QuotaExceeded", NotReady),
        (409, "Conflict", Conflict),
        (412, "PreconditionFailed", Conflict),
        (400, "ServerIsBusy", Conflict),
        (400, "BadRequest", NotReady),
        (429, "TooManyRequests", Throttled),
        (503, "ServiceUnavailable", Unreachable),
    ],
)
def test_an_answer_is_an_error_of_the_model_with_action_subject_and_the_services_own_sentence(
    status: int, code: str, kind: type[BackupError]
) -> None:
    error = refused(status, code)
    assert type(error) is kind
    assert READ in error.message
    assert "orders" in error.message
    assert code in error.message
    assert error.hint


@pytest.mark.parametrize(("header", "seconds"), [("17", 17.0), ("", 1.0), ("Tue, 24 Nov 2026 03:00:00 GMT", 1.0)])
def test_what_the_service_asks_to_wait_is_waited(header: str, seconds: float) -> None:
    error: Any = refused(429, "TooManyRequests", {"Retry-After": header})
    assert error.retry_after_seconds == seconds


@pytest.mark.parametrize(
    ("action", "role"),
    [
        (READ, "a role with that action"),
        ("Microsoft.DocumentDB/databaseAccounts/write", "Cosmos DB Operator, on the resource group"),
        ("Microsoft.DocumentDB/locations/restorableDatabaseAccounts/restore/action", "CosmosRestoreOperator, at the scope of"),
    ],
)
def test_a_missing_right_names_the_role_that_has_it(action: str, role: str) -> None:
    assert role in refused(403, "AuthorizationFailed", action=action).hint


def test_no_answer_is_unreachable() -> None:
    with pytest.raises(Unreachable, match="no answer"), in_our_words(READ, "orders"):
        raise ServiceRequestError("connection refused")
