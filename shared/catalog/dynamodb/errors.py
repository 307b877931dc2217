"""What botocore raises, as errors of the product."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

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
from shared.model.errors import BackupError, Misconfigured, Throttled

COLLIDED = frozenset({"TransactionConflict", "TransactionConflictException", "TransactionInProgressException"})
"""Two writers met at one item in the same instant; neither is at fault and a repetition decides."""
COLLISION_RETRY_SECONDS = 0.2
OTHER_KEYS = ("key element", "key schema", "required keys", "Missing the key")
"""What DynamoDB says when an item or a condition does not fit the table's keys; it has no code of its own for that."""


@contextmanager
def mapped(call: AwsCall) -> Iterator[None]:
    """Turns what `call` raises into an error of shared.model.errors, with the cause chained."""
    try:
        yield
    except ClientError as error:
        raise of_answer(call, error) from error
    except (NoCredentialsError, PartialCredentialsError, NoRegionError) as error:
        raise no_credentials(call, str(error)) from error
    except (NoConnection, HTTPClientError) as error:
        raise unanswered(call, str(error)) from error
    except BotoCoreError as error:
        raise BackupError(f"{call} failed: {error}.", hint="This is unexpected: please report it.") from error


def of_answer(call: AwsCall, error: ClientError) -> BackupError:
    code, message = error.response["Error"].get("Code", ""), error.response["Error"].get("Message", "")
    if code == "ValidationException" and any(text in message for text in OTHER_KEYS):
        return Misconfigured(
            f"{call}: the table's key schema is not the catalog's ({message}).",
            hint="The catalog's table has the string keys pk (HASH) and sk (RANGE); deploy it from the product's template.",
        )
    if code in COLLIDED:
        return collided(call)
    return refused(call, code, message, error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def collided(call: AwsCall) -> Throttled:
    return Throttled(
        f"{call}: another writer was at the same record.", hint="It is repeated.", retry_after_seconds=COLLISION_RETRY_SECONDS
    )
