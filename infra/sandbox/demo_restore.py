"""The second half of `make demo`: the bank loses data, a restore brings back the state of the point to the last row, and an
undo brings back what was there before."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass

from rich.console import Console

from infra.sandbox.bank import damage
from infra.sandbox.bank.audit import Audit
from infra.sandbox.bank.layouts import audit_live, fingerprint
from infra.sandbox.bank_worlds import live_layout
from infra.sandbox.cluster.api.resources import DEPLOYMENTS, PODS
from infra.sandbox.cluster.charts import CHARTS
from infra.sandbox.cluster.client import STRATEGIC_MERGE_PATCH
from infra.sandbox.demo_scene import Scene
from infra.sandbox.releases_world import NAMESPACE, PLAN_NAME, RELEASE, ROOT, ReleasesWorld

DROPPED, OVERWRITTEN = "bank.wallets", "bank.checking"
_PLAN_ID = re.compile(r"--plan-id\s+(\S+)")


@dataclass(frozen=True)
class Recovery:
    """`restored`: every row of every table is as in the copy of the point. `undone`: every row is as before the restore, and
    the dropped table is missing again."""

    damaged: Audit
    after_restore: Audit
    restored: bool
    undone: bool

    @property
    def is_good(self) -> bool:
        return not self.damaged.is_consistent and self.after_restore.is_consistent and self.restored and self.undone


def lose_restore_undo(console: Console, scene: Scene, kept: str) -> Recovery | None:
    """`kept` is the fingerprint of the point's copy. None when a command failed; its output says why."""
    world = scene.world
    console.print(
        "\n[bold]Disaster.[/] The bank closes for the night (so that every row can be compared), and a script goes wrong:"
    )
    _stand_still(world)
    layout, opening = live_layout(world, RELEASE), world.scale.opening
    damage.drop_table(layout, DROPPED)
    rows = damage.overwrite_rows(layout, OVERWRITTEN)
    damaged, before = audit_live(layout, opening), fingerprint(layout)
    console.print(f"  table {DROPPED} dropped, {rows} balances of {OVERWRITTEN} overwritten: {damaged.explain()}")
    planned = _command(console, "restore", "plan", PLAN_NAME)
    plan_id = _PLAN_ID.search(planned or "")
    if plan_id is None or _command(console, "restore", "apply", PLAN_NAME, "--plan-id", plan_id[1], "--yes") is None:
        return None
    layout = live_layout(world, RELEASE)
    found, restored = audit_live(layout, opening), fingerprint(layout) == kept
    console.print(f"  the live tables: {found.explain()} Every row is that of the point: {'yes' if restored else 'NO'}.")
    (run,) = [run for run in scene.operator.catalog.runs(PLAN_NAME) if run.kind == "restore"]
    if _command(console, "restore", "undo", run.id, "--yes") is None:
        return None
    undone = fingerprint(live_layout(world, RELEASE)) == before
    console.print(f"  what was there before the restore is there again: {'yes, row by row' if undone else 'NO'}.")
    return Recovery(damaged, found, restored, undone)


def _stand_still(world: ReleasesWorld) -> None:
    """The pods are replaced by others that move no money."""
    chart = CHARTS["scalardb-cluster"]
    before = {pod["metadata"]["uid"] for pod in world.pods}
    (deployment,) = world.kube.list_objects(DEPLOYMENTS, NAMESPACE, f"app.kubernetes.io/instance={RELEASE}")
    name = deployment["metadata"]["name"]
    container = {"name": chart.container, "env": [{"name": "BANK_WORKERS", "value": "0"}]}
    patch = {"spec": {"template": {"spec": {"containers": [container]}}}}
    world.kube.patch(DEPLOYMENTS, NAMESPACE, name, patch, content_type=STRATEGIC_MERGE_PATCH)
    world.kube.wait_until(
        PODS,
        NAMESPACE,
        lambda pods: not before & {pod["metadata"]["uid"] for pod in pods},
        f"the pods of {RELEASE} are replaced",
    )
    world.kube.wait_until_ready(NAMESPACE, name, timeout_seconds=60)


def _command(console: Console, *arguments: str) -> str | None:
    """Runs the command line as a person would; its output, or None when it failed.

    What is waited for tells its story on stderr, and repeats the end of it on stdout for scripts.
    """
    console.print(f"\n[bold cyan]$ scalar-backup {' '.join(arguments)}")
    ended = subprocess.run(
        [sys.executable, "-m", "shared.cli", *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False
    )
    if arguments[1] == "plan":
        console.out(ended.stdout, highlight=False)
    return ended.stdout if ended.returncode == 0 else None
