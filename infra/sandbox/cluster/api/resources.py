"""Which resources the cluster serves, and the traits that the API server's rules depend on."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Resource:
    """One resource type. `counts_generation`: metadata.generation moves when its spec does."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True
    subresources: frozenset[str] = frozenset()
    counts_generation: bool = False

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def qualified(self) -> str:
        """The name in messages, for example `deployments.apps`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def has_status(self) -> bool:
        return "status" in self.subresources

    def path(self, namespace: str | None = None, name: str | None = None, subresource: str | None = None) -> str:
        """The URL path of the collection, or of one object in it."""
        root = f"/apis/{self.api_version}" if self.group else f"/api/{self.api_version}"
        parts = [root]
        if self.namespaced and namespace:
            parts.append(f"namespaces/{namespace}")
        parts += [part for part in (self.plural, name, subresource) if part]
        return "/".join(parts)


_RBAC = "rbac.authorization.k8s.io"
_STATUS = frozenset({"status"})

PODS = Resource("", "v1", "pods", "Pod", subresources=frozenset({"status", "binding", "portforward", "log"}))
SERVICES = Resource("", "v1", "services", "Service", subresources=_STATUS)
CONFIG_MAPS = Resource("", "v1", "configmaps", "ConfigMap")
SECRETS = Resource("", "v1", "secrets", "Secret")
SERVICE_ACCOUNTS = Resource("", "v1", "serviceaccounts", "ServiceAccount")
NAMESPACES = Resource("", "v1", "namespaces", "Namespace", namespaced=False, subresources=_STATUS)
NODES = Resource("", "v1", "nodes", "Node", namespaced=False, subresources=_STATUS)
DEPLOYMENTS = Resource(
    "apps", "v1", "deployments", "Deployment", subresources=frozenset({"status", "scale"}), counts_generation=True
)
REPLICA_SETS = Resource(
    "apps", "v1", "replicasets", "ReplicaSet", subresources=frozenset({"status", "scale"}), counts_generation=True
)
JOBS = Resource("batch", "v1", "jobs", "Job", subresources=_STATUS, counts_generation=True)
AUTOSCALERS = Resource("autoscaling", "v1", "horizontalpodautoscalers", "HorizontalPodAutoscaler", subresources=_STATUS)
ROLES = Resource(_RBAC, "v1", "roles", "Role")
ROLE_BINDINGS = Resource(_RBAC, "v1", "rolebindings", "RoleBinding")
CLUSTER_ROLES = Resource(_RBAC, "v1", "clusterroles", "ClusterRole", namespaced=False)
CLUSTER_ROLE_BINDINGS = Resource(_RBAC, "v1", "clusterrolebindings", "ClusterRoleBinding", namespaced=False)

ALL = (
    PODS, SERVICES, CONFIG_MAPS, SECRETS, SERVICE_ACCOUNTS, NAMESPACES, NODES, DEPLOYMENTS, REPLICA_SETS, JOBS,
    AUTOSCALERS, ROLES, ROLE_BINDINGS, CLUSTER_ROLES, CLUSTER_ROLE_BINDINGS,
)  # fmt: skip
BY_PATH = {(resource.group, resource.version, resource.plural): resource for resource in ALL}
BY_KIND = {(resource.api_version, resource.kind): resource for resource in ALL}


def of_object(document: dict[str, object]) -> Resource:
    """The resource of an object, by its apiVersion and kind. Raises LookupError for one that is not served."""
    identity = (str(document.get("apiVersion")), str(document.get("kind")))
    if identity not in BY_KIND:
        served = ", ".join(sorted(kind for _, kind in BY_KIND))
        raise LookupError(f"The cluster serves no {identity[1]} of {identity[0]}. It serves: {served}.")
    return BY_KIND[identity]
