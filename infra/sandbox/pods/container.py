"""One container from start to end: its properties, its ports, its share of the bank's load, its faults and its SIGTERM."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

import grpc

from infra.sandbox.bank.release_storages import storages_of, store_across
from infra.sandbox.bank.store import Store
from infra.sandbox.bank.workers import Bank, BankSettings
from infra.sandbox.pods import metrics, properties, server
from infra.sandbox.pods.faults import Faults
from infra.sandbox.pods.images import Port, Product, product_of
from infra.sandbox.pods.properties import Properties, PropertiesError
from infra.sandbox.pods.server import Pod

# The products' default is 30 s. A sandbox that scales down and rolls pods all the time cannot wait that long, so a
# file that says nothing gets this; a file that names a duration gets what it says.
_DECOMMISSIONING_SECONDS = 0.5
_LAST_TRANSFERS_SECONDS = 2.0
_KILLED_EXIT_CODE = 137

Report = Callable[[str], None]


@dataclass(frozen=True)
class Container:
    """What the kubelet knows of a container. `root` is its file system, `environment` its environment."""

    image: str
    address: str
    root: Path
    environment: Mapping[str, str]

    async def run(self, report: Report) -> None:
        """Runs until SIGTERM or SIGINT has been obeyed. `report` gets lines for the container's log.

        Raises UnknownImage, PropertiesError, PortInUse, InvalidFault, InvalidSetting: the container does not start.
        """
        stopping = asyncio.Event()
        for signal_number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(signal_number, stopping.set)
        product = product_of(self.image)
        faults = Faults.from_environment(self.environment)
        settings = self._load(product)
        bank_settings = BankSettings.from_environment(self.environment)
        store = self._store(settings, bank_settings) if bank_settings.workers else None
        decommissioning_seconds = _decommissioning_seconds(product, settings, faults)
        async with AsyncExitStack() as running:
            if faults.crash_after is not None:
                _exit_after(faults.crash_after, _KILLED_EXIT_CODE, running)
            await asyncio.sleep(faults.start_delay or 0)
            pod = await self._open_admin_port(product, settings, faults, running)
            bank = Bank(store, pod.gate, bank_settings, report) if store and pod else None
            await self._open_other_ports(product, settings, pod, bank, running)
            async with asyncio.TaskGroup() as work:
                stuck = work.create_task(_hold_a_request(pod, faults.stuck_transaction))
                if bank is not None:
                    work.create_task(bank.run())
                report(f"{product.name} ({self.image}) ready on {self.address}")
                await stopping.wait()
                await asyncio.sleep(decommissioning_seconds)
                stuck.cancel()
                if bank is not None:
                    bank.close()
                    _exit_after(_LAST_TRANSFERS_SECONDS, 0, running)
        report(f"{product.name} stopped")

    def _load(self, product: Product) -> Properties:
        if not product.properties_paths:
            return {}
        return properties.load(self.root, product.properties_paths, self.environment)

    async def _open_admin_port(
        self, product: Product, settings: Properties, faults: Faults, running: AsyncExitStack
    ) -> Pod | None:
        if product.admin is None or product.generation is None:
            return None
        credentials = self._credentials(product, settings)
        number = _number(product.admin, settings)
        dedicated = settings.get(product.dedicated_admin_property or "", "")
        if dedicated:
            # The product's own port stays, without the Admin service on it.
            await self._listen(number, credentials, running)
            number = _port_number(dedicated, product.dedicated_admin_property)
        pod = await server.start(
            self.address,
            number,
            product.generation,
            credentials=credentials,
            latency_seconds=faults.pause_latency or 0.0,
        )
        running.push_async_callback(pod.stop)
        return pod

    async def _open_other_ports(
        self, product: Product, settings: Properties, pod: Pod | None, bank: Bank | None, running: AsyncExitStack
    ) -> None:
        credentials = self._credentials(product, settings)
        for port in product.other_grpc_ports:
            await self._listen(_number(port, settings), credentials, running)
        for port in product.http_ports:
            listener = await metrics.serve(self.address, _number(port, settings), lambda: _samples(pod, bank))
            running.callback(listener.close)

    async def _listen(self, number: int, credentials: grpc.ServerCredentials | None, running: AsyncExitStack) -> None:
        listener, _ = await server.listen(self.address, number, credentials)
        running.push_async_callback(listener.stop, None)

    def _credentials(self, product: Product, settings: Properties) -> grpc.ServerCredentials | None:
        tls = product.tls
        if tls is None or settings.get(tls.enabled, "false").lower() != "true":
            return None
        key, chain = (self._read_file(settings, name) for name in (tls.private_key_path, tls.cert_chain_path))
        return grpc.ssl_server_credentials([(key, chain)])

    def _read_file(self, settings: Properties, name: str) -> bytes:
        path = settings.get(name)
        if not path:
            raise PropertiesError(f"TLS is switched on, but the property {name} is missing.")
        try:
            return (self.root / path.lstrip("/")).read_bytes()
        except OSError as error:
            raise PropertiesError(
                f"The file {path}, named by the property {name}, cannot be read: {error.strerror}. Probably the Secret with "
                "the certificate is not mounted there."
            ) from error

    def _store(self, settings: Properties, bank_settings: BankSettings) -> Store | None:
        """None when the properties name a database that the bank does not speak to."""
        planes = bank_settings.sql_url, bank_settings.documents_url
        own = storages_of(settings, *planes)
        if not bank_settings.peer_properties:
            return own and own.store(bank_settings.workers)
        # The file's placeholders are filled from this container's environment: the other release's is not there.
        peer = storages_of(properties.load(self.root, (bank_settings.peer_properties,), self.environment), *planes)
        return own and peer and store_across(own, peer, bank_settings.peer_tables, bank_settings.workers)


def _decommissioning_seconds(product: Product, settings: Properties, faults: Faults) -> float:
    if faults.decommissioning is not None:
        return faults.decommissioning
    text = settings.get(product.decommissioning_property or "", "")
    if not text:
        return _DECOMMISSIONING_SECONDS
    if not text.isdecimal():
        raise PropertiesError(f"The property {product.decommissioning_property} is {text!r}; it must be whole seconds.")
    return float(text)


def _number(port: Port, settings: Properties) -> int:
    text = settings.get(port.property or "", "")
    return _port_number(text, port.property) if text else port.number


def _port_number(text: str, name: str | None) -> int:
    if not text.isdecimal() or not 0 < int(text) < 1 << 16:
        raise PropertiesError(f"The property {name} is {text!r}; it must be a port number.")
    return int(text)


async def _hold_a_request(pod: Pod | None, seconds: float | None) -> None:
    if pod is not None and seconds is not None:
        async with pod.gate.request():
            await asyncio.sleep(seconds)


def _exit_after(seconds: float, exit_code: int, running: AsyncExitStack) -> None:
    """Ends the process without ceremony, unless the container has ended by itself before.

    Neither a thread that waits for a database nor a transfer that a paused pod holds may keep it alive.
    """
    running.callback(asyncio.get_running_loop().call_later(seconds, os._exit, exit_code).cancel)


def _samples(pod: Pod | None, bank: Bank | None) -> Mapping[str, float]:
    samples: dict[str, float] = {"sandbox_up": 1}
    if pod is not None:
        samples |= {"sandbox_paused": not pod.gate.is_open, "sandbox_outstanding_requests": pod.gate.outstanding}
    if bank is not None:
        samples |= {f"bank_{name}_total": value for name, value in asdict(bank.counts).items()}
    return {name: float(value) for name, value in samples.items()}
