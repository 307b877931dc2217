"""What AWS answers to an operator's own calls, as errors of the product."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from shared.model.errors import BackupError, Forbidden, InvalidRequest, Misconfigured, Throttled, Unreachable

_THROTTLING = {
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
    "RequestLimitExceeded",
    "LimitExceededException",
}
_DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"}
_SIGNED_OUT = {"ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "UnrecognizedClientException", "RequestExpired"}
_BROKEN = {"InternalFailure", "InternalServerError", "ServiceException", "ServiceUnavailable", "InternalError"}


@contextmanager
def calling(action: str) -> Iterator[None]:
    """Maps what botocore raises inside. `action` is the IAM name of the call, such as `states:StartExecution`.

    Raises:
        InvalidRequest: no region, no or expired credentials.
        Forbidden: a right is missing.
        Throttled, Unreachable: a service asked to slow down, or did not answer.
        Misconfigured: any other refusal, in AWS's own words.
    """
    from botocore import exceptions

    try:
        yield
    except exceptions.NoRegionError as error:
        raise InvalidRequest("No AWS region is set.", hint="Use --region, or set AWS_REGION.") from error
    except (exceptions.NoCredentialsError, exceptions.PartialCredentialsError, exceptions.ProfileNotFound) as error:
        raise InvalidRequest(f"No AWS credentials: {error}.", hint="Sign in, or set AWS_PROFILE.") from error
    except exceptions.ClientError as error:
        raise _refused(action, error.response.get("Error", {})) from error
    except (exceptions.TokenRetrievalError, exceptions.SSOError) as error:
        raise InvalidRequest(
            f"The AWS sign-in has expired: {error}.", hint="Sign in again, then repeat the command."
        ) from error
    except (exceptions.HTTPClientError, exceptions.ConnectionError) as error:
        raise Unreachable(
            f"{action} got no answer: {error}.", hint="Check the network, the region, and AWS_ENDPOINT_URL if it is set."
        ) from error
    except exceptions.BotoCoreError as error:
        raise Misconfigured(f"{action} could not be called: {error}.", hint="Check the AWS configuration files.") from error


def _refused(action: str, answer: dict[str, str]) -> BackupError:
    code, text = answer.get("Code", "unknown"), answer.get("Message", "")
    said = f"{action}: {code}" + (f": {text}" if text else "")
    if code in _THROTTLING:
        return Throttled(said, hint="Repeat the command in a minute.")
    if code in _DENIED:
        return Forbidden(said, hint=f"The credentials in use need the right {action}.")
    if code in _SIGNED_OUT:
        return InvalidRequest(said, hint="Sign in again, then repeat the command.")
    if code in _BROKEN:
        return Unreachable(said, hint="The service has a problem; repeat the command in a minute.")
    return Misconfigured(said)
