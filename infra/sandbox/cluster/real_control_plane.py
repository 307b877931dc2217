"""A real kube-apiserver on a real etcd.

The binaries are found as Kubernetes' envtest finds them: in the folder that KUBEBUILDER_ASSETS names. There are no
controllers and no node behind it.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import secrets
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from cryptography.hazmat.primitives.asymmetric import ec

from infra.sandbox.cluster.certificates import Certificates, create_certificates, private_key_pem
from infra.sandbox.cluster.dying import die_with_the_parent

ASSETS_VARIABLE = "KUBEBUILDER_ASSETS"
_START_SECONDS = 60.0
_STOP_SECONDS = 10.0
_POLL_SECONDS = 0.05
_DIRECT = urllib.request.ProxyHandler({})


def find_assets() -> Path | None:
    """The folder with kube-apiserver and etcd, or None when the environment names none that has both."""
    folder = Path(os.environ.get(ASSETS_VARIABLE) or "/usr/local/kubebuilder/bin")
    return folder if all(os.access(folder / name, os.X_OK) for name in ("kube-apiserver", "etcd")) else None


def required_assets() -> Path:
    """As `find_assets`. Raises RuntimeError that says what to do when there are none."""
    folder = find_assets()
    if folder is None:
        raise RuntimeError(
            f"A real control plane needs kube-apiserver and etcd, and {ASSETS_VARIABLE} "
            f"({os.environ.get(ASSETS_VARIABLE) or 'not set'}) names no folder that has both. "
            "Get them as for Kubernetes' envtest and set the variable, or leave the sandbox on its own API server."
        )
    return folder


class RealControlPlane:
    """Use as a context manager, or `start` and `close` it; `url`, `ca_pem` and `admin_token` are what a client needs.

    `directory` keeps the programs' logs after the end; without it they are thrown away.
    """

    def __init__(
        self,
        assets: Path,
        *,
        certificates: Certificates | None = None,
        admin_token: str | None = None,
        directory: Path | None = None,
    ) -> None:
        self._assets = assets
        self._directory = Path(tempfile.mkdtemp(prefix="control-plane-"))
        self._logs = directory or self._directory
        self._etcd: subprocess.Popen[bytes] | None = None
        self._api_server: subprocess.Popen[bytes] | None = None
        self._certificates = certificates or create_certificates("real")
        self.admin_token = admin_token or secrets.token_urlsafe(32)
        self.ca_pem = self._certificates.ca_pem
        self.port = _free_port()
        self.url = f"https://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.close()

    def start(self, *, token_review_url: str | None = None) -> None:
        """Returns when the API answers. `token_review_url` is a webhook that is asked about every token but the
        administrator's; its certificate is of the same authority.

        Raises RuntimeError with the end of the log when a program ends, TimeoutError when it does not get ready.
        """
        try:
            self._start_etcd()
            self._options = self._api_server_options(token_review_url)
            self._start_api_server()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        # The API server first: without its etcd it would need twenty seconds to give up.
        for process in (self._api_server, self._etcd):
            if process is not None:
                _stop(process)
        self._api_server = self._etcd = None
        shutil.rmtree(self._directory, ignore_errors=True)

    def compact(self) -> None:
        """Makes older resourceVersions of ConfigMaps expire; the API server answers the other kinds from a cache."""
        self._ask_etcd("/v3/kv/compaction", {"revision": self._revision(), "physical": True})

    def forget_history(self) -> None:
        """Makes older resourceVersions of every kind expire. The API server restarts for it: its caches begin anew."""
        self.compact()
        if self._api_server is not None:
            self._api_server.kill()  # asked politely, it would wait for its watches to end
            self._api_server.wait()
        self._start_api_server()

    def _revision(self) -> int:
        key = base64.b64encode(b"any").decode()
        return int(self._ask_etcd("/v3/kv/range", {"key": key})["header"]["revision"])

    def _ask_etcd(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        request = urllib.request.Request(self._etcd_url + path, data=json.dumps(body).encode(), method="POST")
        with urllib.request.build_opener(_DIRECT).open(request, timeout=5) as response:
            answer: dict[str, Any] = json.load(response)
            return answer

    def _start_etcd(self) -> None:
        clients, peers = (f"http://127.0.0.1:{_free_port()}" for _ in range(2))
        self._etcd = self._spawn(
            "etcd",
            f"--data-dir={self._directory / 'etcd'}",
            f"--listen-client-urls={clients}",
            f"--advertise-client-urls={clients}",
            f"--listen-peer-urls={peers}",
            f"--initial-advertise-peer-urls={peers}",
            f"--initial-cluster=default={peers}",
            "--unsafe-no-fsync",  # nothing here has to survive a power cut
        )
        self._wait("etcd", self._etcd, urllib.request.build_opener(_DIRECT), urllib.request.Request(f"{clients}/health"))
        self._etcd_url = clients

    def _api_server_options(self, token_review_url: str | None) -> list[str]:
        self._ca_file, certificate, key = self._certificates.write(self._directory)
        account_key = self._private("service-account.key", private_key_pem(ec.generate_private_key(ec.SECP256R1())))
        tokens = self._private("tokens.csv", f'{self.admin_token},admin,1,"system:masters"\n')
        return [
            f"--etcd-servers={self._etcd_url}",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            f"--secure-port={self.port}",
            f"--cert-dir={self._directory / 'generated'}",
            f"--tls-cert-file={certificate}",
            f"--tls-private-key-file={key}",
            f"--token-auth-file={tokens}",
            "--authorization-mode=RBAC",
            f"--service-account-key-file={account_key}",
            f"--service-account-signing-key-file={account_key}",
            "--service-account-issuer=https://kubernetes.default.svc",
            "--service-cluster-ip-range=10.0.0.0/24",
            "--watch-cache-sizes=configmaps#0",  # so that `compact` has an effect on one kind
            "--disable-admission-plugins=ServiceAccount",  # no controller makes the account that pods would wait for
            *(self._sign_in_options(token_review_url) if token_review_url else ()),
        ]

    def _sign_in_options(self, url: str) -> list[str]:
        cluster = {"name": "sign-in", "cluster": {"server": url, "certificate-authority": str(self._ca_file)}}
        context = {"name": "sign-in", "context": {"cluster": "sign-in", "user": ""}}
        # JSON is YAML, too.
        document = {
            "apiVersion": "v1", "kind": "Config", "clusters": [cluster], "contexts": [context], "current-context": "sign-in",
        }  # fmt: skip
        return [
            f"--authentication-token-webhook-config-file={self._private('sign-in.yaml', json.dumps(document))}",
            "--authentication-token-webhook-version=v1",
            "--authentication-token-webhook-cache-ttl=0s",  # a new access entry counts at once
        ]

    def _private(self, name: str, text: str) -> Path:
        path = self._directory / name
        path.touch(mode=0o600)
        path.write_text(text)
        return path

    def _start_api_server(self) -> None:
        self._api_server = self._spawn("kube-apiserver", *self._options)
        https = urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=str(self._ca_file)))
        request = urllib.request.Request(f"{self.url}/readyz", headers={"Authorization": f"Bearer {self.admin_token}"})
        self._wait("kube-apiserver", self._api_server, urllib.request.build_opener(_DIRECT, https), request)

    def _spawn(self, name: str, *options: str) -> subprocess.Popen[bytes]:
        with (self._logs / f"{name}.log").open("ab") as log:
            command = [str(self._assets / name), *options]
            return subprocess.Popen(
                command, stdout=log, stderr=log, start_new_session=True, preexec_fn=die_with_the_parent
            )  # fmt: skip

    def _wait(
        self,
        name: str,
        process: subprocess.Popen[bytes],
        opener: urllib.request.OpenerDirector,
        health: urllib.request.Request,
    ) -> None:
        """Until `health` is answered with success."""
        ends_at = time.monotonic() + _START_SECONDS
        last: OSError | None = None
        while time.monotonic() < ends_at:
            if process.poll() is not None:
                log = (self._logs / f"{name}.log").read_text(errors="replace")
                raise RuntimeError(f"{name} ended with exit code {process.returncode}. Its last words:\n{log[-2000:]}")
            try:
                with opener.open(health, timeout=2):
                    return
            except urllib.error.HTTPError as error:
                error.close()  # it holds the connection
                last = error
            except OSError as error:
                last = error
            time.sleep(_POLL_SECONDS)
        raise TimeoutError(f"{name} was not ready after {_START_SECONDS:.0f} s; last: {last!r}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _free_port() -> int:
    with contextlib.closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
