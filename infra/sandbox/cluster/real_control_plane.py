"""A real kube-apiserver on a real etcd, for holding the sandbox's API server against it.

The binaries are found as Kubernetes' envtest finds them: in the folder that KUBEBUILDER_ASSETS names. There are no
controllers and no node behind it.
"""

from __future__ import annotations

import base64
import json
import os
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

from infra.sandbox.cluster.certificates import create_certificates, private_key_pem

ASSETS_VARIABLE = "KUBEBUILDER_ASSETS"
_START_SECONDS = 60.0
_STOP_SECONDS = 10.0
_POLL_SECONDS = 0.05
_DIRECT = urllib.request.ProxyHandler({})


def find_assets() -> Path | None:
    """The folder with kube-apiserver and etcd, or None when the environment names none that has both."""
    folder = Path(os.environ.get(ASSETS_VARIABLE) or "/usr/local/kubebuilder/bin")
    return folder if all(os.access(folder / name, os.X_OK) for name in ("kube-apiserver", "etcd")) else None


class RealControlPlane:
    """Use as a context manager; `url`, `ca_pem` and `admin_token` are what a client needs."""

    def __init__(self, assets: Path) -> None:
        self._assets = assets
        self._directory = Path(tempfile.mkdtemp(prefix="control-plane-"))
        self._processes: list[tuple[str, subprocess.Popen[bytes]]] = []
        self._certificates = create_certificates("real")
        self.admin_token = "admin-token"
        self.ca_pem = self._certificates.ca_pem
        self.url = ""

    def __enter__(self) -> Self:
        try:
            self._start_etcd()
            self._start_api_server()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        # The API server first: without its etcd it would need twenty seconds to give up.
        for _, process in reversed(self._processes):
            process.terminate()
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(self._directory, ignore_errors=True)

    def compact(self) -> None:
        """Makes older resourceVersions of ConfigMaps expire; the API server answers the other kinds from a cache."""
        self._ask_etcd("/v3/kv/compaction", {"revision": self._revision(), "physical": True})

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
        self._spawn(
            "etcd",
            f"--data-dir={self._directory / 'etcd'}",
            f"--listen-client-urls={clients}",
            f"--advertise-client-urls={clients}",
            f"--listen-peer-urls={peers}",
            f"--initial-advertise-peer-urls={peers}",
            f"--initial-cluster=default={peers}",
            "--unsafe-no-fsync",  # nothing here has to survive a power cut
        )
        opener = urllib.request.build_opener(_DIRECT)
        self._wait(opener, urllib.request.Request(f"{clients}/health"))
        self._etcd_url = clients

    def _start_api_server(self) -> None:
        ca, certificate, key = self._certificates.write(self._directory)
        account_key = self._directory / "service-account.key"
        account_key.touch(mode=0o600)
        account_key.write_text(private_key_pem(ec.generate_private_key(ec.SECP256R1())))
        tokens = self._directory / "tokens.csv"
        tokens.touch(mode=0o600)
        tokens.write_text(f'{self.admin_token},admin,1,"system:masters"\n')
        port = _free_port()
        self._spawn(
            "kube-apiserver",
            f"--etcd-servers={self._etcd_url}",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            f"--secure-port={port}",
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
        )
        self.url = f"https://127.0.0.1:{port}"
        https = urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=str(ca)))
        opener = urllib.request.build_opener(_DIRECT, https)
        request = urllib.request.Request(f"{self.url}/readyz", headers={"Authorization": f"Bearer {self.admin_token}"})
        self._wait(opener, request)

    def _spawn(self, name: str, *options: str) -> None:
        with (self._directory / f"{name}.log").open("wb") as log:
            command = [str(self._assets / name), *options]
            self._processes.append((name, subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)))

    def _wait(self, opener: urllib.request.OpenerDirector, health: urllib.request.Request) -> None:
        """Until `health` is answered with success.

        Raises RuntimeError with the end of the log when a program ends, TimeoutError when it does not get ready.
        """
        ends_at = time.monotonic() + _START_SECONDS
        last: OSError | None = None
        while time.monotonic() < ends_at:
            for name, process in self._processes:
                if process.poll() is not None:
                    log = (self._directory / f"{name}.log").read_text(errors="replace")
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
        raise TimeoutError(f"The control plane was not ready after {_START_SECONDS:.0f} s; last: {last!r}")


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
