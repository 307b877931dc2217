"""What an error answer of an AWS service means to the product. Knows codes, not the SDK: the rooms hand in what they caught."""

from __future__ import annotations

from typing import NamedTuple

from shared.model.errors import BackupError, Forbidden, Misconfigured, Throttled, Unreachable

THROTTLING = frozenset(
    {
        "LimitExceededException",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceeded",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ThrottledException",
        "Throttling",
        "ThrottlingError",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
CREDENTIALS = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
DENIED = frozenset(
    {"AccessDenied", "AccessDeniedException", "NotAuthorizedForDetailTypeException", "NotAuthorizedForSourceException"}
)
MISSING = frozenset({"ResourceNotFoundException"})
OUTAGE = frozenset({"InternalException", "InternalFailure", "InternalServerError", "ServiceUnavailable"})
LONGEST_TEXT = 300
"""Characters kept of a service's own sentence."""


class AwsCall(NamedTuple):
    """`action` as IAM names it, such as dynamodb:PutItem; `resource` as people name it, such as "table orders"."""

    action: str
    resource: str

    def __str__(self) -> str:
        return f"{self.action} on {self.resource}"


def refused(call: AwsCall, code: str, message: str, status: int = 0) -> BackupError:
    """The error to raise for a service's error answer. Sources: each service's API reference, "Common Errors"."""
    said = f"{code}: {message}"[:LONGEST_TEXT]
    if code in THROTTLING:
        return Throttled(f"AWS throttles {call} ({said}).", hint="It succeeds later; if not, look at the account's quotas.")
    if code in DENIED:
        return Forbidden(f"{call} is not allowed ({said}).", hint=f"Allow {call.action} in the role's policy.")
    if code in CREDENTIALS:
        return Forbidden(
            f"AWS does not accept the credentials for {call} ({said}).", hint="Sign in again, or check this machine's clock."
        )
    if code in MISSING:
        return Misconfigured(
            f"{call}: it does not exist ({said}).", hint="Check its name, the region and the account that this deployment uses."
        )
    if code in OUTAGE or status >= 500:
        return Unreachable(f"{call}: the service failed ({said}).", hint="It is repeated; see the AWS Health Dashboard.")
    return BackupError(f"{call} was refused ({said}).", hint="This is unexpected: please report it with this message.")


def unanswered(call: AwsCall, reason: str) -> Unreachable:
    """No answer at all: network, DNS, TLS or time-out."""
    return Unreachable(
        f"{call}: no answer ({reason[:LONGEST_TEXT]}).",
        hint="Check the route to the service: VPC endpoints, NAT, security groups, DNS.",
    )


def no_credentials(call: AwsCall, reason: str) -> Misconfigured:
    """The SDK found no credentials or no region to begin with."""
    return Misconfigured(
        f"{call} could not be signed ({reason[:LONGEST_TEXT]}).",
        hint="Give the process a role, or set a profile and AWS_REGION.",
    )
