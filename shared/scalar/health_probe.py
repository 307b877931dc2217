"""What the charts' own health probe says about TLS: whether it is on, where the CA lies, and by which name the server is known.

The charts of ScalarDB Cluster, Ledger and Auditor start `grpc_health_probe` inside of the container with the options for a
verified connection. A pod is Running only when they are right, which makes them a better source than any naming rule.
Source: the charts' deployment.yaml; the command-line options of grpc_health_probe.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

_OPTION = r"(?:^|\s)--?{name}(?:[= ](\S+))?"


class HealthProbe(NamedTuple):
    """`server_name` is empty when the probe does not verify it."""

    uses_tls: bool = False
    ca_path: str = ""
    server_name: str = ""


def read_health_probe(container: Mapping[str, Any]) -> HealthProbe:
    """From the probes of a container of the pod template; nothing known where it has no grpc_health_probe."""
    for kind in ("livenessProbe", "readinessProbe", "startupProbe"):
        command = " ".join(((container.get(kind) or {}).get("exec") or {}).get("command") or ())
        if "grpc_health_probe" in command:
            return _read(command)
    return HealthProbe()


def _read(command: str) -> HealthProbe:
    if not re.search(r"(?:^|\s)--?tls(?:=true)?(?:\s|$)", command):
        return HealthProbe()
    name = _value(command, "tls-server-name") or _value(command, "addr").rpartition(":")[0]
    is_verified = not re.search(r"(?:^|\s)--?tls-no-verify(?:=true)?(?:\s|$)", command)
    return HealthProbe(True, _value(command, "tls-ca-cert"), name if is_verified else "")


def _value(command: str, option: str) -> str:
    found = re.search(_OPTION.format(name=option), command)
    return (found[1] or "") if found else ""
