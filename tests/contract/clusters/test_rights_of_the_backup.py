"""infra/kubernetes/rbac.yaml on API servers: it can be applied, lets the backup read what it reads, and nothing more."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from botocore.credentials import Credentials

from infra.sandbox.cluster.client import KubernetesError
from shared.clusters.api import KubernetesApi
from shared.clusters.eks_token import EksTokens
from shared.model.errors import Forbidden
from tests.contract.clusters.conftest import CLUSTER_NAME, Kube
from tests.contract.clusters.fake_sts import SECRET_KEY

RBAC = Path(__file__).parents[3] / "infra" / "kubernetes" / "rbac.yaml"
REGION = "ap-northeast-1"
ROLE_ARN = "arn:aws:iam::123456789012:role/scalar-backup-check"
READS = {
    "pods": ("get", "list", "watch"),
    "services": ("list",),
    "configmaps": ("get",),
    "deployments": ("get", "list"),
    "replicasets": ("get", "list"),
}


def rbac_for(namespace: str) -> list[dict[str, Any]]:
    documents = [*yaml.safe_load_all(RBAC.read_text())]
    for document in documents:
        if "namespace" in document["metadata"]:
            document["metadata"]["namespace"] = namespace
    return documents


def signed_in(sandbox: Kube, session: str, cluster: str = CLUSTER_NAME) -> KubernetesApi:
    """As the functions sign in: with an EKS token made from a role's session."""
    credentials = Credentials("AKIDEXAMPLE", SECRET_KEY, session)
    return sandbox.api_with(EksTokens(cluster, REGION, f"sts.{REGION}.amazonaws.com", credentials))


@pytest.fixture
def backup(sandbox: Kube, sts_arns: dict[str, str]) -> KubernetesApi:
    sandbox.admin.apply(rbac_for(sandbox.namespace))
    sandbox.admin.grant_access(ROLE_ARN, "scalar-backup")
    sts_arns["session-of-backup"] = "arn:aws:sts::123456789012:assumed-role/scalar-backup-check/lambda"
    return signed_in(sandbox, "session-of-backup")


def test_a_member_of_the_group_may_do_exactly_what_the_file_says(kube: Kube) -> None:
    kube.admin.apply(rbac_for(kube.namespace))
    member = kube.admin.acting_as("anyone", "scalar-backup")
    group_of = {"deployments": "/apis/apps/v1", "replicasets": "/apis/apps/v1"}
    for kind, verbs in READS.items():
        path = f"{group_of.get(kind, '/api/v1')}/namespaces/{kube.namespace}/{kind}"
        for verb, where in (("list", path), ("get", f"{path}/a")):
            assert (member.send("GET", where).status != 403) is (verb in verbs), f"{verb} {kind}"
        with pytest.raises(KubernetesError, match="forbidden"):
            member.call("DELETE", f"{path}/a")
    with pytest.raises(KubernetesError, match="forbidden"):
        member.call("GET", f"/api/v1/namespaces/{kube.namespace}/secrets")


def test_the_backup_signs_in_with_its_role_and_reads_lists_and_watches(sandbox: Kube, backup: KubernetesApi) -> None:
    version = backup.list("pods", sandbox.namespace, {}).resource_version
    assert backup.get("configmaps", sandbox.namespace, "a") is None
    backup.watch("pods", sandbox.namespace, {}, version, 30).close()
    for kind in READS:
        may = tuple(verb for verb in ("get", "list", "watch") if backup.can_i(verb, kind, sandbox.namespace))
        assert may == READS[kind]


def test_the_backup_may_not_read_secrets_change_anything_or_look_elsewhere(sandbox: Kube, backup: KubernetesApi) -> None:
    with pytest.raises(Forbidden, match=r'cannot list resource "secrets".*infra/kubernetes/rbac\.yaml'):
        backup.list("secrets", sandbox.namespace, {})
    with pytest.raises(Forbidden, match='in the namespace "default"'):
        backup.list("pods", "default", {})
    for verb in ("create", "update", "patch", "delete"):
        assert not any(backup.can_i(verb, kind, sandbox.namespace) for kind in READS)
    assert not backup.can_i("get", "pods/portforward", sandbox.namespace)


def test_a_role_without_an_access_entry_is_told_how_to_get_one(sandbox: Kube, sts_arns: dict[str, str]) -> None:
    sts_arns["session-of-stranger"] = "arn:aws:sts::123456789012:assumed-role/stranger/lambda"
    with pytest.raises(Forbidden, match=r"does not know who asks: Unauthorized \(401\)\. Sign in\."):
        signed_in(sandbox, "session-of-stranger").list("pods", sandbox.namespace, {})


@pytest.mark.usefixtures("backup")
def test_a_token_signed_for_another_cluster_does_not_open_this_one(sandbox: Kube) -> None:
    with pytest.raises(Forbidden, match="401"):
        signed_in(sandbox, "session-of-backup", cluster="staging").list("pods", sandbox.namespace, {})
