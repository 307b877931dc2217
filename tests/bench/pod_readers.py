"""One way of reading many pods, in its own process: `python -m tests.bench.pod_readers KIND`, with access on standard input.

Prints milliseconds and megabytes as JSON. Each way imports what it needs itself, because that is part of its cost.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable, Sized
from pathlib import Path
from typing import Any

import boto3  # noqa: F401 - every function has it; what a way of reading needs comes on top

COUNT = 1000
NAMESPACE, RELEASE, CLUSTER = "scalar", "orders", "prod-tokyo"
_LABELS = {"app.kubernetes.io/instance": RELEASE}

Read = Callable[[], Sized]


def observe(access: dict[str, Any]) -> Read:
    """The product's whole discovery of a release."""
    from shared.model.plan import EksCluster, Release
    from shared.scalar.releases import ReleasesInClusters
    from shared.system_clock import SystemClock

    api = _our_api(access)
    release = Release(cluster=EksCluster(name=CLUSTER, region="ap-northeast-1"), namespace=NAMESPACE, helm_release=RELEASE)
    releases = ReleasesInClusters(lambda _: api, SystemClock())
    return lambda: releases.observe([release])[0].pods


def list_pods(access: dict[str, Any]) -> Read:
    """The product's list of pods and what it keeps of each."""
    from shared.scalar.pod_state import pod_state

    api = _our_api(access)
    return lambda: tuple(pod_state(pod) for pod in api.list("pods", NAMESPACE, _LABELS).items)


def list_typed(access: dict[str, Any]) -> Read:
    """The same list as objects of the kubernetes package's own API."""
    from kubernetes.client import ApiClient, Configuration, CoreV1Api

    configuration = Configuration(host=access["url"], ca_cert_data=access["ca_pem"])
    configuration.api_key = {"authorization": f"Bearer {access['token']}"}
    api = CoreV1Api(ApiClient(configuration))

    def read() -> list[Any]:
        pods, query = [], {"label_selector": f"app.kubernetes.io/instance={RELEASE}", "limit": 500}
        while True:
            page = api.list_namespaced_pod(NAMESPACE, **query, _request_timeout=(3, 60))
            pods += page.items
            if not page.metadata.var_continue:
                return pods
            query |= {"_continue": page.metadata.var_continue}

    return read


def open_channels(access: dict[str, Any]) -> Read:
    """The Admin channels of a window's process."""
    from shared.model.pods import AdminTarget
    from shared.scalar.admin import AdminClient
    from shared.system_clock import SystemClock

    targets = [
        AdminTarget(pod=f"pod-{number}", uid=f"uid-{number}", host=host, port=int(port), port_source="benchmark")
        for number, (host, port) in enumerate(address.split(":") for address in access["addresses"])
    ]
    loop, client = asyncio.new_event_loop(), AdminClient(SystemClock())
    return lambda: loop.run_until_complete(client.check_paused(targets)).not_paused


def _our_api(access: dict[str, Any]) -> Any:
    from kubernetes.client import Configuration  # noqa: F401 - the product imports it with its first request
    from kubernetes.client.rest import RESTClientObject  # noqa: F401

    from shared.clusters.api import KubernetesApi

    class Token:
        def token(self) -> str:
            return str(access["token"])

        def renewed(self, rejected: str) -> str:
            raise AssertionError(f"The token of {len(rejected)} characters was refused.")

    return KubernetesApi(access["url"], access["ca_pem"], Token(), name="benchmark")


def main() -> None:
    ways = {"observe": observe, "list": list_pods, "typed": list_typed, "channels": open_channels}
    access = json.loads(sys.stdin.read())
    before_mb = _memory_mb("VmRSS")
    began = time.perf_counter()
    read = ways[sys.argv[1]](access)
    imported = time.perf_counter()
    found = len(read())
    first = time.perf_counter()
    again = []
    for _ in range(3):
        started = time.perf_counter()
        read()
        again.append(time.perf_counter() - started)
    if found != COUNT:
        raise RuntimeError(f"{found} pods were read, not {COUNT}.")
    times = {"import_ms": imported - began, "first_ms": first - imported, "again_ms": sorted(again)[1]}
    sizes = {"before_mb": before_mb, "peak_mb": _memory_mb("VmHWM")}
    sys.stdout.write(json.dumps({key: 1000 * seconds for key, seconds in times.items()} | sizes))


def _memory_mb(field: str) -> float:
    """Of this process alone; the kernel's other measure of a peak would count the parent's memory too."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(f"{field}:"))
    return int(line.split()[1]) / 1000


if __name__ == "__main__":
    main()
