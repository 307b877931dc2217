"""Pod addresses from 127.0.0.0/8, which need no set-up on Linux."""

from __future__ import annotations

import ipaddress

_NOWHERE = ("198", "18")


class AddressPool:
    """Addresses of one /16, given out in turn so that a new pod never has the address of the one before."""

    def __init__(self, network: str, *, overlay: bool = False) -> None:
        """`network` is two octets, for example `127.77`. Raises ValueError for anything outside loopback.

        `overlay`: what pods are said to have are addresses that mean nothing outside the node.
        """
        self._overlay = overlay
        self._network = ipaddress.ip_network(f"{network}.0.0/16")
        if not self._network.is_loopback:
            raise ValueError(f"The pod network {network} is not in 127.0.0.0/8. Choose one such as 127.77.")
        self._next = 256  # the first 255 are the nodes'
        self._taken: set[str] = set()

    def node(self, number: int) -> str:
        """The address of the first node, the second and so on."""
        return str(self._network[number])

    def take(self) -> str:
        """The next free address. Raises RuntimeError when all are taken."""
        for _ in range(self._network.num_addresses):
            self._next = 256 if self._next >= self._network.num_addresses - 1 else self._next + 1
            address = str(self._network[self._next - 1])
            if address not in self._taken and not address.endswith((".0", ".255")):
                self._taken.add(address)
                return address
        raise RuntimeError(f"All pod addresses of {self._network} are taken.")

    def told(self, address: str) -> str:
        """The pod's address as the API tells it. Of an overlay: one of 198.18.0.0/16, a block for benchmarks (RFC 2544) that
        nobody routes."""
        return ".".join([*_NOWHERE, *address.split(".")[2:]]) if self._overlay else address

    def give_back(self, address: str) -> None:
        self._taken.discard(address)
