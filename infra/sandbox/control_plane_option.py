"""The option `--control-plane` of the sandbox's commands."""

from __future__ import annotations

import argparse

from infra.sandbox.cluster.process import CONTROL_PLANES, REAL, STAND_IN
from infra.sandbox.cluster.real_control_plane import ASSETS_VARIABLE, required_assets


def add_control_plane(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--control-plane",
        type=_available,
        metavar="{" + ",".join(CONTROL_PLANES) + "}",
        default=STAND_IN,
        help=f"real: kube-apiserver and etcd from the folder that {ASSETS_VARIABLE} names (default: {STAND_IN})",
    )


def _available(name: str) -> str:
    """Refused before anything is started."""
    if name not in CONTROL_PLANES:
        raise argparse.ArgumentTypeError(f"{name} is none: choose {' or '.join(CONTROL_PLANES)}")
    if name == REAL:
        try:
            required_assets()
        except RuntimeError as error:
            raise argparse.ArgumentTypeError(str(error)) from error
    return name
