"""Signing in as on EKS: which tokens count, whom they stand for, and that rights still come from RBAC."""

from __future__ import annotations

import base64
import itertools
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from unittest import mock

import pytest
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from infra.sandbox.cluster import process
from infra.sandbox.cluster.api.resources import PODS
from infra.sandbox.cluster.client import ClusterClient

ACCOUNT = "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/BackupFunction"
_numbers = itertools.count()
STS_HOST = "https://sts.ap-northeast-1.amazonaws.com/"


@dataclass
class Sts:
    """An STS that knows who signed by the access key id, and keeps what it was asked."""

    url: str = ""
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    status: int = 200


@pytest.fixture(scope="module")
def sts() -> Iterator[Sts]:
    service = Sts()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            service.requests.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
            role = "UnknownRole" if "AKIASTRANGER" in self.path else "BackupFunction"
            arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/session-1"
            namespace = "https://sts.amazonaws.com/doc/2011-06-15/"
            result = f"<GetCallerIdentityResult><Arn>{arn}</Arn></GetCallerIdentityResult>"
            body = f'<GetCallerIdentityResponse xmlns="{namespace}">{result}</GetCallerIdentityResponse>'.encode()
            self.send_response(service.status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    service.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield service
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def eks(sts: Sts) -> Iterator[process.RunningCluster]:
    with process.start("prod-tokyo", sts.url, api_only=True) as cluster:
        admin = ClusterClient(cluster.url, cluster.ca_pem, cluster.admin_token)
        admin.grant_access(f"arn:aws:iam::{ACCOUNT}:role/service/BackupFunction", "scalar-backup")
        api = "rbac.authorization.k8s.io"
        rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}]
        role = {"apiVersion": f"{api}/v1", "kind": "Role", "metadata": {"name": "r", "namespace": "default"}, "rules": rules}
        binding = {
            "apiVersion": f"{api}/v1",
            "kind": "RoleBinding",
            "metadata": {"name": "r", "namespace": "default"},
            "roleRef": {"apiGroup": api, "kind": "Role", "name": "r"},
            "subjects": [{"kind": "Group", "name": "scalar-backup"}],
        }
        admin.apply([role, binding])
        admin.close()
        yield cluster


def _token(
    *,
    cluster: str = "prod-tokyo",
    key: str = "AKIABACKUP",
    age: timedelta = timedelta(),
    host: str = STS_HOST,
    action: str = "GetCallerIdentity",
    header: str = "x-k8s-aws-id",
) -> str:
    request = AWSRequest("GET", host, params={"Action": action, "Version": "2011-06-15"}, headers={header: cluster})
    signed_at = (datetime.now(UTC) - age).replace(tzinfo=None)
    session = f"session-{next(_numbers)}"  # no two tokens are the same, so none is answered from the cache by chance
    with mock.patch("botocore.auth.get_current_datetime", return_value=signed_at):
        SigV4QueryAuth(Credentials(key, "secret", session), "sts", "ap-northeast-1", expires=60).add_auth(request)
    return _encoded(request.prepare().url)


def _encoded(url: str) -> str:
    return "k8s-aws-v1." + base64.urlsafe_b64encode(url.encode()).decode().rstrip("=")


def _list_pods(eks: process.RunningCluster, token: str, namespace: str = "default") -> tuple[int, str]:
    client = ClusterClient(eks.url, eks.ca_pem, token)
    answer = client.send("GET", PODS.path(namespace))
    client.close()
    return answer.status, answer.body.get("message", "")


def test_a_role_with_an_access_entry_has_the_rights_of_its_group(eks: process.RunningCluster) -> None:
    assert _list_pods(eks, _token())[0] == 200


def test_rights_end_where_the_groups_role_ends(eks: process.RunningCluster) -> None:
    status, message = _list_pods(eks, _token(), "kube-system")
    assert status == 403
    assert f'User "arn:aws:sts::{ACCOUNT}:assumed-role/BackupFunction/session-1" cannot list' in message


def test_sts_is_asked_with_the_signers_own_query_and_this_clusters_name(eks: process.RunningCluster, sts: Sts) -> None:
    token = _token()
    _list_pods(eks, token)
    url = base64.urlsafe_b64decode(token.removeprefix("k8s-aws-v1.") + "==").decode()
    path, headers = sts.requests[-1]
    assert path == "/?" + url.partition("?")[2]
    assert headers["x-k8s-aws-id"] == "prod-tokyo"
    assert headers["host"] == "sts.ap-northeast-1.amazonaws.com"


def test_a_token_is_verified_once_within_its_short_cache_time(eks: process.RunningCluster, sts: Sts) -> None:
    token = _token()
    before = len(sts.requests)
    for _ in range(3):
        assert _list_pods(eks, token)[0] == 200
    assert len(sts.requests) == before + 1


def test_a_role_without_an_access_entry_is_401(eks: process.RunningCluster) -> None:
    assert _list_pods(eks, _token(key="AKIASTRANGER"))[0] == 401


def test_a_signature_that_sts_refuses_is_401(eks: process.RunningCluster, sts: Sts) -> None:
    sts.status = 403
    assert _list_pods(eks, _token())[0] == 401
    sts.status = 200


@pytest.mark.parametrize(
    ("why", "token"),
    [
        ("older than 15 minutes", _token(age=timedelta(minutes=15, seconds=5))),
        ("signed in the future", _token(age=timedelta(hours=-1))),
        ("no cluster among the signed headers", _token(header="x-other")),
        ("another host", _token(host="https://sts.example.com/")),
        ("a host that only begins like STS", _token(host="https://sts.amazonaws.com.example.com/")),
        ("no TLS", _token(host="http://sts.amazonaws.com/")),
        ("another action", _token(action="GetSessionToken")),
        ("no URL", "k8s-aws-v1.AAAA"),
        ("no base64url", "k8s-aws-v1.§§§"),
        ("no query", _encoded(STS_HOST)),
        ("too long", _encoded(STS_HOST + "?" + 5000 * "x")),
        ("another prefix", "k8s-aws-v2." + _token().partition(".")[2]),
    ],
)
def test_a_token_that_is_not_a_fresh_presigned_identity_is_401_without_asking_sts(
    eks: process.RunningCluster, sts: Sts, why: str, token: str
) -> None:
    before = len(sts.requests)
    assert _list_pods(eks, token.encode("ascii", "ignore").decode())[0] == 401, why
    assert len(sts.requests) == before


def test_a_token_made_for_another_cluster_reaches_sts_under_this_clusters_name(eks: process.RunningCluster, sts: Sts) -> None:
    _list_pods(eks, _token(cluster="staging"))
    # The signature covers "staging", so a real STS refuses the request that names another cluster.
    assert sts.requests[-1][1]["x-k8s-aws-id"] == "prod-tokyo"
