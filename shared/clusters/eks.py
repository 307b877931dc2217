"""Amazon EKS clusters: where their API server is, and how to sign in to it with the function's own role."""

from __future__ import annotations

import base64
import binascii
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeAlias

from shared.clusters.api import KubernetesApi
from shared.clusters.eks_token import EksTokens
from shared.clusters.refusals import cut
from shared.model.errors import BackupError, Forbidden, Misconfigured, NotReady, Throttled, Unreachable
from shared.model.plan import EksCluster

if TYPE_CHECKING:
    import boto3
    import botocore.session

    Session: TypeAlias = boto3.session.Session | botocore.session.Session

CONNECT_SECONDS = 3.0
READ_SECONDS = 10.0
TRIES = 3

_ERRORS: dict[str, tuple[type[BackupError], str]] = {
    "ResourceNotFoundException": (
        NotReady,
        "Check the name and the region in the plan, and that the function runs in the cluster's account.",
    ),
    "AccessDeniedException": (Forbidden, "Allow eks:DescribeCluster on the cluster in the function's role."),
    "UnrecognizedClientException": (Forbidden, "The AWS credentials are not valid in this region; check the function's role."),
    "ExpiredTokenException": (Forbidden, "The AWS credentials have expired; sign in again."),
    "ThrottlingException": (Throttled, "AWS asks to slow down; the same call may succeed later."),
    "TooManyRequestsException": (Throttled, "AWS asks to slow down; the same call may succeed later."),
    "ServerException": (Unreachable, "Amazon EKS is failing; the same call may succeed later."),
    "ServiceUnavailableException": (Unreachable, "Amazon EKS is failing; the same call may succeed later."),
}


class EksClusters:
    """Opens clusters, each once per process. A cluster whose endpoint could not be reached is described again: one that was
    created anew under its old name has another endpoint and another CA."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._lock = Lock()
        self._opened: dict[str, KubernetesApi] = {}

    def __call__(self, cluster: EksCluster) -> KubernetesApi:
        """Raises what `open_eks` raises."""
        # One lock for all: a session must not be used by two threads at once.
        with self._lock:
            opened = self._opened.get(cluster.key)
            if opened is not None and not opened.endpoint_failed:
                return opened
            # The old one is not closed: another thread may still be using it.
            self._opened[cluster.key] = open_eks(cluster, self._session)
            return self._opened[cluster.key]


def open_eks(cluster: EksCluster, session: Session) -> KubernetesApi:
    """Finds the cluster's endpoint and CA. Connects and signs in with the first call, not here.

    Raises:
        NotReady: there is no such cluster, or it has no endpoint (yet, or any more).
        Forbidden: `eks:DescribeCluster` is not allowed.
        Misconfigured: there are no AWS credentials.
        Throttled, Unreachable: Amazon EKS.
    """
    where = f"EKS cluster {cluster.name} ({cluster.region})"
    credentials = session.get_credentials()
    if credentials is None:
        raise Misconfigured(
            f"{where}: no AWS credentials were found.", hint="Give the function a role, or set AWS_PROFILE on your machine."
        )
    client = _eks_client(session, cluster.region)
    endpoint, ca_pem = _endpoint_and_ca(where, _describe(where, client, cluster))
    sts_host = f"sts.{cluster.region}.{dns_suffix(client.meta.partition)}"
    return KubernetesApi(
        endpoint,
        ca_pem,
        EksTokens(cluster.name, cluster.region, sts_host, credentials),
        name=where,
        sign_in_hint=(
            "Map the function's role to the group that infra/kubernetes/rbac.yaml binds: aws eks create-access-entry "
            f"--region {cluster.region} --cluster-name {cluster.name} --principal-arn <role ARN> "
            "--kubernetes-groups scalar-backup."
        ),
    )


def dns_suffix(partition: str) -> str:
    """The domain of a partition's endpoints: amazonaws.com.cn for aws-cn. From botocore's own data."""
    from botocore.loaders import create_loader

    partitions = create_loader().load_data("partitions")["partitions"]
    return str(next(known["outputs"]["dnsSuffix"] for known in partitions if known["id"] == partition))


def _eks_client(session: Session, region: str) -> Any:
    from botocore.config import Config

    config = Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        retries={"mode": "standard", "total_max_attempts": TRIES},
    )
    # boto3's session and botocore's call the same thing by different names.
    create = session.client if hasattr(session, "client") else session.create_client
    return create("eks", region_name=region, config=config)


def _describe(where: str, client: Any, cluster: EksCluster) -> dict[str, Any]:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        description: dict[str, Any] = client.describe_cluster(name=cluster.name)["cluster"]
    except ClientError as error:
        raise _refused(where, error.response) from error
    except BotoCoreError as error:
        raise Unreachable(
            f"{where}: Amazon EKS cannot be asked for the cluster: {cut(str(error))}.",
            hint="The function must reach the EKS API: over the internet, or through the VPC endpoint "
            f"com.amazonaws.{cluster.region}.eks.",
        ) from error
    return description


def _refused(where: str, response: dict[str, Any]) -> BackupError:
    error, status = response.get("Error", {}), response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    code = str(error.get("Code", status))
    otherwise = (Unreachable, "Amazon EKS is failing.") if status >= 500 else (Misconfigured, "Check the cluster in the plan.")
    kind, hint = _ERRORS.get(code, otherwise)
    return kind(f"{where}: Amazon EKS cannot describe the cluster: {cut(str(error.get('Message', '')))} ({code}).", hint=hint)


def _endpoint_and_ca(where: str, description: dict[str, Any]) -> tuple[str, str]:
    """A cluster that is being created has no endpoint yet, one that is being deleted may not have it any more."""
    endpoint, status = description.get("endpoint"), description.get("status", "unknown")
    ca_base64 = (description.get("certificateAuthority") or {}).get("data")
    if status == "DELETING" or not endpoint or not ca_base64:
        raise NotReady(
            f"{where}: the cluster is {status} and has no usable endpoint.",
            hint="Wait until it is ACTIVE, or take its releases out of the plan.",
        )
    try:
        return str(endpoint), base64.b64decode(ca_base64, validate=True).decode("ascii")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise Misconfigured(
            f"{where}: Amazon EKS returned a CA that is not base64 of PEM text.",
            hint="Describe the cluster by hand to compare.",
        ) from error
