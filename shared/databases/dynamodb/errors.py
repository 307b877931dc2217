"""What an answer of DynamoDB or of Application Auto Scaling means in the words of `shared.model.errors`: one table."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, NoCredentialsError, NoRegionError
from botocore.exceptions import ConnectionError as NoConnection

from shared.model.errors import BackupError, Conflict, Forbidden, Misconfigured, NotReady, Throttled, Unreachable

SLOW_DOWN_SECONDS = 5.0
NOT_ALLOWED_HINT = "Add the action to the role of the function that makes this call."
CREDENTIALS_HINT = "Check the role of the function, or sign in again."
SERVICE_HINT = "The service or the way to it is disturbed; the call is repeated later."

GONE = frozenset({"ResourceNotFoundException", "TableNotFoundException", "BackupNotFoundException"})
"""The table or backup does not exist (any more)."""
BUSY = frozenset(
    {
        "ResourceInUseException",
        "TableInUseException",
        "BackupInUseException",
        "TableAlreadyExistsException",
        "ContinuousBackupsUnavailableException",
        "ConcurrentUpdateException",
    }
)
"""Something is being done to the object already; look again later."""
NO_SLOT = frozenset({"LimitExceededException"})
"""The account runs as many table operations as it may; look again later."""
NOT_THAT_TIME = "InvalidRestoreTimeException"
NOT_RESTORABLE = frozenset({NOT_THAT_TIME, "PointInTimeRecoveryUnavailableException"})

_CODES: dict[str, tuple[type[BackupError], str]] = {
    "ThrottlingException": (Throttled, ""),
    "Throttling": (Throttled, ""),
    "ThrottledException": (Throttled, ""),
    "RequestLimitExceeded": (Throttled, ""),
    "TooManyRequestsException": (Throttled, ""),
    "ProvisionedThroughputExceededException": (Throttled, "The table's provisioned capacity is used up."),
    **dict.fromkeys(NO_SLOT, (Throttled, "The account has reached its number of simultaneous table operations.")),
    "AccessDeniedException": (Forbidden, NOT_ALLOWED_HINT),
    "AccessDenied": (Forbidden, NOT_ALLOWED_HINT),
    "UnauthorizedOperation": (Forbidden, NOT_ALLOWED_HINT),
    "UnrecognizedClientException": (Forbidden, CREDENTIALS_HINT),
    "InvalidSignatureException": (Forbidden, CREDENTIALS_HINT),
    "IncompleteSignatureException": (Forbidden, CREDENTIALS_HINT),
    "MissingAuthenticationTokenException": (Forbidden, CREDENTIALS_HINT),
    "ExpiredTokenException": (Forbidden, CREDENTIALS_HINT),
    "InternalServerError": (Unreachable, SERVICE_HINT),
    "InternalFailure": (Unreachable, SERVICE_HINT),
    "ServiceUnavailable": (Unreachable, SERVICE_HINT),
    **dict.fromkeys(GONE, (NotReady, "It was deleted or never existed in this region and account.")),
    **dict.fromkeys(BUSY, (Conflict, "Another operation on it is under way.")),
    **dict.fromkeys(NOT_RESTORABLE, (NotReady, "Point-in-time recovery does not reach that moment.")),
    "UnknownOperationException": (Misconfigured, "This endpoint does not offer the operation."),
    "UnsupportedOperationException": (Misconfigured, "This endpoint does not offer the operation."),
    "ValidationException": (Misconfigured, "The service refused the request as written."),
}


def aws_code(error: BackupError) -> str:
    """The service's own error code behind a mapped error; empty when there was no answer."""
    cause = error.__cause__
    return str(cause.response.get("Error", {}).get("Code", "")) if isinstance(cause, ClientError) else ""


@contextmanager
def in_our_words(action: str, subject: str) -> Iterator[None]:
    """Turns what botocore raises into an error of the model, with the original chained.

    `action` is the IAM action (`dynamodb:DescribeTable`): exactly what a missing right is called. `subject` is the table or
    backup, or where the call went.
    """
    try:
        yield
    except ClientError as error:
        raise _answered(error, action, subject) from error
    except (NoCredentialsError, NoRegionError) as error:
        raise Forbidden(f"{action} on {subject}: {error}.", hint=CREDENTIALS_HINT) from error
    except (NoConnection, HTTPClientError) as error:
        raise Unreachable(
            f"{action} on {subject}: no answer: {error}.",
            hint="Check the function's subnets, security groups and VPC endpoints.",
            retry_after_seconds=SLOW_DOWN_SECONDS,
        ) from error
    except BotoCoreError as error:
        raise Misconfigured(f"{action} on {subject}: {error}.", hint="The request could not be made.") from error


def _answered(error: ClientError, action: str, subject: str) -> BackupError:
    code, text = error.response["Error"].get("Code", ""), error.response["Error"].get("Message", "")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    fallback = (Unreachable, SERVICE_HINT) if status >= 500 else (Misconfigured, "The service refused the request.")
    kind, hint = _CODES.get(code, fallback)
    message = f"{action} on {subject}: {code or f'HTTP {status}'}: {text}".rstrip(": .") + "."
    if issubclass(kind, Throttled | Unreachable):
        return kind(message, hint=hint, retry_after_seconds=SLOW_DOWN_SECONDS)
    return kind(message, hint=hint)
