"""`scalar-backup unpause`: resumes pods that a run has left paused, also when everything but the pods is down."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import click
from rich.text import Text

from shared.cli.operator import Operator, pass_operator
from shared.cli.output import columns, note, output_option, second, span, write
from shared.model.errors import BackupError, PodsMayBePaused
from shared.model.journal import PauseJournal
from shared.model.plan import AksCluster, Cluster, EksCluster, Release
from shared.model.pods import AdminTarget, ReleaseSnapshot
from shared.model.run import PausedSample, Resumed
from shared.steps.ports import Rooms
from shared.steps.resuming import BUDGET_SECONDS
from shared.steps.watchdog import resume_journal

PODS_SHOWN = 20


@click.command()
@click.option("--plan", help="Resume what runs of this plan have paused.")
@click.option("--run", help="Resume what this run has paused.")
@click.option("--all", "everything", is_flag=True, help="Resume everything that the journal knows to be paused.")
@click.option("--eks", metavar="CLUSTER", help="Without the journal: name of the EKS cluster.")
@click.option("--aks", metavar="CLUSTER", help="Without the journal: name of the AKS cluster.")
@click.option("--resource-group", metavar="NAME", help="Without the journal: resource group of the AKS cluster.")
@click.option("--subscription", metavar="ID", help="Without the journal: subscription of the AKS cluster.")
@click.option("--namespace", help="Without the journal: namespace of the release.")
@click.option("--helm-release", metavar="NAME", help="Without the journal: name of the Helm release.")
@click.option("--admin-port", type=click.IntRange(1, 65535), help="Without the journal: Admin port, when it is not found.")
@click.option("--yes", is_flag=True, help="Without the journal: do not ask.")
@click.option("--via-function", is_flag=True, help="Let the deployment do it, when this machine cannot reach the pods.")
@output_option
@pass_operator
def unpause(
    operator: Operator, plan: str | None, run: str | None, everything: bool, eks: str | None, aks: str | None,
    resource_group: str | None, subscription: str | None, namespace: str | None, helm_release: str | None,
    admin_port: int | None, yes: bool, via_function: bool, output: str,
) -> None:  # fmt: skip
    """Resume paused pods, and prove that they run.

    From the journal, it resumes exactly what a run has paused: give --plan, --run or --all. When the catalog cannot be
    reached, it finds the pods by the labels of their Helm release: give --namespace, --helm-release and the cluster, by
    --eks or by --aks with --resource-group and --subscription.

    Exit code 1 when a pod may still be paused; each is named.

    \b
    Examples:
      scalar-backup unpause --plan orders-prod
      scalar-backup unpause --all --via-function
      scalar-backup --region ap-northeast-1 unpause --eks prod-tokyo --namespace scalar --helm-release orders
    """
    labels = [eks, aks, resource_group, subscription, namespace, helm_release]
    if [bool(plan), bool(run), everything, any(labels)].count(True) != 1:
        raise click.UsageError("Give one of --plan, --run, --all, or a cluster with --namespace and --helm-release.")
    cluster = _cluster(operator, eks, aks, resource_group, subscription)
    if cluster and namespace and helm_release:
        if via_function:
            raise click.UsageError("--via-function works from the journal: give --plan, --run or --all.")
        release = Release(
            cluster=cluster,
            namespace=namespace,
            helm_release=helm_release,
            admin_port=admin_port,
        )
        _by_labels(operator, release, yes, output)
        return
    if any(labels) or admin_port or yes:
        raise click.UsageError(
            "A cluster, --namespace and --helm-release belong together; --admin-port and --yes go with them. The cluster is "
            "--eks, or --aks with --resource-group and --subscription."
        )
    if via_function:
        _by_function(operator, plan, run, output)
    else:
        _by_journal(operator, plan, run, output)


def _cluster(
    operator: Operator, eks: str | None, aks: str | None, resource_group: str | None, subscription: str | None
) -> Cluster | None:
    """The one that is named, if it is named as a whole and no other is."""
    on_azure = [aks, resource_group, subscription]
    if eks and not any(on_azure):
        return EksCluster(name=eks, region=operator.region)
    if aks and resource_group and subscription and not eks:
        return AksCluster(name=aks, resource_group=resource_group, subscription=subscription)
    return None


def _by_journal(operator: Operator, plan: str | None, run: str | None, output: str) -> None:
    journals = _open_pauses(operator, plan, run)
    _show(operator, journals)
    outcomes = asyncio.run(_resume_all(journals, operator.rooms))
    _answer([item.run for item, error in zip(journals, outcomes, strict=True) if error is None], journals, output)
    if failed := [error for error in outcomes if error is not None]:
        raise _joined(failed)


def _open_pauses(operator: Operator, plan: str | None, run: str | None) -> tuple[PauseJournal, ...]:
    found = operator.catalog.open_pauses()
    chosen = tuple(item for item in found if (not plan or item.plan == plan) and (not run or item.run == run))
    if found and not chosen:
        note(f"Nothing of it is paused. Open pauses there are: {', '.join(item.run for item in found)}.")
    elif not found:
        note("Nothing is paused by this product: its journal has no open entry.")
    return chosen


def _show(operator: Operator, journals: Sequence[PauseJournal]) -> None:
    for item in journals:
        note(
            f"Run {item.run}, attempt {item.attempt}: paused since {second(item.opened_at)}; "
            f"the watchdog resumes it at {second(item.resume_by)}."
        )
        for release in item.releases:
            note(f"  {release.key} ({release.product})")
            for target in release.targets[:PODS_SHOWN]:
                note(f"    {target.pod} ({target.address})")
            if len(release.targets) > PODS_SHOWN:
                note(f"    and {len(release.targets) - PODS_SHOWN} more pods")
        if item.left_alone:
            note(f"Left alone, because this run has not paused them: {', '.join(item.left_alone)}.")
        left = (item.resume_by - operator.now()).total_seconds()
        if left > 0:
            note(f"Run {item.run} may still be at work for {span(left)}; resuming now makes its window invalid.")


async def _resume_all(journals: Sequence[PauseJournal], rooms: Rooms) -> list[BackupError | None]:
    """One loop for all: the Admin connections belong to it."""
    return [await _resume_one(journal, rooms) for journal in journals]


async def _resume_one(journal: PauseJournal, rooms: Rooms) -> BackupError | None:
    try:
        await resume_journal(journal, "operator", rooms)
    except PodsMayBePaused as error:
        return error
    except BackupError as error:
        # Resuming itself fails in one way only; anything else comes from the catalog or the event bus, afterwards.
        note(f"All pods of run {journal.run} run again, but that could not be recorded: the watchdog will do so.")
        return error
    return None


def _joined(failed: Sequence[BackupError]) -> BackupError:
    """All messages in one error; pods that may be paused weigh more than a record that was not written."""
    worst = next((error for error in failed if isinstance(error, PodsMayBePaused)), failed[0])
    if len(failed) == 1:
        return worst
    return type(worst)("\n".join(error.message for error in failed), hint=worst.hint)


def _answer(resumed: Sequence[str], journals: Sequence[PauseJournal], output: str) -> None:
    pods = [target.pod for item in journals if item.run in resumed for target in item.to_resume]
    data = {"runs": list(resumed), "resumed": len(pods), "pods": pods}
    write(output, data, lambda: Text(f"{len(pods)} pods resumed and verified" if pods else "no pods resumed"))


def _by_function(operator: Operator, plan: str | None, run: str | None, output: str) -> None:
    """For --all, the open entries are read here and handed over one by one."""
    selectors: list[dict[str, str]] = [{"run": run}] if run else [{"plan": plan}] if plan else []
    if not selectors:
        selectors = [{"run": item.run} for item in _open_pauses(operator, None, None)]
    answers = [operator.engine.unpause(selector) for selector in selectors]
    data: dict[str, Any] = {
        "runs": [name for answer in answers for name in answer.get("runs", [])],
        "resumed": sum(answer.get("resumed", 0) for answer in answers),
    }
    write(output, data, lambda: Text(f"{data['resumed']} pods resumed by the deployment"))


def _by_labels(operator: Operator, release: Release, yes: bool, output: str) -> None:
    paused, sample, resumed = asyncio.run(_resume_by_labels(operator, release, yes))
    stuck = [item for item in resumed if item.problem]
    pods = [item.pod for item in resumed if not item.problem]
    data = {"runs": [], "resumed": len(pods), "pods": pods}
    nothing = f"no pod of {release.key} is paused: {len(sample.not_paused)} run"
    write(output, data, lambda: Text(f"{len(pods)} pods resumed and verified" if paused else nothing))
    if stuck:
        raise PodsMayBePaused(
            f"{len(stuck)} pods of {release.key} may still be paused: {'; '.join(f'{x.pod}: {x.problem}' for x in stuck)}.",
            hint=f"Try again, or restart them: kubectl -n {release.namespace} rollout restart deployment.",
        )


async def _resume_by_labels(
    operator: Operator, release: Release, yes: bool
) -> tuple[list[AdminTarget], PausedSample, tuple[Resumed, ...]]:
    """Resumes the pods that say they are paused, and those that do not answer: an Unpause is harmless to a pod that runs."""
    rooms = operator.rooms_without_deployment
    (snapshot,) = rooms.releases.observe([release])
    sample = await rooms.admin.check_paused(snapshot.targets)
    paused = [target for target in snapshot.targets if target.pod not in sample.not_paused]
    if not paused:
        return [], sample, ()
    _warn(snapshot, sample, paused)
    if not yes:
        click.confirm("Resume them?", abort=True, err=True)
    return paused, sample, await rooms.admin.resume(paused, BUDGET_SECONDS)


def _warn(snapshot: ReleaseSnapshot, sample: PausedSample, paused: Sequence[AdminTarget]) -> None:
    rows = [(item.pod, item.address, "no answer" if item.pod in sample.unknown else "paused") for item in paused]
    note(columns(("POD", "ADDRESS", "STATE"), rows))
    note(
        f"Without the journal nobody can tell whose pause of {snapshot.release.key} this is. A backup by another tool or "
        "person that is under way would become worthless.",
        style="yellow",
    )
