"""What an answer of Amazon RDS means in the words of `shared.model.errors`: tables for what only RDS says; the rest, which all
services say, is in `shared.model.aws_errors`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, NoCredentialsError, NoRegionError
from botocore.exceptions import ConnectionError as NoConnection

from shared.model.aws_errors import LONGEST_TEXT, AwsCall, no_credentials, refused, unanswered
from shared.model.errors import BackupError, Conflict, Misconfigured, NotReady

T = TypeVar("T")

GONE = frozenset(
    {
        "DBClusterAutomatedBackupNotFoundFault",
        "DBClusterEndpointNotFoundFault",
        "DBClusterNotFoundFault",
        "DBClusterSnapshotNotFoundFault",
        "DBInstanceAutomatedBackupNotFound",
        "DBInstanceNotFound",
        "DBSnapshotNotFound",
    }
)
"""The instance, cluster, endpoint, snapshot or automated backup does not exist (any more)."""
TAKEN = frozenset(
    {
        "DBClusterAlreadyExistsFault",
        "DBClusterEndpointAlreadyExistsFault",
        "DBClusterSnapshotAlreadyExistsFault",
        "DBInstanceAlreadyExists",
        "DBSnapshotAlreadyExists",
    }
)
"""The name is in use. After a rename or a deletion it stays so for minutes."""
BUSY = frozenset(
    {
        "InvalidDBClusterEndpointStateFault",
        "InvalidDBClusterSnapshotStateFault",
        "InvalidDBClusterStateFault",
        "InvalidDBInstanceState",
        "InvalidDBSnapshotState",
    }
)
"""Something is being done to the object already; look again later."""
QUOTA = {
    "DBClusterEndpointQuotaExceededFault": "custom endpoints per cluster",
    "DBClusterQuotaExceededFault": "DB clusters",
    "DBInstanceAutomatedBackupQuotaExceeded": "retained automated backups",
    "InstanceQuotaExceeded": "DB instances",
    "SnapshotQuotaExceeded": "manual snapshots",
    "StorageQuotaExceeded": "total storage of DB instances",
}
"""The account's quota, as people call it in Service Quotas."""
CAPACITY = frozenset(
    {
        "InsufficientDBClusterCapacityFault",
        "InsufficientDBInstanceCapacity",
        "InsufficientStorageClusterCapacity",
        "ProvisionedIopsNotAvailableInAZFault",
    }
)
NOT_RESTORABLE = frozenset({"InvalidRestoreFault", "PointInTimeRestoreNotEnabled"})
NEEDED = {
    "CertificateNotFound": "the CA certificate",
    "DBClusterParameterGroupNotFound": "the cluster parameter group",
    "DBParameterGroupNotFound": "the parameter group",
    "DBSecurityGroupNotFound": "the security group",
    "DBSubnetGroupNotFoundFault": "the subnet group",
    "DomainNotFoundFault": "the directory domain",
    "OptionGroupNotFoundFault": "the option group",
}
"""What the manifest names and the account no longer has."""
REFUSED_AS_WRITTEN = frozenset(
    {
        "InvalidParameterCombination",
        "InvalidParameterValue",
        "InvalidSubnet",
        "InvalidVPCNetworkStateFault",
        "MissingParameter",
        "NetworkTypeNotSupported",
        "StorageTypeNotAvailableFault",
        "StorageTypeNotSupported",
        "ValidationError",
    }
)
KEY = "KMSKeyNotAccessibleFault"


def aws_code(error: BackupError) -> str:
    """The service's own error code behind a mapped error; empty when there was no answer."""
    cause = error.__cause__
    return str(cause.response.get("Error", {}).get("Code", "")) if isinstance(cause, ClientError) else ""


def none_if_gone(call: Callable[[], T]) -> T | None:
    """What `call` answers; None when what it asks for does not exist."""
    try:
        return call()
    except BackupError as error:
        if aws_code(error) in GONE:
            return None
        raise


@contextmanager
def in_our_words(action: str, subject: str) -> Iterator[None]:
    """Turns what botocore raises into an error of the model, with the original chained.

    `action` is the IAM action (`rds:DescribeDBInstances`): exactly what a missing right is called. `subject` is the instance,
    cluster or snapshot, or where the call went.
    """
    call = AwsCall(action, subject)
    try:
        yield
    except ClientError as error:
        raise _answered(error, call) from error
    except (NoCredentialsError, NoRegionError) as error:
        raise no_credentials(call, str(error)) from error
    except (NoConnection, HTTPClientError) as error:
        raise unanswered(call, str(error)) from error
    except BotoCoreError as error:
        raise Misconfigured(f"{call}: {error}.", hint="The request could not be made.") from error


def _answered(error: ClientError, call: AwsCall) -> BackupError:
    code, text = error.response["Error"].get("Code", ""), error.response["Error"].get("Message", "")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    said = f"{code}: {text}"[:LONGEST_TEXT].rstrip(": .")
    if code in GONE:
        return NotReady(
            f"{call}: it does not exist ({said}).", hint="It was deleted, renamed, or is in another region or account."
        )
    if code in TAKEN:
        return Conflict(
            f"{call}: the name is taken ({said}).", hint="A name becomes free minutes after a rename or a deletion."
        )
    if code in BUSY:
        return Conflict(f"{call}: its state does not allow it now ({said}).", hint="Another operation on it is under way.")
    if code in QUOTA:
        return NotReady(
            f"{call}: the account's quota of {QUOTA[code]} is reached ({said}).",
            hint="Delete what is not needed, or have the quota raised in Service Quotas; then go on.",
        )
    if code in CAPACITY:
        return NotReady(f"{call}: AWS has no capacity for it now ({said}).", hint="Try again later, or use another class.")
    if code in NOT_RESTORABLE:
        return NotReady(f"{call}: it cannot be restored ({said}).", hint="Look at the retention of its automated backups.")
    if code in NEEDED:
        return NotReady(
            f"{call}: {NEEDED[code]} of its settings does not exist any more ({said}).", hint="Create it again under that name."
        )
    if code == KEY:
        return NotReady(
            f"{call}: its KMS key cannot be used ({said}).", hint="Enable the key and allow it in the role's policy."
        )
    if code in REFUSED_AS_WRITTEN:
        return Misconfigured(f"{call} was refused as written ({said}).", hint="A setting does not fit; see the service's text.")
    return refused(call, code, text, status)
