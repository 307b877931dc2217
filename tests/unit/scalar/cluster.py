"""A Kubernetes cluster in memory, and builders of what the Helm charts create in it."""

from __future__ import annotations

import base64
import queue
from collections import defaultdict
from copy import deepcopy
from datetime import UTC, datetime

from shared.model.kubernetes import ObjectList, WatchEvent
from shared.model.plan import EksCluster, Release
from shared.scalar.products import APP_LABEL, INSTANCE_LABEL, PRODUCTS

NAMESPACE = "scalar"
CLUSTER = EksCluster(name="prod-tokyo", region="ap-northeast-1")
NOW = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
PROPERTIES = "scalar.db.storage=dynamo\nscalar.db.contact_points=ap-northeast-1\n"


def release_named(helm_release="orders", admin_port=None):
    return Release(cluster=CLUSTER, namespace=NAMESPACE, helm_release=helm_release, admin_port=admin_port)


class FixedClock:
    def now(self):
        return NOW

    def monotonic(self):
        return 0.0

    async def sleep(self, seconds):
        raise AssertionError("nothing here waits")


class Stream:
    """A watch that a test feeds: events, an error to raise, or None for the regular end."""

    def __init__(self, *items):
        self._items = queue.Queue()
        self.closed = False
        for item in items:
            self._items.put(item)

    def feed(self, *items):
        for item in items:
            self._items.put(item)

    def __iter__(self):
        while True:
            item = self._items.get(timeout=30)
            if item is None:
                return
            if isinstance(item, Exception):
                raise item
            yield item

    def close(self):
        self.closed = True
        self._items.put(None)


class Cluster:
    """Keeps objects by kind. `unreadable` are kinds that raise the given error. `streams` are handed out one per watch call,
    errors among them are raised; `watched` notes what each call asked for."""

    def __init__(self):
        self.objects = defaultdict(dict)
        self.unreadable = {}
        self.streams = []
        self.watched = []
        self.reads = []
        self._version = 100

    def __call__(self, cluster):
        assert cluster == CLUSTER
        return self

    def add(self, kind, item):
        self._version += 1
        item = deepcopy(item)
        item["metadata"] |= {"namespace": NAMESPACE, "resourceVersion": str(self._version)}
        item["metadata"].setdefault("uid", f"uid-{kind}-{item['metadata']['name']}")
        self.objects[kind][item["metadata"]["name"]] = item
        return item

    def list(self, kind, namespace, labels):
        assert namespace == NAMESPACE
        self._note(kind, "*")
        items = self.objects[kind].values()
        found = [item for item in items if labels.items() <= item["metadata"].get("labels", {}).items()]
        return ObjectList(tuple(deepcopy(found)), str(self._version))

    def get(self, kind, namespace, name):
        assert namespace == NAMESPACE
        self._note(kind, name)
        return deepcopy(self.objects[kind].get(name))

    def watch(self, kind, namespace, labels, resource_version, timeout_seconds):
        assert (kind, namespace) == ("pods", NAMESPACE)
        self.watched.append((dict(labels), resource_version, timeout_seconds))
        stream = self.streams.pop(0) if self.streams else Stream()
        if isinstance(stream, Exception):
            raise stream
        return stream

    def install(self, app, helm_release="orders", replicas=3, properties=PROPERTIES, container=None, **changes):
        """What a chart creates. `container` is merged into the product's container. Returns the Deployment."""
        product = PRODUCTS[app]
        labels = {INSTANCE_LABEL: helm_release, APP_LABEL: app}
        name, config_map = f"{helm_release}-{app}-node", f"{helm_release}-{app}-properties"
        key = product.properties_keys[0]
        template = {
            "metadata": {"labels": labels, "annotations": {"checksum/config": "abc"}},
            "spec": {
                "containers": [
                    {
                        "name": product.container,
                        "ports": [{"name": product.admin_port_name, "containerPort": product.admin_port}],
                        "volumeMounts": [{"name": "properties-volume", "mountPath": f"/scalar/{key}", "subPath": key}],
                    }
                    | (container or {})
                ],
                "volumes": [{"name": "properties-volume", "configMap": {"name": config_map}}],
            },
        }
        self.add("configmaps", {"metadata": {"name": config_map}, "data": {key: properties}})
        deployment = self.add(
            "deployments",
            {
                "metadata": {"name": name, "labels": labels, "generation": 4},
                "spec": {"replicas": replicas, "template": template | changes},
                "status": {"observedGeneration": 4, "updatedReplicas": replicas, "readyReplicas": replicas},
            },
        )
        replica_set = self.add(
            "replicasets",
            {
                "metadata": {
                    "name": f"{name}-5d4f",
                    "labels": labels | {"pod-template-hash": "5d4f"},
                    "ownerReferences": [_owner("Deployment", deployment)],
                }
            },
        )
        for number in range(replicas):
            self.add("pods", pod(f"{name}-5d4f-{number}", labels | {"pod-template-hash": "5d4f"}, replica_set, number))
        port = {"name": product.admin_port_name, "port": product.admin_port, "targetPort": product.admin_port_name}
        self.add(
            "services",
            {"metadata": {"name": f"{name}-headless", "labels": labels}, "spec": {"clusterIP": "None", "ports": [port]}},
        )
        self.add(
            "services",
            {"metadata": {"name": f"{name}-metrics", "labels": labels}, "spec": {"ports": [{"name": "metrics", "port": 9080}]}},
        )
        return deployment

    def install_envoy(self, helm_release="orders"):
        labels = {INSTANCE_LABEL: helm_release, APP_LABEL: "envoy"}
        self.add("deployments", {"metadata": {"name": f"{helm_release}-envoy", "labels": labels}, "spec": {"replicas": 1}})
        self.add("pods", pod(f"{helm_release}-envoy-1", labels, None, 99))

    def add_secret(self, name, **values):
        data = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
        self.add("secrets", {"metadata": {"name": name}, "data": data})

    def _note(self, kind, name):
        self.reads.append((kind, name))
        if kind in self.unreadable:
            raise self.unreadable[kind]


def pod(name, labels, owner, number=0, **status):
    """A running pod, ready for a second; `status` replaces parts of its status."""
    owners = [_owner("ReplicaSet", owner)] if owner else []
    running = {"running": {"startedAt": "2026-11-24T02:00:00Z"}}
    return {
        "metadata": {"name": name, "uid": f"uid-{name}", "labels": labels, "ownerReferences": owners},
        "spec": {"nodeName": "node-1", "containers": [{"name": "server"}]},
        "status": {
            "phase": "Running",
            "podIP": f"10.0.0.{number + 1}",
            "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": [
                {"name": "server", "containerID": f"containerd://{name}", "restartCount": 0, "state": running}
            ],
        }
        | status,
    }


def event(kind, item, version):
    item = deepcopy(item)
    item["metadata"]["resourceVersion"] = version
    return WatchEvent(kind, item)


def bookmark(version):
    return WatchEvent("BOOKMARK", {"kind": "Pod", "metadata": {"resourceVersion": version}})


def _owner(kind, item):
    metadata = item["metadata"]
    return {"kind": kind, "name": metadata["name"], "uid": metadata["uid"], "controller": True}
