"""Which images a node can pull: all but those of a registry below `.invalid`, a domain that never resolves (RFC 2606)."""

from __future__ import annotations


def pull_failure(image: str) -> str:
    """What the container runtime says when it cannot pull the image; empty when it can."""
    host = image.partition("/")[0].partition(":")[0]
    if "/" not in image or not host.endswith(".invalid"):
        return ""
    return f'failed to pull and unpack image "{image}": failed to do request: dial tcp: lookup {host}: no such host'
