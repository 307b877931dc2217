"""infra/kubernetes/rbac.yaml as an operator applies it, whole or with one right taken out."""

from __future__ import annotations

import itertools
import time
from copy import deepcopy
from pathlib import Path
from typing import Any

import yaml

from shared.clusters.api import KubernetesApi
from tests.contract.live_cluster import NAMESPACE, SECRET, LiveCluster
from tests.contract.rbac.recorder import Right

_RBAC = Path(__file__).parents[3] / "infra" / "kubernetes" / "rbac.yaml"
_FOLLOWS_WITHIN_SECONDS = 10.0


def documents(cluster: LiveCluster) -> list[dict[str, Any]]:
    """With the names of the release's objects where the file asks for them."""
    text = _RBAC.read_text()
    for placeholder, name in (
        ("NAME-OF-THE-CONFIGMAP-WITH-THE-PROPERTIES", cluster.config_map),
        ("NAME-OF-THE-SECRET-WITH-THE-CREDENTIALS", SECRET),
    ):
        assert placeholder in text
        text = text.replace(placeholder, name)
    return [*yaml.safe_load_all(text)]


def rights(every: list[dict[str, Any]], *roles: str) -> set[Right]:
    rules = [rule for document in every for rule in _rules(document, roles)]
    combined = [itertools.product(rule["apiGroups"], rule["resources"], rule["verbs"]) for rule in rules]
    return {right for each in combined for right in each}


def without(every: list[dict[str, Any]], right: Right, *roles: str) -> list[dict[str, Any]]:
    """The same documents, with one right taken out of the roles; the other rights of its rule stay."""
    group, resource, verb = right
    changed = deepcopy(every)
    for document in changed:
        if not _rules(document, roles):
            continue
        rules: list[dict[str, Any]] = []
        for rule in document["rules"]:
            if group in rule["apiGroups"] and resource in rule["resources"]:
                rules.append({**rule, "resources": [each for each in rule["resources"] if each != resource]})
                rules.append({**rule, "resources": [resource], "verbs": [each for each in rule["verbs"] if each != verb]})
            else:
                rules.append(rule)
        document["rules"] = [rule for rule in rules if rule["resources"] and rule["verbs"]]
    return changed


def apply(cluster: LiveCluster, every: list[dict[str, Any]], right: Right, api: KubernetesApi, *, granted: bool) -> None:
    """Applies the file and waits until `right` is there or gone: a real API server reads its roles from a cache."""
    cluster.admin.apply(every)
    group, resource, verb = right
    name = {"configmaps": cluster.config_map, "secrets": SECRET}.get(resource, "") if verb in ("get", "patch") else ""
    ends = time.monotonic() + _FOLLOWS_WITHIN_SECONDS
    while api.can_i(verb, resource, NAMESPACE, name=name) is not granted:
        assert time.monotonic() < ends, (
            f"{verb} {resource} in group {group!r} is not {granted} after {_FOLLOWS_WITHIN_SECONDS} s"
        )
        time.sleep(0.02)


def _rules(document: dict[str, Any], roles: tuple[str, ...]) -> list[dict[str, Any]]:
    return document["rules"] if document["kind"].endswith("Role") and document["metadata"]["name"] in roles else []
