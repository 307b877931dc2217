"""Starts the sandbox's AWS in a process of its own, and talks to it: boto3 clients and the admin API."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import selectors
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any

import boto3
from botocore.config import Config

START_SECONDS = 60
_ADMIN_SECONDS = 60
_STOP_SECONDS = 15
_LOOPBACK = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class SandboxError(Exception):
    """The sandbox did not start, or refused an admin call; the message says why."""


class RunningAws:
    """Close it, or use it as a context manager: then the server and all its function processes end.

    They end as well when this process ends in whatever way.
    """

    def __init__(self, process: subprocess.Popen[bytes], url: str, region: str) -> None:
        self._process = process
        self.url, self.region = url, region

    def __enter__(self) -> RunningAws:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    @property
    def pid(self) -> int:
        return self._process.pid

    def close(self) -> None:
        """Safe to call twice."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def client(self, service: str, **config: Any) -> Any:
        """A boto3 client of this AWS; `config` are fields of botocore's Config."""
        fields = {"connect_timeout": 5, "read_timeout": 120, "retries": {"total_max_attempts": 1}, **config}
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=self.region,
            aws_access_key_id="sandbox",
            aws_secret_access_key="sandbox",
            config=Config(**fields),
        )

    def environment(self) -> dict[str, str]:
        """The environment variables with which any AWS client, the aws command too, reaches this AWS only."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_ACCESS_KEY_ID": "sandbox",
            "AWS_SECRET_ACCESS_KEY": "sandbox",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "NO_PROXY": "127.0.0.1,localhost",
        }

    def settings(self, **changes: float) -> dict[str, Any]:
        """Change any of settings.Settings; returns all of them."""
        return dict(self._admin("POST", "settings", changes)) if changes else dict(self._admin("GET", "settings"))

    def fault(self, service: str, operation: str | None = None, code: str | None = None, **more: Any) -> None:
        """The next calls (`times`, default 1) of the operation answer `code`, and wait `delay_seconds` before."""
        self._admin("POST", "faults", {"service": service, "operation": operation, "code": code, **more})

    def faults(self) -> list[dict[str, Any]]:
        """What is still armed."""
        return list(self._admin("GET", "faults"))

    def set_scheduler_clock(self, moment: dt.datetime) -> int:
        """Set it forward (aware time); fires everything due in between and returns how much that was."""
        return int(self._admin("POST", "clock", {"scheduler_now": moment.isoformat()})["fired"])

    def scheduler_now(self) -> dt.datetime:
        return dt.datetime.fromisoformat(self._admin("GET", "clock")["scheduler_now"])

    def functions(self) -> list[dict[str, Any]]:
        """The function processes: function, pid, busy, payload (JSON text of the running invocation)."""
        return list(self._admin("GET", "functions"))

    def logs(self, function: str) -> list[str]:
        """The last lines that the function logged."""
        return list(self._admin("GET", "logs?" + urllib.parse.urlencode({"function": function})))

    def kill(
        self,
        function: str | None = None,
        payload_contains: Any = None,
        after_seconds: float = 0,
        times: int = 1,
        *,
        at_end: bool = False,
    ) -> None:
        """SIGKILL the process of the next matching invocations, `after_seconds` from their start; or `at_end`, when the handler
        has done its work and answered, and the answer is lost.

        `function` is the end of its name; `payload_contains` fields that the payload must have, at any depth. An
        invocation that ends earlier does not count; one that runs already counts from now.
        """
        wish = {"payload_contains": payload_contains, "after_seconds": after_seconds, "times": times, "at_end": at_end}
        self._admin("POST", "kill", {"function": function, **wish})

    def killed(self) -> list[dict[str, Any]]:
        """The kills that were carried out: function, pid, payload."""
        return list(self._admin("GET", "kill"))

    def register_cluster(self, name: str, endpoint: str, ca_pem: str) -> None:
        """eks:DescribeCluster answers with this endpoint and certificate authority."""
        self._admin("POST", "eks", {"name": name, "endpoint": endpoint, "ca_pem": ca_pem})

    def reset(self) -> None:
        """Everything back to empty."""
        self._admin("POST", "reset", {})

    def _admin(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/sandbox/{path}", data, method=method)
        try:
            with _LOOPBACK.open(request, timeout=_ADMIN_SECONDS) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            with error:
                text = error.read().decode(errors="replace")
            try:
                text = json.loads(text)["error"]
            except (ValueError, KeyError):
                text = text or str(error)
            raise SandboxError(f"The sandbox refused {method} {path}: {text}") from None
        except OSError as error:
            raise SandboxError(f"The sandbox at {self.url} does not answer {method} {path}: {error}") from error


def start(code_dir: Path, *, region: str = "ap-northeast-1", port: int = 0, log_file: Path | None = None) -> RunningAws:
    """Start and wait until it answers. `code_dir`: the directory from which function handlers are imported.

    SandboxError when it does not come up within START_SECONDS, with the end of its log.
    """
    command = [sys.executable, "-m", "infra.sandbox.aws", "--port", str(port), "--region", region]
    command += ["--code-dir", str(code_dir)] + (["--log", str(log_file)] if log_file else [])
    root = Path(__file__).resolve().parents[3]
    paths = [str(root), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    process = subprocess.Popen(
        command,
        cwd=root,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in paths if path)},
    )
    line = _first_line(process)
    if not line:
        process.kill()
        process.communicate()
        said = f" Its log ends: {log_file.read_text()[-2000:]}" if log_file and log_file.exists() else ""
        hint = said or " Give a log_file to see why."
        raise SandboxError(
            f"The sandbox's AWS ended, or took more than {START_SECONDS} s, before it answered: {' '.join(command)}.{hint}"
        )
    return RunningAws(process, json.loads(line)["url"], region)


def _first_line(process: subprocess.Popen[bytes]) -> bytes:
    assert process.stdout is not None
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        return process.stdout.readline() if selector.select(START_SECONDS) else b""
