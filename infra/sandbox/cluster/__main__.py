"""`python -m infra.sandbox.cluster`: one cluster that lives until its standard input is closed."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import secrets
import signal
import ssl
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from infra.sandbox.cluster.api.clock import Clock
from infra.sandbox.cluster.api.eks_tokens import EksTokens
from infra.sandbox.cluster.api.resources import DEPLOYMENTS, JOBS, NODES, PODS, REPLICA_SETS
from infra.sandbox.cluster.api.server import ApiServer
from infra.sandbox.cluster.api_client import ApiClient
from infra.sandbox.cluster.certificates import create_certificates
from infra.sandbox.cluster.controllers.deployments import DeploymentController
from infra.sandbox.cluster.controllers.garbage import GarbageCollector
from infra.sandbox.cluster.controllers.jobs import JobController
from infra.sandbox.cluster.controllers.replica_sets import ReplicaSetController
from infra.sandbox.cluster.controllers.scheduler import Scheduler
from infra.sandbox.cluster.informer import Informer
from infra.sandbox.cluster.node.addresses import AddressPool
from infra.sandbox.cluster.node.containers import Launch
from infra.sandbox.cluster.node.kubelet import Kubelet
from infra.sandbox.cluster.node.networks import held_network
from infra.sandbox.cluster.node.nodes import Nodes
from infra.sandbox.cluster.node.pods import Node, base_environment
from infra.sandbox.cluster.process import CONTROL_PLANES, REAL, STAND_IN
from infra.sandbox.cluster.real_api_server import RealApiServer
from infra.sandbox.cluster.real_control_plane import required_assets

_REPOSITORY = Path(__file__).resolve().parents[3]
_NODES = 2  # so that a pod can move
_SCALAR_POD = [sys.executable, "-m", "infra.sandbox.pods"]


def main() -> None:
    arguments = _arguments()
    with contextlib.ExitStack() as stack:
        state_directory = arguments.state_dir
        if state_directory is None:
            state_directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sandbox-cluster-")))
        state_directory.mkdir(parents=True, exist_ok=True)
        # Without a directory that stays, the log goes to standard error.
        log = state_directory / "cluster.log" if arguments.state_dir else None
        logging.basicConfig(filename=log, level=logging.WARNING, format="%(asctime)s %(name)s %(levelname)s %(message)s")
        state_directory.chmod(0o700)  # it holds the keys and the Secrets that pods have mounted
        asyncio.run(_serve(arguments, state_directory))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m infra.sandbox.cluster", description=__doc__)
    parser.add_argument("--name", required=True, help="the EKS cluster's name, which tokens are bound to")
    parser.add_argument("--network", help="first two octets of the pods' addresses, e.g. 127.77 (default: a free block)")
    parser.add_argument("--identity-url", required=True, help="the STS that EKS tokens are verified at")
    parser.add_argument("--state-dir", type=Path, help="where pods' folders and logs are kept (default: thrown away)")
    parser.add_argument("--pod-command", type=json.loads, default=_SCALAR_POD, help="JSON list: the program of a container")
    parser.add_argument("--control-plane", choices=CONTROL_PLANES, default=STAND_IN, help="real: kube-apiserver and etcd")
    parser.add_argument("--overlay", action="store_true", help="pods' addresses mean nothing outside the cluster")
    parser.add_argument("--api-only", action="store_true", help="no controllers and no node: objects stay as written")
    return parser.parse_args()


async def _serve(arguments: argparse.Namespace, state_directory: Path) -> None:
    admin_token, clock, network = secrets.token_urlsafe(32), Clock(), ""
    certificates = create_certificates(arguments.name)
    eks_tokens = EksTokens(arguments.name, arguments.identity_url, clock)
    server: ApiServer | RealApiServer
    if arguments.control_plane == REAL:
        server = RealApiServer(required_assets(), certificates, admin_token, eks_tokens, state_directory)
    else:
        server = ApiServer(admin_token, eks_tokens, clock)
    try:
        tls = certificates.server_context(state_directory)
        url = await server.start(tls)
        async with contextlib.AsyncExitStack() as stack:
            if not arguments.api_only:
                network = stack.enter_context(held_network(arguments.network))
                client = await stack.enter_async_context(ApiClient(server.direct_url, certificates.ca_pem, admin_token))
                nodes = await stack.enter_async_context(_nodes(arguments, network, state_directory, client, tls))
                server.controls.on_kill = nodes.kill_container
                server.forward_ports_by(nodes)
                server.read_logs_of(nodes)
            ready = {
                "url": url,
                "direct_url": server.direct_url,
                "controls_url": server.controls_url,
                "ca_pem": certificates.ca_pem,
                "admin_token": admin_token,
                "network": network,
            }
            print(json.dumps(ready), flush=True)
            await _told_to_stop()
    finally:
        await server.stop()


@contextlib.asynccontextmanager
async def _nodes(
    arguments: argparse.Namespace, network: str, directory: Path, client: ApiClient, tls: ssl.SSLContext
) -> AsyncIterator[Nodes]:
    """Controllers and kubelets, running."""
    informers = [Informer(client, each) for each in (DEPLOYMENTS, REPLICA_SETS, PODS, NODES, JOBS)]
    deployments, replica_sets, pods, nodes, jobs = informers

    def command(launch: Launch) -> list[str]:
        where = ["--image", launch.image, "--address", launch.address, "--root", str(launch.root)]
        return [*arguments.pod_command, *where, *(["--", *launch.arguments] if launch.arguments else [])]

    addresses, environment = AddressPool(network, overlay=arguments.overlay), base_environment(_REPOSITORY)
    kubelets = [
        Kubelet(
            Node(
                f"{arguments.name}-node-{number}",
                addresses.node(number),
                client,
                addresses,
                directory,
                command,
                environment,
                tls,
            ),
            pods,
        )
        for number in range(1, _NODES + 1)
    ]
    loops = [
        DeploymentController(client, deployments, replica_sets).queue.run(),
        ReplicaSetController(client, replica_sets, pods).queue.run(),
        GarbageCollector(client, replica_sets, [deployments]).queue.run(),
        JobController(client, jobs, pods).queue.run(),
        GarbageCollector(client, pods, [replica_sets, jobs]).queue.run(),
        Scheduler(client, nodes, pods).queue.run(),
        *(kubelet.run() for kubelet in kubelets),
        *(informer.run() for informer in informers),
    ]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(loop) for loop in loops]
        for kubelet in kubelets:
            await kubelet.is_registered.wait()
        yield Nodes(kubelets, pods)
        for task in tasks:
            task.cancel()


async def _told_to_stop() -> None:
    """Returns at the end of standard input, or on SIGTERM or SIGINT."""
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    reader = asyncio.StreamReader()
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    ended = asyncio.create_task(reader.read())
    signalled = asyncio.create_task(stopped.wait())
    await asyncio.wait({ended, signalled}, return_when=asyncio.FIRST_COMPLETED)
    for task in (ended, signalled):
        task.cancel()
    transport.close()


if __name__ == "__main__":
    main()
