"""Starts a cluster as a process of its own and hands out what a client needs to reach it."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from infra.sandbox.cluster.client import ClusterClient
from infra.sandbox.cluster.real_control_plane import required_assets

_REPOSITORY = Path(__file__).resolve().parents[3]
STAND_IN, REAL = "stand-in", "real"
CONTROL_PLANES = (STAND_IN, REAL)
_START_SECONDS = {STAND_IN: 30.0, REAL: 90.0}
_STOP_SECONDS = 10.0


@dataclass(frozen=True)
class RunningCluster:
    """A cluster that serves. Closing it ends the API server and every pod. `network` is the first two octets of the pods'
    addresses, empty when there are no pods. `direct_url` is the API where no cut reaches it."""

    url: str
    direct_url: str
    controls_url: str
    ca_pem: str = field(repr=False)
    admin_token: str = field(repr=False)
    network: str
    _process: subprocess.Popen[str] = field(repr=False)

    def administrator(self) -> ClusterClient:
        """A client with every right, for the caller to close."""
        return ClusterClient(self.direct_url, self.ca_pem, self.admin_token, controls_url=self.controls_url)

    def close(self) -> None:
        _stop(self._process)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.close()


def start(
    name: str,
    identity_url: str,
    *,
    network: str | None = None,
    state_dir: Path | None = None,
    pod_command: Sequence[str] | None = None,
    api_only: bool = False,
    overlay: bool = False,
    control_plane: str = STAND_IN,
) -> RunningCluster:
    """Starts the cluster `name` and waits until it serves.

    `network` is the first two octets of the pods' addresses, for example `127.77`, and nobody else's meanwhile; left out, a
    free block is taken.
    `identity_url` is the STS that EKS tokens are verified at. `state_dir` keeps the pods' logs (`logs/`) and the cluster's own
    (`cluster.log`) after the end; without it they are thrown away and the cluster's own log goes to standard error.
    `pod_command` is the program of every container, called with --image, --address and --root.
    `api_only` leaves out controllers and node, so that nothing but the client changes an object.
    `overlay` gives the pods addresses that lead nowhere outside the cluster, so that only port-forwards reach them.
    `control_plane` is one of CONTROL_PLANES; `real` runs kube-apiserver on etcd, which KUBEBUILDER_ASSETS must name.

    Raises RuntimeError when a real control plane has no binaries, and when the process ends or does not get ready in time; its
    own messages are on standard error.
    """
    if control_plane == REAL:
        required_assets()  # told here, before a process is started for nothing
    command = [sys.executable, "-m", "infra.sandbox.cluster", "--name", name, "--identity-url", identity_url]
    command += ["--control-plane", control_plane]
    if network is not None:
        command += ["--network", network]
    if state_dir is not None:
        command += ["--state-dir", str(state_dir)]
    if pod_command is not None:
        command += ["--pod-command", json.dumps(list(pod_command))]
    if overlay:
        command.append("--overlay")
    if api_only:
        command.append("--api-only")
    environment = {**os.environ, "PYTHONPATH": str(_REPOSITORY)}
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
    line = _first_line(process, _START_SECONDS[control_plane])
    if not line:
        _stop(process)
        raise RuntimeError(
            f"The cluster {name} did not start within {_START_SECONDS[control_plane]:.0f} s (exit code {process.returncode}). "
            "Its reason is on standard error."
        )
    ready = json.loads(line)
    return RunningCluster(**ready, _process=process)


def _first_line(process: subprocess.Popen[str], seconds: float) -> str:
    assert process.stdout is not None
    readable, _, _ = select.select([process.stdout], [], [], seconds)
    return process.stdout.readline() if readable else ""


def _stop(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.close()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()  # its containers die with it
        process.wait()
    process.stdout.close()
