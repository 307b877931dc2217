"""The life of one pod on the node: containers started, probed, restarted and, in the end, stopped within their grace."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import signal
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from infra.sandbox.cluster.api.resources import PODS
from infra.sandbox.cluster.api_client import ApiClient, ApiFailureError
from infra.sandbox.cluster.informer import Document
from infra.sandbox.cluster.logs import NoLogError
from infra.sandbox.cluster.node.addresses import AddressPool
from infra.sandbox.cluster.node.containers import ContainerProcess, Launch
from infra.sandbox.cluster.node.images import pull_failure
from infra.sandbox.cluster.node.materials import MaterialMissingError, Materials, arguments_of
from infra.sandbox.cluster.node.probes import Probe, ProbeUnsupportedError
from infra.sandbox.cluster.node.status import ContainerState, PodStatus
from infra.sandbox.cluster.port_forward import Streams

CommandFactory = Callable[[Launch], list[str]]

_RETRY_SECONDS = 0.5  # for a ConfigMap or Secret that is not there yet, and for an API that is away
_FIRST_BACKOFF_SECONDS, _LONGEST_BACKOFF_SECONDS = 1.0, 8.0  # 10 s to 5 min on a real node
_HEALTHY_SECONDS = 60.0  # a container that ran this long begins its back-off anew
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Node:
    """What all pods of the node share. `address` is the node's own, `addresses` are for pods and shared with other nodes.
    `base_environment` is every container's, before its own variables; `tls` is for the node's own HTTPS port."""

    name: str
    address: str
    client: ApiClient
    addresses: AddressPool
    directory: Path
    command: CommandFactory
    base_environment: dict[str, str]
    tls: ssl.SSLContext


class Pod:
    """Created bound and alive; `run` ends when the pod is gone from the node."""

    def __init__(self, node: Node, document: Document) -> None:
        self._node, self._document = node, document
        metadata = document["metadata"]
        self._namespace, self._name, self.uid = metadata["namespace"], metadata["name"], metadata["uid"]
        self._address = node.addresses.take()
        self._status = PodStatus(document, node.addresses.told(self._address), node.address)
        self._directory = node.directory / "pods" / self.uid
        self._processes: dict[str, ContainerProcess] = {}
        self._status_changed = asyncio.Event()
        self._terminating = asyncio.Event()
        self._kill_timer: asyncio.TimerHandle | None = None
        self._is_gone = False

    async def run(self) -> None:
        containers = self._document["spec"]["containers"]
        reporter = asyncio.create_task(self._keep_reporting())
        try:
            async with asyncio.TaskGroup() as group:
                for container, state in zip(containers, self._status.containers, strict=True):
                    group.create_task(self._run_container(container, state))
            self._status_changed.set()
            await self._terminating.wait()  # a pod that ended by itself stays until somebody deletes it
        finally:
            reporter.cancel()
            self.kill()
            self._node.addresses.give_back(self._address)
            shutil.rmtree(self._directory, ignore_errors=True)
        if not self._is_gone:
            await self._report_the_end()

    def terminate(self, grace_seconds: float) -> None:
        """Begins to stop the pod, or shortens the time that it has left."""
        if self._kill_timer is not None:
            self._kill_timer.cancel()
        self._kill_timer = asyncio.get_running_loop().call_later(grace_seconds, self.kill)
        self._terminating.set()

    def vanish(self) -> None:
        """The object is gone from the API: nothing is left to report to and nobody waits."""
        self._is_gone = True
        self._terminating.set()
        self.kill()

    def kill(self) -> None:
        for process in self._processes.values():
            process.kill()

    async def dial(self, port: int) -> Streams:
        """Connects to a port inside the pod. Raises OSError when nobody listens there."""
        return await asyncio.open_connection(self._address, port)

    def read_log(self, container: str, lines: int | None) -> str:
        """The last lines that the container has written since it was first started, all of them without a number. Raises
        NoLogError."""
        if why := next((each.why_no_log for each in self._status.containers if each.name == container), "unknown container"):
            raise NoLogError(f'container "{container}" in pod "{self._name}" is waiting to start: {why}')
        file = self._log_file(container)
        text = file.read_text(errors="replace") if file.exists() else ""
        return text if lines is None else "".join(text.splitlines(keepends=True)[-lines:] if lines else ())

    def signal(self, container: str | None, number: signal.Signals) -> None:
        """Signals a container. Raises LookupError when it does not run or the name is missing and not clear."""
        names = [container] if container else list(self._processes)
        if len(names) != 1 or names[0] not in self._processes:
            running = ", ".join(self._processes) or "none"
            raise LookupError(f"pod {self._namespace}/{self._name}: name one running container (running: {running})")
        process = self._processes[names[0]]
        if number == signal.SIGKILL:
            process.kill()
        else:
            process.signal(number)

    async def _run_container(self, container: dict[str, Any], state: ContainerState) -> None:
        backoff_seconds = 0.0
        while not self._terminating.is_set():
            process = await self._start(container, state)
            if process is None:
                await self._pause(_RETRY_SECONDS)
                continue
            exit_code = await self._watch_over(container, state, process)
            lived_seconds = (datetime.now(UTC) - process.started_at).total_seconds()
            self._status_changed.set()
            if self._terminating.is_set() or not self._restarts(exit_code):
                return
            if lived_seconds >= _HEALTHY_SECONDS:
                backoff_seconds = 0.0
            if backoff_seconds:
                message = f"back-off {backoff_seconds:.0f}s restarting failed container={container['name']}"
                state.wait("CrashLoopBackOff", message)
                await self._pause(backoff_seconds)
            backoff_seconds = min(max(_FIRST_BACKOFF_SECONDS, 2 * backoff_seconds), _LONGEST_BACKOFF_SECONDS)

    async def _start(self, container: dict[str, Any], state: ContainerState) -> ContainerProcess | None:
        """Starts the container, or notes why it cannot be started yet."""
        if failure := pull_failure(container["image"]):
            state.fail_to_pull(failure)
            self._status_changed.set()
            return None
        try:
            launch = await self._launch(container)
            self._probes(container)  # an unsupported probe is told before anything runs
            process = await ContainerProcess.start(self._node.command(launch), launch)
        except (MaterialMissingError, ProbeUnsupportedError) as error:
            state.wait("CreateContainerConfigError", str(error))
        except ApiFailureError as error:
            state.wait("ContainerCreating", f"the API did not answer: {error}")
        except OSError as error:
            state.wait("RunContainerError", str(error))
        else:
            self._processes[container["name"]] = process
            state.run(process.id, process.started_at)
            self._status_changed.set()
            return process
        self._status_changed.set()
        return None

    async def _launch(self, container: dict[str, Any]) -> Launch:
        materials = Materials(self._node.client, self._namespace)
        pod = {**self._document, "status": self._status.document()}
        environment = await materials.environment(container, pod)
        root = self._directory / container["name"]
        await materials.mount(container, self._document, root)
        log = self._log_file(container["name"])
        log.parent.mkdir(exist_ok=True)
        environment = {**self._node.base_environment, "HOSTNAME": self._name, **environment}
        return Launch(container["image"], self._address, root, environment, log, arguments_of(container, environment))

    def _log_file(self, container: str) -> Path:
        return self._node.directory / "logs" / f"{self._namespace}_{self._name}_{container}.log"

    async def _watch_over(self, container: dict[str, Any], state: ContainerState, process: ContainerProcess) -> int:
        """Until the process has ended, by itself, by a failed probe or because the pod is being deleted."""
        exited = asyncio.create_task(process.wait())
        health = asyncio.create_task(self._probe(container, state))
        terminating = asyncio.create_task(self._terminating.wait())
        try:
            await asyncio.wait({exited, health, terminating}, return_when=asyncio.FIRST_COMPLETED)
            if not exited.done():
                process.signal(signal.SIGTERM)
                if not self._terminating.is_set():  # unhealthy: the grace of a restart is the pod's own
                    grace_seconds = self._document["spec"]["terminationGracePeriodSeconds"]
                    asyncio.get_running_loop().call_later(grace_seconds, process.kill)
            exit_code = await exited
        finally:
            for task in (exited, health, terminating):
                task.cancel()
            self._processes.pop(container["name"], None)
        state.end(exit_code, "Completed" if exit_code == 0 else "Error", process.started_at)
        return exit_code

    async def _probe(self, container: dict[str, Any], state: ContainerState) -> None:
        """Keeps `started` and `ready` true to the probes; returns when the container has to be restarted."""
        startup, liveness, readiness = self._probes(container)
        if startup is not None and not await startup.first_success():
            return
        state.started = True
        state.ready = readiness is None
        self._status_changed.set()
        follow_up = [asyncio.create_task(self._follow_readiness(readiness, state))] if readiness else []
        try:
            if liveness is None:
                await asyncio.Event().wait()
            else:
                await liveness.failure()
        finally:
            for task in follow_up:
                task.cancel()

    def _probes(self, container: dict[str, Any]) -> tuple[Probe | None, Probe | None, Probe | None]:
        startup, liveness, readiness = (
            Probe(container[kind], container, self._address) if kind in container else None
            for kind in ("startupProbe", "livenessProbe", "readinessProbe")
        )
        return startup, liveness, readiness

    async def _follow_readiness(self, readiness: Probe, state: ContainerState) -> None:
        while True:
            if await readiness.first_success():
                state.ready = True
                self._status_changed.set()
                await readiness.failure()
                state.ready = False
                self._status_changed.set()

    def _restarts(self, exit_code: int) -> bool:
        policy = self._document["spec"]["restartPolicy"]
        return bool(policy == "Always" or (policy == "OnFailure" and exit_code != 0))

    async def _pause(self, seconds: float) -> None:
        """Waits, but not longer than the pod lives."""
        self._status_changed.set()
        try:
            async with asyncio.timeout(seconds):
                await self._terminating.wait()
        except TimeoutError:
            return

    async def _keep_reporting(self) -> None:
        while True:
            self._status_changed.clear()
            try:
                await self._report()
            except ApiFailureError as error:
                if error.status != 404:
                    _log.info("status of %s/%s not reported: %s", self._namespace, self._name, error)
                    await asyncio.sleep(_RETRY_SECONDS)
                    continue
            await self._status_changed.wait()

    async def _report(self) -> None:
        # The uid makes the server refuse the report when a later pod has taken the name.
        patch = {"metadata": {"uid": self.uid}, "status": self._status.document()}
        await self._node.client.patch(PODS, self._namespace, self._name, patch, subresource="status")

    async def _report_the_end(self) -> None:
        """Only now, with the last process gone, does the object disappear."""
        while True:
            try:
                await self._report()
                await self._node.client.delete(PODS, self._document, grace_seconds=0)
            except ApiFailureError as error:
                if error.status in (404, 409, 422):  # gone already, perhaps with a successor of the same name
                    return
                await asyncio.sleep(_RETRY_SECONDS)
            else:
                return


def base_environment(repository: Path) -> dict[str, str]:
    """What a container's process needs of this machine, and nothing else of it."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TZ") if name in os.environ}
    return {**kept, "PYTHONPATH": str(repository), "PYTHONUNBUFFERED": "1"}
