"""`scalar-backup plan init`: writes a plan from what the releases really use, before anything is deployed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import click
import yaml

from shared.cli.operator import Operator, pass_operator
from shared.cli.output import note
from shared.model.coverage import locations
from shared.model.errors import BackupError, InvalidRequest
from shared.model.plan import EksCluster, Plan, Release, TlsSettings
from shared.model.plan_document import EXAMPLE, plan_document
from shared.model.pods import ReleaseSnapshot
from shared.model.records import replace
from shared.model.storage import ReleaseStorage, Storage
from shared.steps.ports import Releases

_HEAD = """\
# What these releases use, as their own properties say. Read it, then: scalar-backup plan apply FILE
"""
_GROUP = {"resource_group": "RESOURCE-GROUP", "subscription": "SUBSCRIPTION-ID"}
_MISSING = "A backup without it cannot be restored consistently."


class _Use(NamedTuple):
    """A storage of a release."""

    release: Release
    storage: Storage


@click.command()
@click.option("--eks", metavar="CLUSTER", required=True, help="Name of the EKS cluster, in the region of --region.")
@click.option("--namespace", required=True, help="Namespace of the releases.")
@click.option(
    "--helm-release", "helm_releases", metavar="NAME", multiple=True, required=True,
    help="Name of a Helm release; again for each that shares transactions with it. Elsewhere: NAMESPACE/NAME or "
    "CLUSTER/NAMESPACE/NAME.",
)  # fmt: skip
@click.option("--name", help="Name of the plan. Default: the first release's.")
@click.option("-o", "--file", type=click.Path(dir_okay=False, path_type=Path), help="Write to this new file. Default: stdout.")
@pass_operator
def init(
    operator: Operator, eks: str, namespace: str, helm_releases: tuple[str, ...], name: str | None, file: Path | None
) -> None:
    """Write a plan for releases that run in a cluster, with every database that their properties name.

    Needs no deployment, only the cluster. A database that cannot be backed up yet stands there as a comment.

    \b
    Examples:
      scalar-backup plan init --eks prod-tokyo --namespace scalar --helm-release orders -o orders-prod.yaml
      scalar-backup plan init --eks prod-tokyo --namespace scalar --helm-release ledger --helm-release audit/auditor
    """
    releases = [_release(text, eks, namespace, operator.region) for text in helm_releases]
    room = operator.rooms_without_deployment.releases
    storages = room.storage(releases)
    looks = [_observe(room, release) for release in releases]
    text = plan_text(name or _plan_name(releases[0]), releases, storages, looks)
    if file is None:
        click.echo(text, nl=False)
    else:
        _write_new(file, text)
        note(f"{file} is written. Read it, then: scalar-backup plan apply {file}")
    for missing in _unsupported(_uses(releases, storages)):
        note(f"Not covered: {missing}", style="yellow")


def plan_text(
    name: str,
    releases: Sequence[Release],
    storages: Sequence[ReleaseStorage],
    looks: Sequence[ReleaseSnapshot | BackupError],
) -> str:
    """The plan as YAML with comments; `storages` and `looks` belong to `releases`, in their order."""
    lines = [_HEAD.rstrip(), f"name: {name}", "releases:"]
    for release, look in zip(releases, looks, strict=True):
        lines += [*_release_comments(look), *_item(_written(_with_tls(release, look)))]
    uses = _uses(releases, storages)
    databases = _databases(uses)
    lines.append("databases:" if databases else "databases: []")
    for key, (entry, users) in databases.items():
        lines += [f"  # {'; '.join(users)}.{_hint(key)}" if _hint(key) else f"  # {'; '.join(users)}", *_item(entry)]
    lines += [f"  # {missing}" for missing in _unsupported(uses)]
    schedule = yaml.safe_dump({"schedule": EXAMPLE["schedule"]}, sort_keys=False).splitlines()
    return "\n".join([*lines, *(f"# {line}" for line in schedule)]) + "\n"


def _release(text: str, eks: str, namespace: str, region: str) -> Release:
    parts = text.split("/")
    if not 1 <= len(parts) <= len(("cluster", "namespace", "name")) or not all(parts):
        raise InvalidRequest(
            f"--helm-release {text} is not a release.", hint="Write NAME, NAMESPACE/NAME or CLUSTER/NAMESPACE/NAME."
        )
    cluster, space, helm_release = [*(eks, namespace)[: 3 - len(parts)], *parts]
    return Release(cluster=EksCluster(name=cluster, region=region), namespace=space, helm_release=helm_release)


def _plan_name(release: Release) -> str:
    return re.sub("[^a-z0-9-]", "-", release.helm_release)[:40]


def _observe(room: Releases, release: Release) -> ReleaseSnapshot | BackupError:
    """What only makes the plan easier to read may be missing: a release that is stopped, say, or a CA that may not be read."""
    try:
        return room.observe([release])[0]
    except BackupError as error:
        return error


def _release_comments(look: ReleaseSnapshot | BackupError) -> Iterator[str]:
    if isinstance(look, BackupError):
        yield f"  # Could not be looked at: {_one_line(str(look))}"
        return
    yield f"  # {look.product}, {len(look.pods)} pods"
    for port, source in dict.fromkeys((target.port, target.port_source) for target in look.targets):
        yield f"  # Admin port {port}, found by itself: {source}"


def _with_tls(release: Release, look: ReleaseSnapshot | BackupError) -> Release:
    """TLS is found by itself as well; the plan says it so that its readers know, and so that a check fails when it is off."""
    found = [] if isinstance(look, BackupError) else [target.tls for target in look.targets if target.tls]
    return replace(release, tls=TlsSettings(enabled=True, server_name=found[0].server_name)) if found else release


def _written(release: Release) -> Any:
    return plan_document(Plan(name="", releases=(release,), databases=()))["releases"][0]


def _uses(releases: Sequence[Release], storages: Sequence[ReleaseStorage]) -> list[_Use]:
    return [_Use(release, storage) for release, of_it in zip(releases, storages, strict=True) for storage in of_it.storages]


def _databases(uses: Sequence[_Use]) -> dict[str, tuple[dict[str, Any], list[str]]]:
    """The entries of the plan by the database's key, each with who uses it."""
    found: dict[str, tuple[dict[str, Any], list[str]]] = {}
    for use in uses:
        key = _key(use.storage)
        if entry := _entry(key):
            found.setdefault(key, (entry, []))[1].append(_of(use))
    return found


def _key(storage: Storage) -> str:
    """A host does not tell an Aurora cluster from a Multi-AZ DB cluster: Aurora is the likelier one, and a comment says so."""
    return next(iter(locations(storage)))


def _entry(key: str) -> dict[str, Any] | None:
    """The plan's entry for a database's key; None when the properties do not name a database of a known kind."""
    kind, _, rest = key.partition(":")
    place, _, name = rest.rpartition(":")
    if kind == "dynamodb" and re.fullmatch("[a-z0-9-]+", rest):
        return {"dynamodb": {"region": rest}}
    match kind:
        case "rds" if name:
            return {"rds": {"instance": name, "region": place}}
        case "aurora" if name:
            return {"aurora": {"cluster": name, "region": place}}
        case "cosmos" if not place and name:
            return {"cosmos": {"account": name, **_GROUP}}
        case "mysql" | "postgresql" if not place and name:
            return {kind: {"server": name, **_GROUP}}
    return None


def _hint(key: str) -> str:
    """What has to be looked at by the one who reads the plan."""
    if key.startswith("aurora:"):
        return " If it is a Multi-AZ DB cluster of RDS, write rds instead of aurora."
    if key.startswith(("cosmos:", "mysql:", "postgresql:")):
        return " Fill in its resource group and subscription: the properties do not name them."
    return ""


def _unsupported(uses: Sequence[_Use]) -> Iterator[str]:
    for use in uses:
        if _entry(_key(use.storage)):
            continue
        where = f"{use.storage.kind} {_one_line(use.storage.contact_point) or 'without contact points'} ({_of(use)})"
        if use.storage.kind == "dynamo":
            yield f"{where}: which region it is could not be read. Name it here: - dynamodb: {{region: REGION}}. {_MISSING}"
        elif use.storage.kind in ("jdbc", "cosmos"):
            yield f"{where}: which database this address leads to is not to be seen from it. Name it here. {_MISSING}"
        else:
            yield f"{where}: not supported. {_MISSING}"


def _of(use: _Use) -> str:
    return f"storage {use.storage.name} of {use.release.helm_release}"


def _item(document: Any) -> list[str]:
    """One item of a list, indented by two."""
    lines = yaml.safe_dump([document], sort_keys=False, width=120).splitlines()
    return [f"  {line}" for line in lines]


def _one_line(text: str) -> str:
    """Fit for a comment."""
    return " ".join(text.split())


def _write_new(file: Path, text: str) -> None:
    try:
        with file.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError as error:
        raise InvalidRequest(f"{file} exists already.", hint="Choose another name: a plan is never overwritten.") from error
    except OSError as error:
        raise InvalidRequest(f"{file} cannot be written: {error.strerror}.", hint="Choose another place.") from error
