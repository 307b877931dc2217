"""`make demo`: on each cloud the backup of a busy bank, the proof of what it is worth, a disaster, its restore and the undo.

Everything shown is the product itself: the command line, the deployed state machines and handlers on AWS, the function app on
Azure. Set SCALAR_BACKUP_DEMO=short for a shorter run-up.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import yaml
from rich.console import Console
from rich.live import Live
from rich.panel import Panel
from rich.table import Table

from infra.sandbox.bank.audit import Audit
from infra.sandbox.control_plane_option import add_control_plane
from infra.sandbox.demo_restore import Recovery, lose_restore_undo
from infra.sandbox.demo_scene import FUNCTIONS_HOST, SCENES, OnFunctionsHost, Scene
from infra.sandbox.functions_host import missing_tools
from infra.sandbox.releases_world import PLAN_NAME, ROOT, ReleasesWorld
from shared.cli.follow import View, follow, only_new
from shared.cli.progress import picture, story
from shared.model.plan_document import parse_plan
from shared.model.restore_point import PauseWindow, RestorePoint
from shared.model.times import iso
from shared.steps.evidence import load_evidence

BOTH = "both"
RUN_UP_SECONDS = 3.0 if os.environ.get("SCALAR_BACKUP_DEMO") == "short" else 8.0
BUSY_SECONDS = 4
"""So many are looked at, if need be: on a slow machine little is under way in any one of them."""
AFTER_SECONDS = 4.0
"""Transfers go on for so long after the run, so that a busy second exists on either side of the pause."""


@dataclass(frozen=True)
class Proof:
    """`kept` is the fingerprint of the copy of the point."""

    at_point: Audit
    kept: str
    busy_at: datetime
    at_busy: Audit


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m infra.sandbox.demo", description=__doc__)
    clouds = [*SCENES, BOTH, FUNCTIONS_HOST]
    parser.add_argument(
        "--cloud",
        choices=clouds,
        default=BOTH,
        help=f"{FUNCTIONS_HOST}: the function app on Core Tools and Azurite (default: {BOTH}, one after the other)",
    )
    add_control_plane(parser)
    arguments = parser.parse_args()
    console, plane = Console(), arguments.control_plane
    if arguments.cloud == FUNCTIONS_HOST:
        if missing := missing_tools():
            console.print(f"Not run: Microsoft's own Functions host needs {' and '.join(missing)} on PATH.", highlight=False)
            console.print("The same app runs on the sandbox's own host: make demo CLOUD=azure.")
            return 1
        return 0 if _tell(console, OnFunctionsHost(plane)) else 1
    chosen = list(SCENES) if arguments.cloud == BOTH else [arguments.cloud]
    good = [_tell(console, SCENES[cloud](plane)) for cloud in chosen]
    console.print("Next: README.md, then `scalar-backup points explain` in the sandbox: `.venv/bin/python -m infra.sandbox`.")
    return 0 if all(good) else 1


def _tell(console: Console, scene: Scene) -> bool:
    """The whole story on one cloud; whether it ended well."""
    began = time.monotonic()
    console.rule(f"[bold]scalar-backup on {scene.cloud}: one machine, the real product")
    with scene.world, scene.world.environment():
        _show_world(console, scene, time.monotonic() - began)
        _apply_plan(console, scene.world)
        time.sleep(RUN_UP_SECONDS)
        view = _run(console, scene)
        if not view.has_succeeded or view.point is None or view.run is None:
            console.print("[bold red]The run did not succeed; the lines above say why.")
            return False
        time.sleep(AFTER_SECONDS)
        proof = _prove(console, scene, view.point)
        picture_path = _timeline(scene, view.point)
        recovery = lose_restore_undo(console, scene, proof.kept)
        if recovery is None:
            console.print("[bold red]The restore or its undo did not succeed; the lines above say why.")
            return False
        return _summarise(console, scene, view.point, proof, recovery, picture_path, time.monotonic() - began)


def _show_world(console: Console, scene: Scene, seconds: float) -> None:
    what = Table.grid(padding=(0, 2))
    for name, about in scene.about():
        what.add_row(name, about)
    console.print(Panel(what, title=f"The sandbox is up after {seconds:.0f} s", title_align="left"))


def _apply_plan(console: Console, world: ReleasesWorld) -> None:
    file = world.state_dir / "plan.yaml"
    file.write_text(yaml.safe_dump(world.plan_document(), sort_keys=False))
    _command(console, "plan", "apply", str(file))
    _command(console, "check", PLAN_NAME)


def _command(console: Console, *arguments: str) -> None:
    """Runs the command line as a person would, in a process of its own, with its output as it comes."""
    console.print(f"\n[bold cyan]$ scalar-backup {' '.join(arguments)}")
    subprocess.run([sys.executable, "-m", "shared.cli", *arguments], cwd=ROOT, check=True)


def _run(console: Console, scene: Scene) -> View:
    """Follows the run that something other than the command line has caused."""
    how, execution = scene.begin()
    console.print(f"\n[bold]{how}", highlight=False)
    if not console.is_terminal:
        return follow(scene.operator, execution, PLAN_NAME, None, only_new(story, console.print))
    with Live(console=console, refresh_per_second=8) as live:
        return follow(scene.operator, execution, PLAN_NAME, None, lambda view: live.update(picture(view)))


def _prove(console: Console, scene: Scene, point: RestorePoint) -> Proof:
    console.print(f"\n[bold]Proof.[/] {scene.proof}")
    console.print("then the same from a second at which the bank was busy.")
    with scene.copy_of(point) as copy:
        at_point, kept = copy
    console.print(f"  at {iso(point.at or datetime.now(UTC))} (the point): {at_point.explain()}")
    for busy_at in _busy_seconds(point):
        with scene.copy_at(busy_at) as copy:
            at_busy = copy.audit
        console.print(f"  at {iso(busy_at)} (busy): {at_busy.explain()}")
        if not at_busy.is_consistent:
            break
    return Proof(at_point, kept, busy_at, at_busy)


def _busy_seconds(point: RestorePoint) -> list[datetime]:
    """Seconds shortly before the pause, when transfers were under way. One of them may happen to fall between two transfers."""
    last = (_window(point).confirmed_at - timedelta(seconds=2)).replace(microsecond=0)
    return [last - timedelta(seconds=earlier) for earlier in range(BUSY_SECONDS)]


def _window(point: RestorePoint) -> PauseWindow:
    if point.window is None:
        raise ValueError(f"{point.id} was captured without a pause")
    return point.window


def _timeline(scene: Scene, point: RestorePoint) -> Path:
    from shared.cli.timeline import timeline_svg

    evidence = load_evidence(scene.operator.catalog, point.id, _window(point).attempt)
    path = Path(tempfile.gettempdir()) / f"{point.id}.svg"
    path.write_text(timeline_svg(point, evidence), encoding="utf-8")
    return path


def _summarise(
    console: Console,
    scene: Scene,
    point: RestorePoint,
    proof: Proof,
    recovery: Recovery,
    picture_path: Path,
    seconds: float,
) -> bool:
    window = _window(point)
    evidence = load_evidence(scene.operator.catalog, point.id, window.attempt)
    held = (window.resume_began_at - window.confirmed_at).total_seconds()
    hold = parse_plan(scene.world.plan_document()).pause.hold_seconds
    resumed = max((item.answered_ms for item in evidence.resume.pods), default=0.0) if evidence.resume else 0.0
    first_sent = evidence.pause.first_sent_at if evidence.pause and evidence.pause.first_sent_at else window.confirmed_at
    whole = (window.resume_began_at - first_sent).total_seconds() + resumed / 1000
    bounds = next(iter(evidence.pause.confirmed.clocks.values())) if evidence.pause and evidence.pause.confirmed else None
    rows = Table.grid(padding=(0, 2))
    rows.add_row("restore point", f"{iso(point.at) if point.at else '-'}  ({point.phase.value}, run {point.id})")
    rows.add_row("paused", f"{whole:.2f} s from the first Pause to the last pod resumed, {window.pods} pods")
    rows.add_row(
        "",
        f"drain and fan-out {window.stagger_seconds:.2f} s · hold {hold:.0f} s · "
        f"overhead {held - hold:.3f} s · resume {resumed:.0f} ms",
    )
    samples = len(evidence.capture.samples) if evidence.capture else 0
    width = f", clock known to {1000 * bounds.width_seconds:.0f} ms" if bounds else ""
    rows.add_row(
        "evidence", f"{window.pods} acknowledgements, {samples} rounds of CheckPaused, pods compared and watched{width}"
    )
    tables = sum(len(reached.items) for reached in point.databases.values())
    rows.add_row("protected", f"{tables} {scene.kept}")
    rows.add_row("at the point", _verdict(proof.at_point))
    rows.add_row("at a busy second", _verdict(proof.at_busy))
    rows.add_row("after the disaster", _verdict(recovery.damaged))
    rows.add_row("restored", f"{_verdict(recovery.after_restore)}, {'row by row' if recovery.restored else '[red]rows differ'}")
    rows.add_row("undone", "[green]row by row[/] what was there before" if recovery.undone else "[red]rows differ")
    rows.add_row("timeline", str(picture_path))
    rows.add_row("took", f"{seconds:.0f} s")
    console.print(Panel(rows, title=f"Summary: {scene.cloud}", title_align="left"))
    proven = proof.at_point.is_consistent and not proof.at_busy.is_consistent
    if not proven:
        console.print("[bold red]The proof failed: the point must be consistent and the busy second must not.")
    if not recovery.is_good:
        console.print("[bold red]The restore must bring back the point, and the undo what was there before.")
    return proven and recovery.is_good


def _verdict(found: Audit) -> str:
    if found.is_consistent:
        return f"[green]consistent[/]: {found.resolved_total:,} of {found.expected_total:,}"
    return f"[yellow]not consistent[/]: {found.resolved_total:,} of {found.expected_total:,}, {len(found.torn)} torn transfers"


if __name__ == "__main__":
    sys.exit(main())
