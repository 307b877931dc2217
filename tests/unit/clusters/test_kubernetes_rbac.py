"""The rights in infra/kubernetes/rbac.yaml are those that the code uses: none is missing, none is left over."""

from __future__ import annotations

import ast
import itertools
from pathlib import Path
from typing import Any

import yaml

from shared.clusters.api import KubernetesApi
from shared.clusters.resources import group_of, kinds

ROOT = Path(__file__).parents[3]
RBAC = ROOT / "infra" / "kubernetes" / "rbac.yaml"
VERBS = ("get", "list", "watch")


def documents() -> dict[str, dict[str, Any]]:
    return {document["kind"]: document for document in yaml.safe_load_all(RBAC.read_text())}


def granted() -> set[tuple[str, str, str]]:
    rules = documents()["ClusterRole"]["rules"]
    combined = [itertools.product(rule["apiGroups"], rule["resources"], rule["verbs"]) for rule in rules]
    return {right for rights in combined for right in rights}


def calls_in_the_code() -> set[tuple[str, str]]:
    """(verb, kind) of each call such as `reader.list("pods", …)`."""
    found = set()
    for path in (ROOT / "shared").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Call(func=ast.Attribute(attr=verb), args=[ast.Constant(value=kind), _, *_]) if (
                    verb in VERBS and kind in kinds()
                ):
                    found.add((verb, kind))
    return found


def test_every_kind_that_can_be_read_may_be_read_except_secrets_and_nothing_else_is_granted() -> None:
    assert granted() == {(group_of(kind), kind, verb) for kind in kinds() if kind != "secrets" for verb in VERBS}


def test_every_call_in_the_code_is_granted() -> None:
    calls = calls_in_the_code()
    assert ("list", "pods") in calls
    assert {(group_of(kind), kind, verb) for verb, kind in calls} <= granted()


def test_the_verbs_are_the_methods_of_the_api() -> None:
    assert all(callable(getattr(KubernetesApi, verb)) for verb in VERBS)


def test_the_rights_are_bound_to_the_group_of_the_access_entry_inside_one_namespace() -> None:
    assert set(documents()) == {"ClusterRole", "RoleBinding"}
    binding = documents()["RoleBinding"]
    assert binding["metadata"]["namespace"]
    assert binding["subjects"] == [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "scalar-backup"}]
    assert binding["roleRef"]["name"] == documents()["ClusterRole"]["metadata"]["name"]
    assert "--kubernetes-groups scalar-backup" in RBAC.read_text()
