"""Azure Resource Manager, as far as finding a cluster needs it: one signed POST, and what a refusal means.

azure-core's own pipeline is used, which azure-identity has loaded anyway; azure-mgmt-containerservice would add 5 MB and about
80 ms of import for this one call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

from shared.clusters.refusals import cut
from shared.model.errors import BackupError, Forbidden, Misconfigured, NotReady, Throttled, Unreachable
from shared.model.plan import AksCluster

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential
    from azure.core.rest import HttpResponse

API_VERSION = "2026-08-01"
"""Of Microsoft.ContainerService/managedClusters."""
CONNECT_SECONDS = 3.0
READ_SECONDS = 10.0
TRIES = 3
"""How often a connection is attempted. An answer is never asked for again here: the engine waits, which costs nothing."""
_CLUSTER_HINT = "Check name, resource group and subscription in the plan, and that the identity belongs to the same tenant."
_ROLE_HINT = (
    'Give the identity the role "Azure Kubernetes Service Cluster User Role" on the cluster (az role assignment create). A new '
    "assignment takes up to ten minutes."
)
_REACH_HINT = "The function must reach Azure Resource Manager (management.azure.com) over HTTPS."


class AzureCloud(NamedTuple):
    """Where Resource Manager is and the scope of its tokens; the defaults are the public cloud's."""

    resource_manager: str = "https://management.azure.com"
    scope: str = "https://management.azure.com/.default"


PUBLIC_CLOUD = AzureCloud()


class ResourceManager:
    """Signs with `credential`; keeps its connections until it is closed. Safe to use from several threads."""

    def __init__(self, credential: TokenCredential, cloud: AzureCloud) -> None:
        from azure.core import PipelineClient
        from azure.core.pipeline.policies import BearerTokenCredentialPolicy, RetryPolicy, UserAgentPolicy

        retries = RetryPolicy(
            retry_total=TRIES - 1, retry_connect=TRIES - 1, retry_read=0, retry_status=0, retry_backoff_factor=0.2
        )
        sign_in = BearerTokenCredentialPolicy(credential, cloud.scope)
        agent = UserAgentPolicy(base_user_agent="scalar-backup")
        self._url = cloud.resource_manager
        self._client: Any = PipelineClient(cloud.resource_manager, policies=[agent, retries, sign_in])

    def close(self) -> None:
        self._client.close()

    def user_credential(self, where: str, cluster: AksCluster, *, server_fqdn: str = "") -> object:
        """The answer of listClusterUserCredential. `server_fqdn` "public" asks for the public name of a private cluster.

        Raises:
            NotReady: there is no such cluster.
            Forbidden: the identity may not ask for it.
            Misconfigured: there is no identity, or Azure refuses the question itself.
            Throttled, Unreachable: Resource Manager.
        """
        from azure.core.exceptions import AzureError, ClientAuthenticationError
        from azure.core.rest import HttpRequest

        subscription, group, name = (
            quote(text, safe="") for text in (cluster.subscription, cluster.resource_group, cluster.name)
        )
        url = (
            f"{self._url}/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.ContainerService"
            f"/managedClusters/{name}/listClusterUserCredential"
        )
        query = {"api-version": API_VERSION} | ({"server-fqdn": server_fqdn} if server_fqdn else {})
        request = HttpRequest("POST", url, params=query)
        try:
            response = self._client.send_request(request, connection_timeout=CONNECT_SECONDS, read_timeout=READ_SECONDS)
        except ClientAuthenticationError as error:
            raise Misconfigured(
                f"{where}: there is no identity to ask Azure with: {cut(str(error))}.",
                hint="Give the function app a managed identity; on your own machine sign in with az login.",
            ) from error
        except AzureError as error:
            raise Unreachable(
                f"{where}: Azure cannot be asked for the cluster: {cut(str(error))}.", hint=_REACH_HINT
            ) from error
        return _document(where, response)


def _document(where: str, response: HttpResponse) -> object:
    try:
        document = response.json()
    except ValueError:
        document = None
    if response.status_code == 200 and document is not None:
        return document
    raise _refused(where, response, document)


def _refused(where: str, response: HttpResponse, document: object) -> BackupError:
    error = document.get("error") if isinstance(document, dict) else None
    code, said = (
        (str(error.get("code", "")), str(error.get("message", ""))) if isinstance(error, dict) else ("", response.text())
    )
    status = response.status_code
    message = (
        f"{where}: Azure does not tell where the cluster is: {cut(said or 'no text')} ({code or 'no code'}, HTTP {status})."
    )
    match status:
        case 401:
            return Forbidden(message, hint="The token is not of the subscription's tenant, or the identity was removed.")
        case 403:
            return Forbidden(message, hint=_ROLE_HINT)
        case 404:
            return NotReady(message, hint=_CLUSTER_HINT)
        case 409:
            return NotReady(message, hint="The cluster is being changed; wait until its provisioning state is Succeeded.")
        case 429:
            seconds = response.headers.get("Retry-After") or ""
            wait_seconds = float(seconds) if seconds.isdecimal() else 1.0
            hint = "Azure asks to slow down; the same call may succeed later."
            return Throttled(message, hint=hint, retry_after_seconds=wait_seconds)
        case _ if status >= 500:
            return Unreachable(message, hint="Azure Resource Manager is failing; the same call may succeed later.")
        case _:
            return Misconfigured(message, hint=_CLUSTER_HINT)
