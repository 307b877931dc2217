"""`python -m infra.sandbox`: a world to try `scalar-backup` in, from a second terminal, until Ctrl-C."""

from __future__ import annotations

import argparse
import shlex
import signal
import sys
import tempfile
import threading
from pathlib import Path

import yaml
from rich.console import Console

from infra.sandbox.cluster.process import CONTROL_PLANES, REAL, STAND_IN
from infra.sandbox.cluster.real_control_plane import ASSETS_VARIABLE, find_assets
from infra.sandbox.world import PLAN_NAME, ROOT, STACK, Scale, World
from shared.model.times import iso

MOST_PODS = 100
"""Each pod is a process of its own, about 60 MB."""


def main() -> int:
    arguments = _arguments()
    console = Console(stderr=True)
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    console.print("Starting AWS, a cluster and the bank …")
    with World(Scale(pods=arguments.pods), control_plane=arguments.control_plane) as world:
        plan = _apply_plan(world)
        _explain(console, world, plan)
        print(_exports(world), flush=True)
        stopped.wait()
        console.print("Stopping …")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m infra.sandbox", description=__doc__)
    parser.add_argument("--pods", type=int, default=3, help=f"pods of the release, 1 to {MOST_PODS} (default: 3)")
    parser.add_argument(
        "--control-plane",
        choices=CONTROL_PLANES,
        default=STAND_IN,
        help=f"real: kube-apiserver and etcd from the folder that {ASSETS_VARIABLE} names (default: {STAND_IN})",
    )
    arguments = parser.parse_args()
    if not 1 <= arguments.pods <= MOST_PODS:
        parser.error(f"--pods must be 1 to {MOST_PODS}, not {arguments.pods}")
    if arguments.control_plane == REAL and find_assets() is None:
        parser.error(f"--control-plane real needs kube-apiserver and etcd: set {ASSETS_VARIABLE} to the folder that has them")
    return arguments


def _apply_plan(world: World) -> Path:
    """The plan is in the catalog, and in a file to play with."""
    with world.environment():
        world.rooms.catalog.put_plan(world.plan(), world.rooms.clock.now())
    path = world.state_dir / "plan.yaml"
    path.write_text(yaml.safe_dump(world.plan_document(), sort_keys=False))
    return path


def _exports(world: World) -> str:
    """Shell commands that lead a terminal here."""
    variables = {**world.aws.environment(), "SCALAR_BACKUP_STACK": STACK}
    path = f'export PATH={shlex.quote(str(Path(sys.executable).parent))}:"$PATH"'
    return "\n".join([path, *(f"export {name}={shlex.quote(value)}" for name, value in variables.items())])


def _explain(console: Console, world: World, plan: Path) -> None:
    console.print(f"[bold]{len(world.pods)} pods of {PLAN_NAME} are at work[/] since {iso(world.rooms.clock.now())}.")
    console.print("Paste the lines below into a second terminal, then for example:\n")
    for command in (
        f"scalar-backup check {PLAN_NAME}",
        f"scalar-backup backup run {PLAN_NAME} --wait",
        f"scalar-backup points explain {PLAN_NAME}",
        f"scalar-backup plan validate {plan}",
    ):
        console.print(f"  {command}", highlight=False)
    console.print(f"\nLogs and files: {world.state_dir} (below {tempfile.gettempdir()}). Ctrl-C ends everything.\n")


if __name__ == "__main__":
    sys.exit(main())
