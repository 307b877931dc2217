"""An administrator's hands on a cluster, for the demo and the tests: apply, wait, scale, delete, kill, break.

Synchronous and small; works on a real API server too, except for the methods that use the sandbox's own paths.
"""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import urllib3

from infra.sandbox.cluster.api.resources import DEPLOYMENTS, NAMESPACES, NODES, PODS, Resource, of_object

MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_MERGE_PATCH = "application/strategic-merge-patch+json"
JSON_PATCH = "application/json-patch+json"
_TIMEOUT = urllib3.Timeout(connect=5, read=20)
_WATCH_SLACK_SECONDS = 10  # beyond the watch's own time, for a server that is slow to end it

Object = dict[str, Any]


class KubernetesError(Exception):
    """An answer that is no success; `status` is the HTTP status and `reason` the machine-readable one."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(f"{status} {reason}: {message}")
        self.status, self.reason = status, reason


@dataclass(frozen=True)
class Answer:
    status: int
    headers: urllib3.HTTPHeaderDict
    body: Any


class ClusterClient:
    """`headers` go with every request, for example Impersonate-User. `controls_url` is where the sandbox's own paths are, when
    that is not at the API itself."""

    def __init__(
        self,
        url: str,
        ca_pem: str,
        token: str | None,
        headers: dict[str, str] | None = None,
        *,
        controls_url: str | None = None,
    ) -> None:
        self.url, self._ca_pem, self._controls_url = url, ca_pem, controls_url or url
        authorization = {"Authorization": f"Bearer {token}"} if token else {}
        self._headers = {"Accept": "application/json", **authorization, **(headers or {})}
        tls = ssl.create_default_context(cadata=ca_pem)
        self._others: list[ClusterClient] = []
        self._pool = urllib3.PoolManager(ssl_context=tls, maxsize=8, retries=False, timeout=_TIMEOUT)

    def acting_as(self, user: str, group: str | None = None) -> ClusterClient:
        """The same client with another identity, by impersonation. It is closed with this one."""
        headers = {**self._headers, "Impersonate-User": user}
        if group:
            headers["Impersonate-Group"] = group
        other = ClusterClient(self.url, self._ca_pem, None, headers)
        self._others.append(other)
        return other

    def close(self) -> None:
        for other in self._others:
            other.close()
        self._pool.clear()

    def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        content_type: str = "application/json",
        query: dict[str, Any] | None = None,
        to: str | None = None,
    ) -> Answer:
        """One request and whatever was answered, errors included. `to` is another server than the API."""
        payload = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        headers = {**self._headers, "Content-Type": content_type} if payload is not None else self._headers
        url = (to or self.url) + path + (f"?{urlencode(query)}" if query else "")
        response = self._pool.request(method, url, body=payload, headers=headers)
        is_json = response.headers.get("Content-Type", "").startswith("application/json")
        return Answer(response.status, response.headers, json.loads(response.data) if is_json else response.data)

    def call(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
        """The body of a successful answer. Raises KubernetesError for any other."""
        answer = self.send(method, path, body, **options)
        if answer.status < 400:
            return answer.body
        status = answer.body if isinstance(answer.body, dict) else {}
        raise KubernetesError(answer.status, status.get("reason", ""), status.get("message", str(answer.body)[:256]))

    @property
    def version(self) -> str:
        """Of the API server, for example v1.33.0-sandbox."""
        return str(self.call("GET", "/version")["gitVersion"])

    # Objects

    def get(self, resource: Resource, namespace: str | None, name: str) -> Object:
        found: Object = self.call("GET", resource.path(namespace, name))
        return found

    def list_objects(
        self, resource: Resource, namespace: str | None = None, label_selector: str = "", field_selector: str = ""
    ) -> list[Object]:
        selectors = {"labelSelector": label_selector, "fieldSelector": field_selector}
        query = {name: selector for name, selector in selectors.items() if selector}
        found: list[Object] = self.call("GET", resource.path(namespace), query=query)["items"]
        return found

    def create(self, document: Object, namespace: str | None = None) -> Object:
        resource = of_object(document)
        created: Object = self.call("POST", resource.path(namespace or document["metadata"].get("namespace")), document)
        return created

    def patch(
        self,
        resource: Resource,
        namespace: str | None,
        name: str,
        patch: Any,
        *,
        content_type: str = MERGE_PATCH,
        subresource: str | None = None,
    ) -> Object:
        path = resource.path(namespace, name, subresource)
        patched: Object = self.call("PATCH", path, patch, content_type=content_type)
        return patched

    def delete(self, resource: Resource, namespace: str | None, name: str, *, grace_seconds: int | None = None) -> None:
        """Deletes, or begins to; an object that is not there is no error."""
        query: dict[str, Any] = {"propagationPolicy": "Background"}  # as kubectl does
        if grace_seconds is not None:
            query["gracePeriodSeconds"] = grace_seconds
        try:
            self.call("DELETE", resource.path(namespace, name), query=query)
        except KubernetesError as error:
            if error.status != 404:
                raise

    def apply(self, documents: Iterable[Object]) -> None:
        """Creates what is missing, with its namespace, and merges the rest into what is there."""
        for document in documents:
            resource, metadata = of_object(document), document["metadata"]
            if resource.namespaced:
                self._ensure_namespace(metadata["namespace"])
            try:
                self.create(document)
            except KubernetesError as error:
                if error.reason != "AlreadyExists":
                    raise
                where = (resource, metadata.get("namespace"), metadata["name"])
                self.patch(*where, document, content_type=STRATEGIC_MERGE_PATCH)

    def _ensure_namespace(self, name: str) -> None:
        try:
            self.create({"apiVersion": NAMESPACES.api_version, "kind": NAMESPACES.kind, "metadata": {"name": name}})
        except KubernetesError as error:
            if error.reason != "AlreadyExists":
                raise

    # Watching

    def watch(
        self, resource: Resource, namespace: str | None, version: str, timeout_seconds: int, **query: str
    ) -> Iterator[Object]:
        """Events after `version` until the server ends the watch."""
        options = {"watch": "1", "resourceVersion": version, "timeoutSeconds": str(timeout_seconds), **query}
        url = f"{self.url}{resource.path(namespace)}?{urlencode(options)}"
        timeout = urllib3.Timeout(connect=5, read=timeout_seconds + _WATCH_SLACK_SECONDS)
        response = self._pool.request("GET", url, headers=self._headers, preload_content=False, timeout=timeout)
        try:
            if response.status >= 400:
                status = json.loads(response.data)
                raise KubernetesError(response.status, status.get("reason", ""), status.get("message", ""))
            rest = b""
            for chunk in response.stream(amt=None):
                *lines, rest = (rest + chunk).split(b"\n")
                yield from map(json.loads, lines)
        finally:
            response.close()

    def wait_until(
        self,
        resource: Resource,
        namespace: str | None,
        is_so: Callable[[list[Object]], bool],
        what: str,
        timeout_seconds: float = 30.0,
    ) -> list[Object]:
        """Follows all objects of a resource in a namespace until `is_so(objects)`; these objects.

        Raises TimeoutError that says `what` was waited for and shows the objects' state.
        """
        ends_at = time.monotonic() + timeout_seconds
        while True:
            answer = self.call("GET", resource.path(namespace))
            objects = {each["metadata"]["name"]: each for each in answer["items"]}
            if is_so(list(objects.values())):
                return list(objects.values())
            remaining = ends_at - time.monotonic()
            if remaining <= 0:
                seen = {name: each.get("status") for name, each in objects.items()}
                raise TimeoutError(f"{what}: not so after {timeout_seconds:.0f} s. Last seen: {json.dumps(seen)[:2000]}")
            version = answer["metadata"]["resourceVersion"]
            for event in self.watch(resource, namespace, version, max(1, round(min(remaining, 60)))):
                if event["type"] == "ERROR":
                    break
                objects[event["object"]["metadata"]["name"]] = event["object"]
                if event["type"] == "DELETED":
                    del objects[event["object"]["metadata"]["name"]]
                if is_so(list(objects.values())):
                    return list(objects.values())

    def wait_until_ready(self, namespace: str, deployment: str, timeout_seconds: float = 30.0) -> Object:
        """Until the rollout is complete: every replica has the newest template and is available."""

        def is_ready(objects: list[Object]) -> bool:
            return any(each["metadata"]["name"] == deployment and _is_rolled_out(each) for each in objects)

        what = f"Deployment {namespace}/{deployment} rolled out"
        objects = self.wait_until(DEPLOYMENTS, namespace, is_ready, what, timeout_seconds)
        return next(each for each in objects if each["metadata"]["name"] == deployment)

    def wait_until_no_pods(self, namespace: str, labels: dict[str, str], timeout_seconds: float = 60.0) -> None:
        """Until no pod object with these labels is left, terminating ones included."""

        def are_gone(pods: list[Object]) -> bool:
            return not any(labels.items() <= (pod["metadata"].get("labels") or {}).items() for pod in pods)

        self.wait_until(PODS, namespace, are_gone, f"no pod in {namespace} with {labels}", timeout_seconds)

    # Operating

    def scale(self, namespace: str, deployment: str, replicas: int) -> None:
        self.patch(DEPLOYMENTS, namespace, deployment, {"spec": {"replicas": replicas}}, subresource="scale")

    def delete_pod(self, namespace: str, pod: str, *, grace_seconds: int | None = None) -> None:
        self.delete(PODS, namespace, pod, grace_seconds=grace_seconds)

    def drain(self, node: str, pod_selector: str = "") -> None:
        """As `kubectl drain --disable-eviction --pod-selector`: no new pod comes to the node, and those that are there are
        deleted. Does not wait until they are gone."""
        self.patch(NODES, None, node, {"spec": {"unschedulable": True}})
        for pod in self.list_objects(PODS, label_selector=pod_selector, field_selector=f"spec.nodeName={node}"):
            self.delete_pod(pod["metadata"]["namespace"], pod["metadata"]["name"])

    def uncordon(self, node: str) -> None:
        """Pods may come to the node again."""
        self.patch(NODES, None, node, {"spec": {"unschedulable": None}})

    def annotate(self, resource: Resource, namespace: str | None, name: str, annotations: dict[str, str | None]) -> None:
        """Sets annotations; None removes one."""
        self.patch(resource, namespace, name, {"metadata": {"annotations": annotations}})

    # The sandbox's own paths

    def _control(self, method: str, path: str, body: Any = None) -> None:
        self.call(method, path, body, to=self._controls_url)

    def kill_container(self, namespace: str, pod: str, *, signal: str = "KILL", container: str | None = None) -> None:
        """Sends a signal (KILL, TERM, STOP, CONT) to a container's process; the node restarts one that ends."""
        body = {"namespace": namespace, "pod": pod, "signal": signal, "container": container}
        self._control("POST", "/sandbox/kill-container", body)

    def add_fault(self, **fault: Any) -> None:
        """See `api.faults.Fault` for the fields, e.g. verb="list", resource="pods", status=429, retry_after=1, times=2."""
        self._control("POST", "/sandbox/faults", fault)

    def clear_faults(self) -> None:
        self._control("DELETE", "/sandbox/faults")

    def set_clock_offset(self, seconds: float) -> None:
        """Moves the API server's clock against the machine's."""
        self._control("POST", "/sandbox/clock", {"offset_seconds": seconds})

    def compact(self) -> None:
        """Makes every older resourceVersion expire."""
        self._control("POST", "/sandbox/compact")

    def cut_watches(self) -> None:
        self._control("POST", "/sandbox/cut-watches")

    def cut_port_forwards(self) -> None:
        self._control("POST", "/sandbox/cut-port-forwards")

    def check_create_of_port_forwards(self, checks_create: bool) -> None:
        """Whether the right to `create` is asked for, too, as clusters from 1.35 on do."""
        self._control("POST", "/sandbox/port-forward-rights", {"checks_create": checks_create})

    def grant_access(self, role_arn: str, *groups: str) -> None:
        """An EKS access entry: whoever assumes the role is a member of the groups."""
        self._control("POST", "/sandbox/access-entries", {"role_arn": role_arn, "groups": list(groups)})

    def trust_entra(self, issuer: str, jwks: Object) -> None:
        """Makes the cluster one of AKS, integrated with the tenant that has these public keys."""
        self._control("POST", "/sandbox/entra", {"issuer": issuer, "jwks": jwks})


def _is_rolled_out(deployment: Object) -> bool:
    status, replicas = deployment.get("status", {}), deployment["spec"]["replicas"]
    counts = (status.get(field, 0) for field in ("replicas", "updatedReplicas", "availableReplicas"))
    return status.get("observedGeneration") == deployment["metadata"]["generation"] and set(counts) == {replicas}
