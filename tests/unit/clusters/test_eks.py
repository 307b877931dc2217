"""Finding and signing in to EKS clusters: the token's form and life, and what goes wrong before a cluster is reached."""

from __future__ import annotations

import base64
import threading
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import botocore.auth
import botocore.session
import pytest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError, ConnectTimeoutError, CredentialRetrievalError
from botocore.signers import RequestSigner

from shared.clusters.eks import EksClusters, dns_suffix, open_eks
from shared.clusters.eks_token import MAX_AGE_SECONDS, EksTokens, signed_token
from shared.model.errors import BackupError, Forbidden, Misconfigured, NotReady, Throttled, Unreachable
from shared.model.plan import EksCluster

REGION = "ap-northeast-1"
CLUSTER = EksCluster(name="prod-tokyo", region=REGION)
STS_HOST = f"sts.{REGION}.amazonaws.com"
CREDENTIALS = Credentials("AKIDEXAMPLE", "secret/key", "session/token==")
CA_PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"


def url_in(token: str) -> str:
    encoded = token.removeprefix("k8s-aws-v1.")
    return base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode()


def token_of_the_aws_command_line() -> str:
    """The way of `aws eks get-token`: an STS client's signer."""
    session = botocore.session.Session()
    sts = session.create_client("sts", region_name=REGION, aws_access_key_id="x", aws_secret_access_key="x")
    signer = RequestSigner(
        sts.meta.service_model.service_id, REGION, "sts", "v4", CREDENTIALS, session.get_component("event_emitter")
    )
    request = {
        "method": "GET",
        "url": f"https://{STS_HOST}/?Action=GetCallerIdentity&Version=2011-06-15",
        "body": {},
        "headers": {"x-k8s-aws-id": "prod-tokyo"},
        "context": {},
    }
    url = signer.generate_presigned_url(request, region_name=REGION, expires_in=60, operation_name="")
    return "k8s-aws-v1." + base64.urlsafe_b64encode(url.encode()).decode().rstrip("=")


def test_the_token_is_the_one_that_the_aws_command_line_makes(monkeypatch: pytest.MonkeyPatch) -> None:
    moment = datetime(2026, 11, 24, 3, 0, 14, tzinfo=UTC)
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda *_, **__: moment)
    ours = signed_token("prod-tokyo", REGION, STS_HOST, CREDENTIALS.get_frozen_credentials())
    assert ours == token_of_the_aws_command_line()


def test_the_token_is_bound_to_the_cluster_and_carries_temporary_credentials() -> None:
    token = signed_token("prod-tokyo", REGION, STS_HOST, CREDENTIALS.get_frozen_credentials())
    url = urlsplit(url_in(token))
    query = parse_qs(url.query)
    assert "=" not in token
    assert url.netloc == STS_HOST
    assert query["Action"] == ["GetCallerIdentity"]
    assert query["X-Amz-SignedHeaders"] == ["host;x-k8s-aws-id"]
    assert query["X-Amz-Security-Token"] == ["session/token=="]
    assert "secret/key" not in url.query


class RotatingCredentials:
    """As a role's: another session at each look."""

    def __init__(self) -> None:
        self.looks = 0

    def get_frozen_credentials(self) -> Any:
        self.looks += 1
        return Credentials("AKIDEXAMPLE", "key", f"session-{self.looks}").get_frozen_credentials()


class Wall:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def session_of(token: str) -> str:
    return parse_qs(urlsplit(url_in(token)).query)["X-Amz-Security-Token"][0]


def rotating_tokens(wall: Wall) -> EksTokens:
    return EksTokens("prod-tokyo", REGION, STS_HOST, RotatingCredentials(), wall_clock=wall)  # type: ignore[arg-type]


@pytest.mark.parametrize(("seconds", "session"), [(0, 1), (MAX_AGE_SECONDS, 1), (MAX_AGE_SECONDS + 1, 2), (-1, 2)])
def test_a_token_is_kept_for_ten_minutes_and_the_next_uses_the_credentials_of_then(seconds: float, session: int) -> None:
    wall = Wall()
    tokens = rotating_tokens(wall)
    tokens.token()
    wall.now += seconds
    assert session_of(tokens.token()) == f"session-{session}"


def test_a_refused_token_is_replaced_at_once_but_only_once_for_all_threads() -> None:
    tokens = rotating_tokens(Wall())
    refused = tokens.token()
    assert session_of(tokens.renewed(refused)) == "session-2"
    assert session_of(tokens.renewed(refused)) == "session-2"


def test_credentials_that_cannot_be_read_are_named() -> None:
    class Broken:
        def get_frozen_credentials(self) -> Any:
            raise CredentialRetrievalError(provider="assume-role", error_msg="no such role")

    tokens = EksTokens("prod-tokyo", REGION, STS_HOST, Broken())  # type: ignore[arg-type]
    with pytest.raises(Misconfigured, match=r"prod-tokyo.*no such role"):
        tokens.token()


@pytest.mark.parametrize(
    ("partition", "suffix"), [("aws", "amazonaws.com"), ("aws-cn", "amazonaws.com.cn"), ("aws-us-gov", "amazonaws.com")]
)
def test_the_sts_host_has_the_domain_of_the_partition(partition: str, suffix: str) -> None:
    assert dns_suffix(partition) == suffix


class FakeSession:
    """A boto3 session whose EKS client gives the answers in turn, the last one again and again."""

    def __init__(self, *answers: dict[str, Any] | Exception, credentials: Credentials | None = CREDENTIALS) -> None:
        self.answers = list(answers)
        self.described: list[str] = []
        self.credentials = credentials
        self.clients: list[tuple[str, Any]] = []

    def get_credentials(self) -> Credentials | None:
        return self.credentials

    def client(self, service: str, *, region_name: str, config: Any) -> Any:
        self.clients.append((region_name, config))
        session = self

        class Client:
            class meta:  # noqa: N801 - botocore's name
                partition = "aws"

            @staticmethod
            def describe_cluster(name: str) -> dict[str, Any]:
                session.described.append(name)
                answer = session.answers.pop(0) if len(session.answers) > 1 else session.answers[0]
                if isinstance(answer, Exception):
                    raise answer
                return {"cluster": answer}

        return Client()


def described(endpoint: str | None = "https://127.0.0.1:9", status: str = "ACTIVE", ca: str | None = None) -> dict[str, Any]:
    data = base64.b64encode(CA_PEM.encode()).decode() if ca is None else ca
    found: dict[str, Any] = {"name": "prod-tokyo", "status": status, "certificateAuthority": {"data": data}}
    return found | ({"endpoint": endpoint} if endpoint else {})


def refusal(code: str, status: int = 400) -> ClientError:
    return ClientError(
        {"Error": {"Code": code, "Message": "AWS says no"}, "ResponseMetadata": {"HTTPStatusCode": status}}, "DescribeCluster"
    )


@pytest.mark.parametrize(
    ("code", "status", "expected"),
    [
        ("ResourceNotFoundException", 404, NotReady),
        ("AccessDeniedException", 403, Forbidden),
        ("ExpiredTokenException", 403, Forbidden),
        ("ThrottlingException", 429, Throttled),
        ("ServerException", 500, Unreachable),
        ("SomethingNew", 503, Unreachable),
        ("ClientException", 400, Misconfigured),
    ],
)
def test_each_refusal_of_eks_names_the_cluster_the_code_and_a_remedy(
    code: str, status: int, expected: type[BackupError]
) -> None:
    with pytest.raises(BackupError) as caught:
        open_eks(CLUSTER, FakeSession(refusal(code, status)))
    assert type(caught.value) is expected
    assert caught.value.message == (
        f"EKS cluster prod-tokyo (ap-northeast-1): Amazon EKS cannot describe the cluster: AWS says no ({code})."
    )
    assert caught.value.hint


def test_an_unreachable_eks_api_points_to_the_vpc_endpoint() -> None:
    timed_out = ConnectTimeoutError(endpoint_url="https://eks.ap-northeast-1.amazonaws.com")
    with pytest.raises(Unreachable, match=r"com\.amazonaws\.ap-northeast-1\.eks"):
        open_eks(CLUSTER, FakeSession(timed_out))


def test_missing_credentials_are_misconfigured() -> None:
    with pytest.raises(Misconfigured, match="no AWS credentials"):
        open_eks(CLUSTER, FakeSession(described(), credentials=None))


@pytest.mark.parametrize(
    "description", [described(endpoint=None, status="CREATING"), described(status="DELETING"), described(ca="")]
)
def test_a_cluster_without_a_usable_endpoint_is_not_ready(description: dict[str, Any]) -> None:
    with pytest.raises(NotReady, match=f"the cluster is {description['status']}"):
        open_eks(CLUSTER, FakeSession(description))


def test_a_ca_that_is_not_base64_is_misconfigured() -> None:
    with pytest.raises(Misconfigured, match="CA"):
        open_eks(CLUSTER, FakeSession(described(ca="*not base64*")))


def test_eks_is_asked_in_the_clusters_region_with_short_time_outs() -> None:
    session = FakeSession(described())
    open_eks(CLUSTER, session)
    ((region, config),) = session.clients
    assert region == REGION
    assert (config.connect_timeout, config.read_timeout) == (3.0, 10.0)


def test_a_botocore_session_will_do_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setattr("shared.clusters.eks.TRIES", 1)
    session = botocore.session.Session()
    session.set_credentials("AKIDEXAMPLE", "key")
    with pytest.raises(Unreachable, match=r"127\.0\.0\.1:9"):
        open_eks(CLUSTER, session)


def test_a_cluster_is_described_once_per_process_also_by_many_threads() -> None:
    session = FakeSession(described())
    open_cluster = EksClusters(session)
    opened: list[Any] = []
    threads = [threading.Thread(target=lambda: opened.append(open_cluster(CLUSTER))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert session.described == ["prod-tokyo"]
    assert len({id(api) for api in opened}) == 1


def test_clusters_of_one_name_in_two_regions_are_two() -> None:
    open_cluster = EksClusters(FakeSession(described()))
    assert open_cluster(CLUSTER) is not open_cluster(EksCluster(name="prod-tokyo", region="us-east-1"))


def test_a_cluster_whose_endpoint_fails_is_described_again() -> None:
    session = FakeSession(described("https://127.0.0.1:9"), described("https://127.0.0.2:9"))
    open_cluster = EksClusters(session)
    first = open_cluster(CLUSTER)
    with pytest.raises(Unreachable, match=r"127\.0\.0\.1:9"):
        first.server_version()
    assert open_cluster(CLUSTER) is not first
    with pytest.raises(Unreachable, match=r"127\.0\.0\.2:9"):
        open_cluster(CLUSTER).server_version()


def test_a_cluster_that_could_not_be_described_is_tried_again_at_the_next_call() -> None:
    session = FakeSession(refusal("ThrottlingException"), described())
    open_cluster = EksClusters(session)
    with pytest.raises(Throttled):
        open_cluster(CLUSTER)
    assert open_cluster(CLUSTER) is open_cluster(CLUSTER)
