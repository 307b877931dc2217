"""One cluster's API: list, get, watch and patch objects, and ask what one may do. Objects are the API's own JSON."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from typing import Any

from shared.clusters.access import Access
from shared.clusters.connection import Answer, Connection, Request, TokenSource
from shared.clusters.field_owners import field_owners
from shared.clusters.patches import JSON_PATCH, Patch, guarded
from shared.clusters.refusals import NOT_KUBERNETES_HINT, Refusal, cut, error_for, refusal_of
from shared.clusters.resources import collection_path, group_of, label_selector, object_path
from shared.clusters.watch import WatchStream
from shared.model.errors import BackupError, Conflict, HistoryExpired, Misconfigured, NotReady
from shared.model.kubernetes import KubernetesObject, ObjectList

PAGE_SIZE = 500
"""As kubectl has it: a page of pods is then a few megabytes."""
WATCH_SLACK_SECONDS = 5.0
"""How much later than its time-out a watch may end before its connection counts as dead."""
FIELD_MANAGER = "scalar-backup"
"""Under this name the API server records what we wrote: `kubectl get --show-managed-fields` shows it."""
_REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


class KubernetesApi:
    """One cluster. Safe to use from several threads; keeps its connections between calls.

    `kind` is always a plural resource name out of `shared.clusters.resources.kinds()`; anything else is a ValueError. Every
    method raises, besides what it names itself:

        Unreachable: no answer, or the control plane is failing.
        Throttled: the API server asks to slow down.
        Forbidden: not signed in, or a right is missing; the message has the server's own sentence.
        InvalidRequest: a name or label that Kubernetes does not allow.
        Misconfigured: what answers is not a Kubernetes API.
    """

    def __init__(
        self,
        endpoint: str,
        ca_pem: str,
        tokens: TokenSource,
        *,
        name: str,
        sign_in_hint: str = "",
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`name` is how messages call the cluster; `sign_in_hint` says what to do when it refuses the token."""
        self._connection = Connection(endpoint, ca_pem, tokens, name=name, sleep=sleep)
        self._sign_in_hint = sign_in_hint
        self.access = Access(endpoint.rstrip("/"), ca_pem, tokens, name, sign_in_hint)

    @property
    def endpoint_failed(self) -> bool:
        """No connection could be made: the cluster may have moved or been created anew."""
        return self._connection.endpoint_failed

    def close(self) -> None:
        """Gives up the kept connections; a later call opens new ones."""
        self._connection.close()

    def list(self, kind: str, namespace: str, labels: Mapping[str, str]) -> ObjectList:
        """All objects that carry all the labels, and the resourceVersion from which a watch sees everything that follows.

        Raises:
            HistoryExpired: the list was so slow, twice, that the server forgot the snapshot it was paging through.
        """
        try:
            return self._list_pages(kind, namespace, labels)
        except HistoryExpired:
            return self._list_pages(kind, namespace, labels)

    def get(self, kind: str, namespace: str, name: str) -> KubernetesObject | None:
        """The object; None when there is none of that name."""
        path = object_path(kind, namespace, name)
        what = f"get {kind.removesuffix('s')} {namespace}/{name}"
        answer = self._connection.send(Request("GET", path, what))
        return None if _is_missing_object(answer) else self._document(what, answer)

    def watch(
        self, kind: str, namespace: str, labels: Mapping[str, str], resource_version: str, timeout_seconds: int
    ) -> WatchStream:
        """Everything that happens to the objects after `resource_version`, for `timeout_seconds`.

        Returns when the server has begun the stream. `WatchStream` says how it ends.

        Raises:
            HistoryExpired: the server no longer knows what followed the resourceVersion. It may say so later, in the stream.
        """
        query = _selection(labels) | {
            "watch": "true",
            "resourceVersion": resource_version,
            "timeoutSeconds": str(timeout_seconds),
            "allowWatchBookmarks": "true",
        }
        what = f"watch {kind} in namespace {namespace}"
        request = Request("GET", collection_path(kind, namespace), what, query)
        answer = self._connection.send(request, stream_seconds=timeout_seconds + WATCH_SLACK_SECONDS)
        if answer.stream is None:
            raise self._refused(what, refusal_of(answer.status, answer.headers, answer.body))
        return WatchStream(
            answer.stream,
            seconds=timeout_seconds,
            refused=lambda refusal: self._refused(what, refusal),
            broken=lambda error: self._connection.unreachable(what, error),
        )

    def patch(
        self,
        kind: str,
        namespace: str,
        name: str,
        patch: Patch,
        *,
        content_type: str,
        resource_version: str | None = None,
        field_manager: str = FIELD_MANAGER,
        subresource: str = "",
    ) -> KubernetesObject:
        """Changes one object and returns it as it is now; with `subresource` (`scale`), that view of it.

        `content_type` is one of those in `shared.clusters.patches`: the API has no default that suits every patch. With
        `resource_version` the patch is refused when the object has changed since. `field_manager` is the name under which the
        server records who set the fields.

        Not repeated when the answer was lost: then the change may or may not have been made (Unreachable), so look again.

        Raises:
            Conflict: the object has changed since `resource_version`; the message names who wrote last, if the server tells.
            NotReady: there is no such object.
            InvalidRequest: the server refuses the content, as of an immutable ConfigMap.
        """
        if (content_type == JSON_PATCH) == isinstance(patch, Mapping):
            raise ValueError(f"{content_type} does not describe a patch of type {type(patch).__name__}")
        path = object_path(kind, namespace, name) + (f"/{subresource}" if subresource else "")
        what = f"patch {kind.removesuffix('s')} {namespace}/{name}"
        body = guarded(patch, resource_version)
        request = Request("PATCH", path, what, {"fieldManager": field_manager}, body, content_type)
        answer = self._connection.send(request)
        if answer.status == HTTPStatus.CONFLICT:
            raise self._conflict(what, answer, self.get(kind, namespace, name))
        if _is_missing_object(answer):
            raise NotReady(
                f"{self._connection.name}: cannot {what}: it does not exist (any more).",
                hint="Bring it back with helm upgrade, then try again.",
            )
        return self._document(what, answer)

    def create(self, kind: str, namespace: str, document: KubernetesObject) -> KubernetesObject:
        """Makes an object, whose name the caller has chosen, and returns it; one that is there already is returned as it is, so
        a lost answer does no harm.

        Raises:
            NotReady: there is no such namespace.
            InvalidRequest: the server refuses the content.
        """
        name = document["metadata"]["name"]
        what = f"create {kind.removesuffix('s')} {namespace}/{name}"
        request = Request("POST", collection_path(kind, namespace), what, {"fieldManager": FIELD_MANAGER}, document)
        answer = self._connection.send(request)
        if answer.status == HTTPStatus.CONFLICT and (existing := self.get(kind, namespace, name)) is not None:
            return existing
        return self._document(what, answer)

    def delete(self, kind: str, namespace: str, name: str) -> None:
        """Deletes an object and, in the background, what it has made. One that is gone is gone."""
        what = f"delete {kind.removesuffix('s')} {namespace}/{name}"
        query = {"propagationPolicy": "Background"}
        answer = self._connection.send(Request("DELETE", object_path(kind, namespace, name), what, query))
        if not _is_missing_object(answer):
            self._document(what, answer)

    def pod_log(self, namespace: str, pod: str, lines: int) -> str:
        """The last lines that the pod's only container has written; none while the pod has no node (204).

        Raises:
            NotReady: there is no such pod, or its container waits to be started (400).
        """
        what = f"read the log of pod {namespace}/{pod}"
        request = Request("GET", f"{object_path('pods', namespace, pod)}/log", what, {"tailLines": str(lines)})
        answer = self._connection.send(request)
        if answer.status in (HTTPStatus.OK, HTTPStatus.NO_CONTENT):
            return answer.body.decode(errors="replace")
        if _is_missing_object(answer):
            raise NotReady(f"{self._connection.name}: cannot {what}: it does not exist (any more).")
        refusal = refusal_of(answer.status, answer.headers, answer.body)
        if answer.status == HTTPStatus.BAD_REQUEST:
            raise NotReady(
                f"{self._connection.name}: cannot {what}: {refusal.sentence} (HTTP 400).",
                hint=f"What a container waits for: kubectl -n {namespace} describe pod {pod}.",
            )
        raise self._refused(what, refusal)

    def can_i(self, verb: str, resource: str, namespace: str, *, name: str = "") -> bool:
        """Whether the caller has a right, without using it. `resource` may name a subresource: `pods/portforward`.

        `name` asks for one object; without it, for all of the namespace.
        """
        kind, _, subresource = resource.partition("/")
        attributes = {
            "verb": verb,
            "group": group_of(kind),
            "resource": kind,
            "subresource": subresource,
            "namespace": namespace,
            "name": name,
        }
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": {key: value for key, value in attributes.items() if value}},
        }
        document = self._fetch(Request("POST", _REVIEWS, "ask for its own rights", body=review))
        return bool(document.get("status", {}).get("allowed"))

    def server_version(self) -> str:
        """The version of the control plane, as in v1.33.1-eks-3abbec1."""
        return str(self._fetch(Request("GET", "/version", "read the version")).get("gitVersion", ""))

    def _list_pages(self, kind: str, namespace: str, labels: Mapping[str, str]) -> ObjectList:
        pages = [*self._pages(kind, namespace, labels)]
        items = tuple(item for page in pages for item in page.get("items") or ())
        return ObjectList(items=items, resource_version=pages[0]["metadata"]["resourceVersion"])

    def _pages(self, kind: str, namespace: str, labels: Mapping[str, str]) -> Iterator[dict[str, Any]]:
        """All pages show the snapshot that the first one was taken from; `continue` holds on to it."""
        query = _selection(labels) | {"limit": str(PAGE_SIZE)}
        path, what = collection_path(kind, namespace), f"list {kind} in namespace {namespace}"
        while True:
            page = self._fetch(Request("GET", path, what, query))
            metadata = page.get("metadata") or {}
            if "resourceVersion" not in metadata:
                raise self._not_kubernetes(what, "a list without a resourceVersion")
            yield page
            if not metadata.get("continue"):
                return
            query = query | {"continue": metadata["continue"]}

    def _fetch(self, request: Request) -> dict[str, Any]:
        return self._document(request.what, self._connection.send(request))

    def _document(self, what: str, answer: Answer) -> dict[str, Any]:
        if not HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES:
            raise self._refused(what, refusal_of(answer.status, answer.headers, answer.body))
        try:
            document = json.loads(answer.body)
        except ValueError as error:
            raise self._not_kubernetes(what, answer.body.decode(errors="replace")) from error
        if not isinstance(document, dict):
            raise self._not_kubernetes(what, str(document))
        return document

    def _refused(self, what: str, refusal: Refusal) -> BackupError:
        return error_for(refusal, self._connection.name, what, self._sign_in_hint)

    def _conflict(self, what: str, answer: Answer, current: KubernetesObject | None) -> Conflict:
        said = refusal_of(answer.status, answer.headers, answer.body).sentence
        owners = field_owners(current) if current else ()
        writer = str(owners[0]) if owners else "somebody else"
        return Conflict(
            f"{self._connection.name}: cannot {what}: it was changed in the meantime, last by {writer}: {said} (HTTP 409).",
            hint="Nothing was written. Let the other finish (helm, a GitOps controller, a person), then try again.",
        )

    def _not_kubernetes(self, what: str, seen: str) -> Misconfigured:
        message = f"{self._connection.name}: cannot {what}: the answer is not of the Kubernetes API: {cut(seen)}."
        return Misconfigured(message, hint=NOT_KUBERNETES_HINT)


def _selection(labels: Mapping[str, str]) -> dict[str, str]:
    return {"labelSelector": label_selector(labels)} if labels else {}


def _is_missing_object(answer: Answer) -> bool:
    """Not for a path that the server does not know, whose 404 is plain text: that is no Kubernetes API."""
    return answer.status == HTTPStatus.NOT_FOUND and b'"Status"' in answer.body
