"""The process of one container: `python -m infra.sandbox.pods --image IMAGE --address IP --root DIR`.

Its environment is the container's; the switches are documented in `faults` and in the bank's `workers`.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from pathlib import Path

from infra.sandbox.bank.workers import InvalidSetting
from infra.sandbox.pods import schema_loader
from infra.sandbox.pods.container import Container
from infra.sandbox.pods.faults import InvalidFault
from infra.sandbox.pods.images import UnknownImage
from infra.sandbox.pods.properties import PropertiesError
from infra.sandbox.pods.server import PortInUse


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m infra.sandbox.pods", description=__doc__)
    parser.add_argument("--image", required=True, help="for example ghcr.io/scalar-labs/scalardb-cluster-node:3.19.0")
    parser.add_argument("--address", required=True, help="the pod's IP, in 127.0.0.0/8")
    parser.add_argument("--root", required=True, type=Path, help="the container's file system")
    parser.add_argument("arguments", nargs="*", help="those of the container")
    options = parser.parse_args(arguments)
    if schema_loader.is_image(options.image):
        return schema_loader.main(options.image, options.root, options.arguments, dict(os.environ))
    container = Container(options.image, options.address, options.root, dict(os.environ))
    try:
        asyncio.run(container.run(_report))
    except (UnknownImage, PropertiesError, PortInUse, InvalidFault, InvalidSetting) as error:
        print(f"The container cannot start: {error}", file=sys.stderr)
        return 1
    return 0


def _report(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
