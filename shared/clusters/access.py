"""What it takes to enter a cluster by another protocol than plain requests."""

from __future__ import annotations

from typing import NamedTuple

from shared.clusters.connection import TokenSource


class Access(NamedTuple):
    """`name` is how messages call the cluster, `sign_in_hint` says what to do when it refuses the token."""

    endpoint: str
    ca_pem: str
    tokens: TokenSource
    name: str
    sign_in_hint: str
