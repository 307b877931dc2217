"""How a Deployment replaces pods: which ReplicaSet has the new template, and how many replicas each may have now.

Pure decisions, after https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#strategy.
"""

from __future__ import annotations

import copy
import hashlib
import json
import math
from collections.abc import Sequence

from infra.sandbox.cluster.api.objects import NAME_ALPHABET
from infra.sandbox.cluster.informer import Document

HASH_LABEL = "pod-template-hash"
REVISION = "deployment.kubernetes.io/revision"


def template_hash(template: Document) -> str:
    """Ten characters that name a pod template; the same template always has the same."""
    digest = hashlib.sha256(json.dumps(template, sort_keys=True).encode()).digest()
    return "".join(NAME_ALPHABET[byte % len(NAME_ALPHABET)] for byte in digest[:10])


def has_template(replica_set: Document, template: Document) -> bool:
    own = copy.deepcopy(replica_set["spec"]["template"])
    own.get("metadata", {}).get("labels", {}).pop(HASH_LABEL, None)
    return bool(own == template)


def revision(replica_set: Document) -> int:
    return int((replica_set["metadata"].get("annotations") or {}).get(REVISION, 0))


def wanted_replicas(deployment: Document, new: Document, old: Sequence[Document]) -> dict[str, int]:
    """The replicas that each ReplicaSet should be given next, by name; all of them are listed."""
    replicas = {each["metadata"]["name"]: each["spec"]["replicas"] for each in [new, *old]}
    if deployment["spec"]["strategy"]["type"] == "Recreate":
        return replicas | _recreated(deployment, new, old)
    surge, _ = _limits(deployment)
    replicas[new["metadata"]["name"]] = _grown(deployment["spec"]["replicas"], surge, new, replicas)
    return replicas | _shrunk(must_be_available(deployment), new, old, replicas)


def must_be_available(deployment: Document) -> int:
    """How many pods have to serve at any time, also in the middle of a rollout."""
    desired: int = deployment["spec"]["replicas"]
    if deployment["spec"]["strategy"]["type"] == "Recreate":
        return desired
    return max(0, desired - _limits(deployment)[1])


def _recreated(deployment: Document, new: Document, old: Sequence[Document]) -> dict[str, int]:
    """Old pods end before the first new one begins."""
    stopping = {each["metadata"]["name"]: 0 for each in old}
    if any(each["status"].get("replicas", 0) for each in old):
        return stopping
    return {**stopping, new["metadata"]["name"]: deployment["spec"]["replicas"]}


def _grown(desired: int, surge: int, new: Document, replicas: dict[str, int]) -> int:
    present = new["spec"]["replicas"]
    room = desired + surge - sum(replicas.values())
    return desired if present >= desired else min(desired, present + max(0, room))


def _shrunk(minimum: int, new: Document, old: Sequence[Document], replicas: dict[str, int]) -> dict[str, int]:
    """Takes old replicas away, those that are not available first, without going below what must be available."""
    result = {each["metadata"]["name"]: each["spec"]["replicas"] for each in old}
    new_available = min(_available(new), replicas[new["metadata"]["name"]])
    new_unavailable = replicas[new["metadata"]["name"]] - new_available
    removable = sum(replicas.values()) - minimum - new_unavailable
    for each in old:
        name = each["metadata"]["name"]
        taken = max(0, min(removable, result[name] - _available(each)))
        result[name] -= taken
        removable -= taken
    surplus = new_available + sum(min(_available(each), result[each["metadata"]["name"]]) for each in old)
    surplus -= minimum
    for each in old:
        name = each["metadata"]["name"]
        taken = max(0, min(surplus, result[name]))
        result[name] -= taken
        surplus -= taken
    return result


def _available(replica_set: Document) -> int:
    return int(replica_set["status"].get("availableReplicas", 0))


def _limits(deployment: Document) -> tuple[int, int]:
    """maxSurge (a percentage is rounded up) and maxUnavailable (rounded down); not both may be 0."""
    rolling, desired = deployment["spec"]["strategy"]["rollingUpdate"], deployment["spec"]["replicas"]
    surge = math.ceil(_share(rolling["maxSurge"], desired))
    unavailable = math.floor(_share(rolling["maxUnavailable"], desired))
    return (surge, unavailable) if surge or unavailable else (0, 1)


def _share(value: int | str, desired: int) -> float:
    return value if isinstance(value, int) else int(value.removesuffix("%")) * desired / 100
