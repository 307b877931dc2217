"""The rights in infra/kubernetes/rbac.yaml are those that the code uses: none is missing, none is left over."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from shared.clusters.api import KubernetesApi
from shared.clusters.resources import group_of, kinds

ROOT = Path(__file__).parents[3]
RBAC = ROOT / "infra" / "kubernetes" / "rbac.yaml"
SCHEMA_REPAIR = ROOT / "infra" / "kubernetes" / "schema-repair.yaml"
VERBS = ("create", "delete", "get", "list", "watch", "patch")
READ_BY_A_BACKUP = {
    "pods": ("get", "list", "watch"),
    "services": ("list",),
    "configmaps": ("get",),
    "deployments": ("get", "list"),
    "replicasets": ("get", "list"),
}
API_GROUP = "rbac.authorization.k8s.io"


def documents(kind: str, file: Path = RBAC) -> dict[str, dict[str, Any]]:
    """By name."""
    every = yaml.safe_load_all(file.read_text())
    return {document["metadata"]["name"]: document for document in every if document["kind"] == kind}


def rights(rules: Iterable[dict[str, Any]]) -> set[tuple[str, str, str]]:
    combined = [itertools.product(rule["apiGroups"], rule["resources"], rule["verbs"]) for rule in rules]
    return {right for rights in combined for right in rights}


def granted(role: str, kind: str = "ClusterRole") -> set[tuple[str, str, str]]:
    return rights(documents(kind)[role]["rules"])


def calls_in_the_code() -> set[tuple[str, str]]:
    """(verb, kind) of each call such as `reader.list("pods", …)`."""
    found = set()
    for path in (ROOT / "shared").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Call(func=ast.Attribute(attr=verb), args=[ast.Constant(value=kind), _, *_], keywords=keywords) if (
                    verb in VERBS and kind in kinds()
                ):
                    named = {each.arg: each.value for each in keywords}
                    match named.get("subresource"):
                        case ast.Constant(value=subresource):
                            kind = f"{kind}/{subresource}"
                    found.add((verb, kind))
    return found


def with_group(calls: Iterable[tuple[str, str]]) -> set[tuple[str, str, str]]:
    return {(group_of(kind.partition("/")[0]), kind, verb) for verb, kind in calls}


def test_a_backup_may_read_what_it_looks_at_and_do_nothing_else() -> None:
    assert granted("scalar-backup") == with_group((verb, kind) for kind, verbs in READ_BY_A_BACKUP.items() for verb in verbs)


def test_a_restore_may_scale_annotate_and_see_its_rivals_on_top_of_that() -> None:
    assert granted("scalar-restore") == {
        ("apps", "deployments/scale", "patch"),
        ("apps", "deployments", "patch"),
        ("autoscaling", "horizontalpodautoscalers", "list"),
        ("keda.sh", "scaledobjects", "list"),
    }


def test_every_call_in_the_code_is_granted_and_nothing_of_the_restore_is_unused() -> None:
    calls = with_group(calls_in_the_code())
    assert ("", "pods", "list") in calls
    assert ("apps", "deployments/scale", "patch") in calls
    everything = granted("scalar-backup") | granted("scalar-restore") | granted("scalar-restore-endpoints", "Role")
    assert calls <= everything | granted_for_repairs()
    assert granted("scalar-restore") <= calls


def granted_for_repairs() -> set[tuple[str, str, str]]:
    return rights(documents("ClusterRole", SCHEMA_REPAIR)["scalar-schema-repair"]["rules"])


def test_jobs_may_be_made_only_where_somebody_has_granted_that_beside_everything_else() -> None:
    jobs = {right for right in with_group(calls_in_the_code()) if right[1] == "jobs"}
    assert granted_for_repairs() == jobs | {("", "pods/log", "get")}
    assert not any("jobs" in rule["resources"] for role in documents("ClusterRole").values() for rule in role["rules"])


def test_the_verbs_are_the_methods_of_the_api() -> None:
    assert all(callable(getattr(KubernetesApi, verb)) for verb in VERBS)


def test_objects_with_endpoints_and_passwords_are_granted_by_name_only() -> None:
    rules = documents("Role")["scalar-restore-endpoints"]["rules"]
    assert rights(rules) == {("", "configmaps", "patch"), ("", "secrets", "get"), ("", "secrets", "patch")}
    assert all(rule["resourceNames"] for rule in rules)
    assert not any("secrets" in rule["resources"] for role in documents("ClusterRole").values() for rule in role["rules"])


def test_the_rights_are_bound_to_the_groups_of_the_access_entries_inside_one_namespace() -> None:
    bindings = documents("RoleBinding")
    groups = {
        "scalar-backup": "scalar-backup",
        "scalar-restore": "scalar-restore",
        "scalar-restore-endpoints": "scalar-restore",
    }
    assert {name: binding["subjects"] for name, binding in bindings.items()} == {
        name: [{"apiGroup": API_GROUP, "kind": "Group", "name": group}] for name, group in groups.items()
    }
    for name, binding in bindings.items():
        assert binding["roleRef"]["name"] == name
        assert name in documents(binding["roleRef"]["kind"])
        assert binding["metadata"]["namespace"] == "scalar"
    assert "--kubernetes-groups scalar-backup scalar-restore" in RBAC.read_text()
