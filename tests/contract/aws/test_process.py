"""The server as a process: start, stop, isolation, admin API."""

import base64
import json
import os
import signal
import urllib.request
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import pytest

from infra.sandbox.aws import process
from tests.contract.aws.conftest import ROOT, wait_until


def gone(pid: int) -> bool:
    """A process that nobody has waited for yet counts as gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


@pytest.fixture
def own_server(tmp_path: Path) -> Any:
    with process.start(ROOT, log_file=tmp_path / "log") as running:
        yield running


def start_function(running: Any) -> int:
    """Deploy and run one; returns the pid of its process."""
    running.client("iam").create_role(RoleName="r", AssumeRolePolicyDocument="{}")
    functions = running.client("lambda")
    functions.create_function(
        FunctionName="echo",
        Handler="tests.contract.aws.handlers.echo",
        Runtime="python3.13",
        Role="arn:aws:iam::123456789012:role/r",
        Code={"ZipFile": b"PK\x05\x06" + bytes(18)},
    )
    return int(json.load(functions.invoke(FunctionName="echo", Payload=b"{}")["Payload"])["pid"])


@pytest.mark.parametrize("end", [lambda running: running.close(), lambda running: os.kill(running.pid, signal.SIGKILL)])
def test_function_processes_end_with_the_server(own_server: Any, end: Callable[[Any], None]) -> None:
    pid = start_function(own_server)
    assert not gone(pid)
    end(own_server)
    wait_until(lambda: gone(pid), "the function's process to end")


def test_unsigned_get_answers_as_dynamodb_and_tells_its_time(aws: Any) -> None:
    aws.settings(dynamodb_skew_seconds=-7200)
    with urllib.request.urlopen(aws.url + "/", timeout=5) as response:
        assert response.status == 200
        assert response.read() == b"healthy: dynamodb.ap-northeast-1.amazonaws.com "
        skewed = response.headers["Date"]
    listed = aws.client("dynamodb").list_tables()["ResponseMetadata"]["HTTPHeaders"]["date"]
    assert skewed[:20] == listed[:20]
    there, here = parsedate_to_datetime(skewed).timestamp(), aws.scheduler_now().timestamp()
    assert there - here == pytest.approx(-7200, abs=5)


def test_a_presigned_caller_identity_names_the_role(aws: Any) -> None:
    role = aws.client("sts").assume_role(
        RoleArn="arn:aws:iam::123456789012:role/Window", RoleSessionName="scalar-backup-window"
    )["Credentials"]
    credentials = botocore.credentials.Credentials(role["AccessKeyId"], role["SecretAccessKey"], role["SessionToken"])
    url = f"{aws.url}/?Action=GetCallerIdentity&Version=2011-06-15"
    request = botocore.awsrequest.AWSRequest("GET", url, headers={"x-k8s-aws-id": "prod"})
    botocore.auth.SigV4QueryAuth(credentials, "sts", aws.region, expires=60).add_auth(request)
    with urllib.request.urlopen(request.url, timeout=5) as response:
        assert b"assumed-role/Window/scalar-backup-window" in response.read()


def test_an_eks_cluster_answers_with_the_registered_endpoint(aws: Any) -> None:
    aws.register_cluster("prod", "https://127.0.0.1:6443", "-----BEGIN CERTIFICATE-----")
    aws.register_cluster("prod", "https://127.0.0.1:7443", "-----BEGIN CERTIFICATE-----")
    cluster = aws.client("eks").describe_cluster(name="prod")["cluster"]
    assert (cluster["endpoint"], cluster["status"]) == ("https://127.0.0.1:7443", "ACTIVE")
    assert base64.b64decode(cluster["certificateAuthority"]["data"]).startswith(b"-----BEGIN")


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda aws: aws.settings(lagg_seconds=1), "Unknown setting 'lagg_seconds'. Known settings: .*lag_seconds"),
        (lambda aws: aws.settings(lag_seconds=-1), "must not be negative"),
        (lambda aws: aws.fault("dynamodb"), "needs a code"),
        (lambda aws: aws._admin("POST", "clock", {"scheduler_now": "2030-01-01T00:00:00"}), "must carry an offset"),
        (lambda aws: aws._admin("POST", "nothing", {}), "No POST /sandbox/nothing. There are: "),
    ],
)
def test_a_wrong_admin_call_says_what_is_right(aws: Any, call: Callable[[Any], Any], said: str) -> None:
    with pytest.raises(process.SandboxError, match=said):
        call(aws)


def test_a_reset_puts_settings_and_faults_back(aws: Any) -> None:
    aws.settings(lag_seconds=9)
    aws.fault("dynamodb", code="ThrottlingException")
    urllib.request.urlopen(urllib.request.Request(aws.url + "/moto-api/reset", method="POST"), timeout=5).close()
    assert aws.settings()["lag_seconds"] == 3
    assert aws.faults() == []


def test_a_server_that_does_not_start_says_why(aws: Any, tmp_path: Path) -> None:
    taken_port = int(aws.url.rpartition(":")[2])
    with pytest.raises(process.SandboxError, match="Address already in use"):
        process.start(ROOT, port=taken_port, log_file=tmp_path / "log")
