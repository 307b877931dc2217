"""Blocks of loopback addresses for pods. A cluster holds one for as long as it lives: two clusters in one block would give one
address to two pods, of which the second cannot open its ports while the probes of both are answered by the first."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager

_HOLDING_PORT = 60_000  # on the block's first address, which no pod ever gets; it ends with the process in any case
_CHOICES = range(64, 192)


class NetworkTakenError(RuntimeError):
    """Another cluster on this machine holds the block."""


@contextmanager
def held_network(wanted: str | None) -> Iterator[str]:
    """The first two octets of a block that nobody else holds meanwhile: the `wanted` one, or the first that is free.

    Raises:
        NetworkTakenError: it is held by another cluster, or all are.
        ValueError: `wanted` is not two octets of 127.0.0.0/8.
    """
    network, holder = _hold_first([wanted] if wanted else [f"127.{second}" for second in _CHOICES])
    with holder:
        yield network


def _hold_first(networks: list[str]) -> tuple[str, socket.socket]:
    for network in networks:
        holder = socket.socket()
        try:
            holder.bind((f"{network}.0.1", _HOLDING_PORT))
        except OSError as error:
            holder.close()
            if error.errno == errno.EADDRINUSE:
                continue
            raise ValueError(f"The pod network {network} is not in 127.0.0.0/8. Choose one such as 127.77.") from error
        return network, holder
    which = f"The pod network {networks[0]} is" if len(networks) == 1 else "All pod networks are"
    raise NetworkTakenError(
        f"{which} held by other clusters on this machine. Leave --network out to get a free one, or stop the other sandbox."
    )
