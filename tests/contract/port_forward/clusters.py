"""A cluster whose API server forwards ports to the pods of the tests, and the product's way through it."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from botocore.credentials import Credentials

from infra.sandbox.cluster.api.resources import PODS
from infra.sandbox.cluster.port_forward import PortForwarding, Streams
from infra.sandbox.cluster.process import RunningCluster
from shared.clusters.api import KubernetesApi
from shared.clusters.connection import TokenSource
from shared.clusters.eks_token import EksTokens
from shared.clusters.port_forward import PortForwards
from shared.model.plan import EksCluster
from shared.model.pods import AdminTarget
from shared.model.records import replace
from shared.model.transports import Transport
from shared.scalar.admin import AdminClient
from tests.contract.clusters.conftest import FixedToken
from tests.contract.clusters.fake_sts import SECRET_KEY
from tests.contract.scalar_admin.pods import ScriptedPod, WallClock

CLUSTER = EksCluster(name="prod-tokyo", region="ap-northeast-1")
_numbers = itertools.count()


class ForwardingCluster:
    """`admin` may do everything. `node` is the far end when the test's own process runs it; the stand-in's API server is far
    end itself."""

    def __init__(self, running: RunningCluster, arns: dict[str, str]) -> None:
        self.running, self._arns = running, arns
        self.admin = running.administrator()
        self.node: PortForwarding | None = None
        self.namespace = f"forwarding-{next(_numbers)}"
        self._addresses: dict[tuple[str, str], str] = {}
        self.admin.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}})

    def close(self) -> None:
        self.admin.close()

    async def dial(self, namespace: str, pod: str, port: int) -> Streams:
        return await asyncio.open_connection(self._addresses[namespace, pod], port)

    def sign_in(self, *verbs: str) -> KubernetesApi:
        """As a role that may do just this to pods/portforward in the namespace."""
        role = f"role-{next(_numbers)}"
        self.admin.grant_access(f"arn:aws:iam::123456789012:role/{role}", role)
        self._arns[role] = f"arn:aws:sts::123456789012:assumed-role/{role}/lambda"
        rbac, metadata = "rbac.authorization.k8s.io", {"name": role, "namespace": self.namespace}
        rule = {"apiGroups": [""], "resources": ["pods/portforward"], "verbs": list(verbs)}
        binding = {
            "roleRef": {"apiGroup": rbac, "kind": "Role", "name": role},
            "subjects": [{"apiGroup": rbac, "kind": "Group", "name": role}],
        }
        self.admin.apply(
            [
                {"apiVersion": f"{rbac}/v1", "kind": "Role", "metadata": metadata, "rules": [rule]},
                {"apiVersion": f"{rbac}/v1", "kind": "RoleBinding", "metadata": metadata, **binding},
            ]
        )
        credentials = Credentials("AKIDEXAMPLE", SECRET_KEY, role)
        return self.api(EksTokens(CLUSTER.name, CLUSTER.region, f"sts.{CLUSTER.region}.amazonaws.com", credentials))

    def add(self, target: AdminTarget) -> AdminTarget:
        """Makes the API know the pod behind `target`; the target as the product has it, by port-forward."""
        spec = {"nodeName": "n1", "containers": [{"name": "c", "image": "x:1"}]}
        body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": target.pod}, "spec": spec}
        self.admin.create(body, self.namespace)
        status = {"phase": "Running", "podIP": target.host}
        self.admin.patch(PODS, self.namespace, target.pod, {"status": status}, subresource="status")
        self._addresses[self.namespace, target.pod] = target.host
        way = Transport.PORT_FORWARD.value
        return replace(target, cluster=CLUSTER, namespace=self.namespace, transport=way)

    def api(self, tokens: TokenSource | None = None, *, url: str = "", ca_pem: str = "") -> KubernetesApi:
        return KubernetesApi(
            url or self.running.url,
            ca_pem or self.running.ca_pem,
            tokens or FixedToken(self.running.admin_token),
            name="EKS cluster prod-tokyo",
            sign_in_hint="Sign in.",
        )

    def cut(self) -> None:
        if self.node:
            self.node.cut()
        else:
            self.admin.cut_port_forwards()

    @asynccontextmanager
    async def client(self, api: KubernetesApi | None = None, **settings: object) -> AsyncIterator[AdminClient]:
        """The Admin client as the wiring makes it, with short times."""
        forwards = PortForwards(lambda _: api or self.api())
        times = {"call_timeout_seconds": 5.0, "slack_seconds": 0.2} | settings
        client = AdminClient(WallClock(), open_forward=forwards.open, **times)  # type: ignore[arg-type]
        try:
            yield client
        finally:
            await client.close()


@asynccontextmanager
async def forwarded(cluster: ForwardingCluster, *pods: ScriptedPod) -> AsyncIterator[list[AdminTarget]]:
    """Starts the pods; gives their targets."""
    try:
        for pod in pods:
            await pod.start()
        yield [cluster.add(pod.target) for pod in pods if pod.target]
    finally:
        for pod in pods:
            await pod.stop()
