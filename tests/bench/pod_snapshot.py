"""What it costs to know 1,000 pods: finding the release, reading its pods, and holding a channel to each."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from infra.sandbox.cluster import process
from infra.sandbox.cluster.api.resources import DEPLOYMENTS, PODS, of_object
from infra.sandbox.cluster.charts import release_objects
from infra.sandbox.cluster.client import ClusterClient
from tests.bench.pod_processes import pods
from tests.bench.pod_readers import CLUSTER, COUNT, NAMESPACE, RELEASE
from tests.bench.report import Section

IMAGE = "ghcr.io/scalar-labs/scalardb-cluster-node:3.19.0"
_READERS = {
    "observe": "whole discovery: workload, properties, Service, pods (ours)",
    "list": "list of the pods, as plain JSON, to our states (ours)",
    "typed": "the same list through the typed API of the kubernetes package",
}


def measure() -> Section:
    rows = []
    with process.start(CLUSTER, "http://127.0.0.1:1", api_only=True) as cluster:
        client = ClusterClient(cluster.url, cluster.ca_pem, cluster.admin_token)
        _fill(client)
        client.close()
        access = {"url": cluster.url, "ca_pem": cluster.ca_pem, "token": cluster.admin_token}
        for kind, label in _READERS.items():
            rows.append(_row(label, _read(kind, access)))
    with pods(COUNT) as targets:
        found = _read("channels", {"addresses": [target.address for target in targets]})
        rows.append(_row(f"CheckPaused of {COUNT:,} pods, a channel each", found))
    return Section(
        title=f"{COUNT:,} pods: discovery, snapshot, memory",
        columns=("what", "imports, ms", "first time, ms", "again, ms", "memory before, MB", "peak, MB"),
        rows=rows,
        notes=[
            "Each in a fresh process, against the sandbox's API server over TLS, which is written in Python and has its share."
        ],
    )


def _row(label: str, found: dict[str, float]) -> tuple[str, ...]:
    times = tuple(f"{found[key]:.0f}" for key in ("import_ms", "first_ms", "again_ms"))
    return (label, *times, *(f"{found[key]:.0f}" for key in ("before_mb", "peak_mb")))


def _read(kind: str, given: dict[str, Any]) -> dict[str, float]:
    """The reader's own numbers, from a process of its own."""
    command = [sys.executable, "-m", "tests.bench.pod_readers", kind]
    done = subprocess.run(command, input=json.dumps(given), stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def _fill(client: ClusterClient) -> None:
    """One release with all its pods Running and Ready, as controllers and kubelets would have left it."""
    objects = release_objects("scalardb-cluster", RELEASE, NAMESPACE, "scalar.db.storage=dynamo", COUNT, IMAGE)
    client.apply(objects)
    template = next(item for item in objects if item["kind"] == "Deployment")
    deployment = client.get(DEPLOYMENTS, NAMESPACE, template["metadata"]["name"])
    counts = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), COUNT)
    status = {"status": {"observedGeneration": deployment["metadata"]["generation"], **counts}}
    client.patch(DEPLOYMENTS, NAMESPACE, deployment["metadata"]["name"], status, subresource="status")
    replica_set = client.create(_replica_set(deployment))
    for number in range(COUNT):
        pod = client.create(_pod(replica_set, number))
        _set_running(client, pod, number)


def _replica_set(deployment: dict[str, Any]) -> dict[str, Any]:
    metadata, spec = deployment["metadata"], deployment["spec"]
    labels = {**spec["selector"]["matchLabels"], "pod-template-hash": "5f6d8c9b7d"}
    template = {**spec["template"], "metadata": {**spec["template"]["metadata"], "labels": labels}}
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"{metadata['name']}-5f6d8c9b7d",
            "namespace": NAMESPACE,
            "labels": labels,
            "ownerReferences": [_owner(deployment)],
        },
        "spec": {"replicas": COUNT, "selector": {"matchLabels": labels}, "template": template},
    }


def _pod(replica_set: dict[str, Any], number: int) -> dict[str, Any]:
    template = replica_set["spec"]["template"]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"{replica_set['metadata']['name']}-{number:05d}",
            "namespace": NAMESPACE,
            "labels": template["metadata"]["labels"],
            "annotations": template["metadata"].get("annotations", {}),
            "ownerReferences": [_owner(replica_set)],
        },
        "spec": {**template["spec"], "nodeName": f"node-{number % 50}"},
    }


def _owner(item: dict[str, Any]) -> dict[str, Any]:
    metadata = item["metadata"]
    resource = of_object(item)
    return {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "name": metadata["name"],
        "uid": metadata["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def _set_running(client: ClusterClient, pod: dict[str, Any], number: int) -> None:
    since = "2026-11-24T03:00:00Z"
    container = pod["spec"]["containers"][0]
    state = {
        "name": container["name"],
        "image": container["image"],
        "imageID": f"{container['image']}@sha256:{number:064x}",
        "containerID": f"containerd://{number:064x}",
        "ready": True,
        "started": True,
        "restartCount": 0,
        "state": {"running": {"startedAt": since}},
    }
    conditions = [
        {"type": kind, "status": "True", "lastTransitionTime": since} for kind in ("PodScheduled", "Initialized", "Ready")
    ]
    address = f"10.{number // 65536}.{number // 256 % 256}.{number % 256}"
    status = {
        "phase": "Running",
        "podIP": address,
        "podIPs": [{"ip": address}],
        "startTime": since,
        "conditions": conditions,
        "containerStatuses": [state],
    }
    client.patch(PODS, NAMESPACE, pod["metadata"]["name"], {"status": status}, subresource="status")
