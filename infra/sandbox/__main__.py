"""`python -m infra.sandbox`: a world to try `scalar-backup` in, from a second terminal, until Ctrl-C."""

from __future__ import annotations

import argparse
import shlex
import signal
import sys
import threading
from pathlib import Path

import yaml
from rich.console import Console

from infra.sandbox.control_plane_option import add_control_plane
from infra.sandbox.world import PLAN_NAME, STACK, Scale, World
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
    add_control_plane(parser)
    arguments = parser.parse_args()
    if not 1 <= arguments.pods <= MOST_PODS:
        parser.error(f"--pods must be 1 to {MOST_PODS}, not {arguments.pods}")
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
    console.print(f"\nLogs and files: {world.state_dir}. Ctrl-C ends everything.\n")


if __name__ == "__main__":
    sys.exit(main())
