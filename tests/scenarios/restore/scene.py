"""A bank of a scenario's own, and what happens to it: it is backed up, loses data, and a person pastes payloads into the
console of the Restore function."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from infra.sandbox import bank_worlds
from infra.sandbox.bank import damage, layouts
from infra.sandbox.bank.audit import Audit
from infra.sandbox.bank.layouts import BankLayout, BankRelease
from infra.sandbox.bank.opening import Opening
from infra.sandbox.cluster.api.resources import DEPLOYMENTS
from infra.sandbox.cluster.charts import CHARTS, full_name
from infra.sandbox.cluster.client import STRATEGIC_MERGE_PATCH
from infra.sandbox.releases_world import NAMESPACE
from shared.cli.engine import Execution
from shared.model.plan_document import parse_plan
from shared.model.run import Run, RunStatus
from shared.steps.evidence import load_evidence
from tests.scenarios.deployment import SHORT, Deployment, Refusal, eventually

CHART = CHARTS["scalardb-cluster"]
ACCOUNTS = 6
HOLD = "4s"
"""Long enough to read every table while the pods are paused."""
BACKUPS = 4
RESTORE_SECONDS = 110.0
LONGEST_SECONDS = 400
"""For pytest: many restores at once are set up for a whole module, and a machine may be busy with others."""


class Refused(AssertionError):
    """An answer was expected."""


@dataclass
class Bank:
    """`releases` are the Helm releases whose pods work on it, `plan` the plan that covers them."""

    deployment: Deployment
    plan: str
    releases: tuple[str, ...]
    opening: Opening
    _replaced: set[str] = field(default_factory=set)

    # -- the console

    def send(self, payload: Mapping[str, Any]) -> dict[str, Any] | Refusal:
        """A payload given to the restore function by a person."""
        return self.deployment.send(payload)

    def ask(self, action: str = "restore", **more: Any) -> dict[str, Any]:
        answer = self.send({"action": action, **({} if "run" in more else {"plan": self.plan}), **more})
        if isinstance(answer, Refusal):
            raise Refused(f"{answer.kind}: {answer.message}")
        return answer

    def refusal(self, action: str = "restore", **more: Any) -> Refusal:
        answer = self.send({"action": action, **({} if "run" in more else {"plan": self.plan}), **more})
        assert isinstance(answer, Refusal), answer
        return answer

    def confirm(self, planned: Mapping[str, Any]) -> Execution:
        """Pastes what the answer says, as it stands."""
        assert planned["ok"], planned["problems"]
        return self.started(planned["confirm_with"])

    def started(self, payload: Mapping[str, Any]) -> Execution:
        answer = self.send(payload)
        if isinstance(answer, Refusal):
            raise Refused(f"{answer.kind}: {answer.message}")
        self.deployment.followed.append(answer["execution"])
        return Execution(answer["execution"], "RUNNING")

    def ended(self, execution: Execution, seconds: float = RESTORE_SECONDS) -> Run:
        """The record of the run when its execution is over."""
        found = self.deployment.finish(execution, seconds)
        return self.run_of(found)

    def run_of(self, execution: Execution) -> Run:
        return self.deployment.catalog.run(self.deployment.input_of(execution)["run"])

    def carry_out(self, action: str = "restore", **more: Any) -> Run:
        """Two payloads: the first is answered with a plan, the second one carries it out."""
        return self.ended(self.confirm(self.ask(action, **more)))

    def restored(self, **more: Any) -> Run:
        return succeeded(self.carry_out("restore", **more))

    def undone(self, run: Run) -> Run:
        return succeeded(self.carry_out("undo", run=run.id))

    # -- the bank itself

    @property
    def live(self) -> BankLayout:
        """Where its pods would find it now."""
        return bank_worlds.live_layout(self.deployment.world, *self.releases)

    def fingerprint(self) -> str:
        """Of every row of every table, and of which tables are missing."""
        return layouts.fingerprint(self.live)

    def audit(self) -> Audit:
        return layouts.audit_live(self.live, self.opening)

    def until_at_work(self) -> None:
        """Until every account table has records that a transfer wrote."""
        layout = self.live

        def all_moved() -> bool:
            rows = (part.rows(table) for part in layout.parts() for table in part.tables if table in layout.account_tables)
            return all(any(row["tx_version"] > 1 for row in found) for found in rows)

        eventually(all_moved, f"money moves in every table of {self.plan}", 60)

    def until_ready(self) -> None:
        for name in self.deployments:
            self.deployment.world.kube.wait_until_ready(NAMESPACE, name, timeout_seconds=60)

    def set_workers(self, workers: int) -> None:
        """The pods are replaced by others with as many transfers at a time; 0 for a bank that stands still."""
        self.begin_set_workers(workers)
        self.until_replaced()

    def begin_set_workers(self, workers: int) -> None:
        container = {"name": CHART.container, "env": [{"name": "BANK_WORKERS", "value": str(workers)}]}
        changed = {"spec": {"template": {"spec": {"containers": [container]}}}}
        self._replaced = self.pod_uids
        for name in self.deployments:
            kube = self.deployment.world.kube
            kube.patch(DEPLOYMENTS, NAMESPACE, name, changed, content_type=STRATEGIC_MERGE_PATCH)

    def until_replaced(self) -> None:
        eventually(lambda: not self._replaced & self.pod_uids, f"the pods of {self.plan} are replaced", 60)
        self.until_ready()

    @property
    def deployments(self) -> list[str]:
        return [full_name(CHART.name, release) + CHART.suffix for release in self.releases]

    @property
    def config_maps(self) -> list[str]:
        """With the properties of each release."""
        return [full_name(CHART.name, release) + CHART.config_map_suffix for release in self.releases]

    @property
    def pod_uids(self) -> set[str]:
        return {pod["metadata"]["uid"] for release in self.releases for pod in self.deployment.world.pods_of(release)}

    def lose_data(self) -> str:
        """Overwrites one table and drops another one; the name of the latter."""
        layout = self.live
        first, *_, last = layout.account_tables
        damage.drop_table(layout, last)
        damage.overwrite_rows(layout, first, balance=7)
        return last

    # -- backups

    def backed_up(self) -> Run:
        execution = self.deployment.finish(self.deployment.start(self.plan), RESTORE_SECONDS)
        return succeeded(self.deployment.run_of(execution))

    def backed_up_at_work(self) -> tuple[Run, str]:
        """With the fingerprint of the bank as it was in the pause: taken when the pods were drained and confirmed so, and while
        nobody had resumed them. On a machine too busy to read everything in that time, another backup is made."""
        for _ in range(BACKUPS):
            execution = self.deployment.start(self.plan)
            self.deployment.run_when(execution, self._is_paused, f"the pause of {self.plan} is confirmed", 60)
            kept = self.fingerprint()
            was_in_time = all(self._all_paused(release) for release in self.releases)
            run = succeeded(self.deployment.run_of(self.deployment.finish(execution, RESTORE_SECONDS)))
            if was_in_time and len(run.attempts) == 1:
                return run, kept
        raise AssertionError(f"{BACKUPS} times a hold of {HOLD} was too short to read the bank of {self.plan}.")

    def _all_paused(self, release: str) -> bool:
        return sorted(self.deployment.paused_pods(release)) == sorted(self.deployment.addresses(release))

    def _is_paused(self, run: Run) -> bool:
        found = load_evidence(self.deployment.catalog, run.id, 1).pause
        return found is not None and found.confirmed is not None


@dataclass
class Story:
    """Fingerprints of one bank: at the restore point, after the loss, after the restore, after the undo. `audit` counts the
    money after the restore, whose record is `restore`."""

    bank: Bank
    kept: str = ""
    damaged: str = ""
    restored: str = ""
    undone: str = ""
    audit: Audit | None = None
    restore: Run | None = None
    problems: list[str] = field(default_factory=list)

    def lose_data(self) -> None:
        self.bank.lose_data()
        self.damaged = self.bank.fingerprint()


def restore_all(stories: Mapping[str, Story]) -> None:
    """Each bank with two payloads, all at the same time."""
    begun = {name: story.bank.confirm(story.bank.ask("restore")) for name, story in stories.items()}
    for name, execution in begun.items():
        story = stories[name]
        story.restore = succeeded(story.bank.ended(execution))
        story.restored, story.audit = story.bank.fingerprint(), story.bank.audit()


def undo_all(stories: Mapping[str, Story]) -> None:
    """What `restore_all` did."""
    begun = {}
    for name, story in stories.items():
        assert story.restore is not None
        begun[name] = story.bank.confirm(story.bank.ask("undo", run=story.restore.id))
    for name, execution in begun.items():
        story = stories[name]
        succeeded(story.bank.ended(execution))
        story.undone = story.bank.fingerprint()


def succeeded(run: Run) -> Run:
    assert run.status is RunStatus.SUCCEEDED, (run.status, run.cause)
    return run


def bank_of(
    deployment: Deployment,
    name: str,
    layout: BankLayout,
    releases: Mapping[str, BankRelease],
    databases: Sequence[Mapping[str, Any]],
    *,
    pods: int = 1,
    workers: int = 2,
    kept_copy: bool = True,
    of_release: Mapping[str, Any] | None = None,
    **pause: Any,
) -> Bank:
    """Opens the bank, installs its releases and applies the plan `name`. `databases` are the plan's entries, `of_release` is
    more of each of its releases. Its pods may not be ready yet: `until_at_work` waits for them."""
    world = deployment.world
    opening = bank_worlds.open_bank(layout, ACCOUNTS)
    if len(releases) == 1:
        ((helm_release, release),) = releases.items()
        bank_worlds.install(world, helm_release, release, opening, pods=pods, workers=workers, wait=False)
    else:
        first, second = releases.items()
        bank_worlds.install_two(world, first, second, opening, pods=pods, workers=workers)
    document = world.plan_document(name, **({**SHORT, "hold": HOLD} | pause))
    (one,) = document["releases"]
    document["releases"] = [one | {"helm_release": helm_release} | dict(of_release or {}) for helm_release in releases]
    document["databases"], document["backup"] = list(databases), {"kept_copy": kept_copy}
    deployment.catalog.put_plan(parse_plan(document), datetime.now(UTC))
    return Bank(deployment, name, tuple(releases), opening)
