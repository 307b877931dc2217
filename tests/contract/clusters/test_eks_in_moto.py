"""`open_eks` against the EKS API of moto: the names of fields and errors are AWS's own."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from moto import mock_aws
from moto.core import DEFAULT_ACCOUNT_ID
from moto.eks.models import eks_backends

from shared.clusters.eks import EksClusters, open_eks
from shared.model.errors import NotReady
from shared.model.plan import EksCluster
from tests.contract.clusters.odd_server import odd_server

REGION = "ap-northeast-1"
CLUSTER = EksCluster(name="prod-tokyo", region=REGION)


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> Iterator[boto3.session.Session]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "key")
    with mock_aws():
        yield boto3.session.Session(region_name=REGION)


def create_cluster(session: boto3.session.Session, endpoint: str, ca_pem: str) -> None:
    network = {"subnetIds": [], "securityGroupIds": []}
    session.client("eks").create_cluster(
        name=CLUSTER.name, roleArn="arn:aws:iam::123456789012:role/eks", resourcesVpcConfig=network
    )
    # moto makes up an endpoint where nobody listens and a CA that is no certificate.
    made = eks_backends[DEFAULT_ACCOUNT_ID][REGION].clusters[CLUSTER.name]
    made.endpoint, made.certificateAuthority = endpoint, {"data": base64.b64encode(ca_pem.encode()).decode()}


def test_a_described_cluster_is_reached_at_its_endpoint_with_its_ca_and_a_token_for_it(
    session: boto3.session.Session, tmp_path: Path
) -> None:
    with odd_server(tmp_path, lambda call: call.answer(200, {"gitVersion": "v1.33.1"})) as server:
        create_cluster(session, server.url, server.ca_pem)
        api = EksClusters(session)(CLUSTER)
        assert api.server_version() == "v1.33.1"
        api.close()
    token = server.calls[0].headers["Authorization"].removeprefix("Bearer k8s-aws-v1.")
    url = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode()
    assert url.startswith("https://sts.ap-northeast-1.amazonaws.com/?Action=GetCallerIdentity")


def test_the_sts_host_in_the_token_stays_the_real_one_when_other_calls_are_redirected(
    session: boto3.session.Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:9")
    with odd_server(tmp_path, lambda call: call.answer(200, {})) as server:
        create_cluster(session, server.url, server.ca_pem)
        api = open_eks(CLUSTER, session)
        api.server_version()
        api.close()
    token = server.calls[0].headers["Authorization"].removeprefix("Bearer k8s-aws-v1.")
    assert base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).startswith(b"https://sts.ap-northeast-1.amazonaws.com/")


def test_a_cluster_that_does_not_exist_is_not_ready(session: boto3.session.Session) -> None:
    with pytest.raises(NotReady, match=r"prod-tokyo.*ResourceNotFoundException"):
        open_eks(CLUSTER, session)
