"""The YAML or JSON in which an owner writes a plan, and the way from there to `shared.model.plan.Plan` and back.

Only the command line uses this package, and only here is pydantic used: what the catalog keeps is valid already.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from shared.model.durations import format_duration
from shared.model.errors import InvalidPlan
from shared.model.plan import Cluster, EksCluster, Plan, Release
from shared.model.plan_document.database_sections import write_database
from shared.model.plan_document.problems import describe_problems
from shared.model.plan_document.sections import EXAMPLE, PlanDocument, plan_schema
from shared.model.plan_document.yaml_text import load_mapping
from shared.model.records import to_record

__all__ = ["EXAMPLE", "parse_plan", "plan_document", "plan_schema"]


def parse_plan(source: str | Mapping[str, Any]) -> Plan:
    """The plan that YAML or JSON text, or the mapping loaded from it, describes.

    Raises:
        InvalidPlan: the message lists every problem with its path, what is wrong and an example.
    """
    mapping = load_mapping(source) if isinstance(source, str) else source
    try:
        return PlanDocument.model_validate(mapping).to_plan()
    except ValidationError as error:
        problems = describe_problems(error, PlanDocument)
        name = mapping.get("name") if isinstance(mapping, Mapping) else None
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        title = f"The plan {name!r} has {count}:" if isinstance(name, str) else f"The plan has {count}:"
        raise InvalidPlan(
            "\n  ".join([title, *problems]) + "\n", hint="`scalar-backup plan schema` describes every key."
        ) from error


def plan_document(plan: Plan) -> dict[str, Any]:
    """The plan as its owner would write it, every default spelled out; `parse_plan` gives the same plan back."""
    document: dict[str, Any] = {
        "name": plan.name,
        "releases": [_write_release(release) for release in plan.releases if not release.is_participant],
        "participants": [_write_release(release) for release in plan.releases if release.is_participant],
        "databases": [write_database(database) for database in plan.databases],
        "two_phase_commit": plan.two_phase_commit,
        "pause": {
            "hold": format_duration(plan.pause.hold_seconds),
            "drain": format_duration(plan.pause.drain_seconds),
            "max_pause": format_duration(plan.pause.max_pause_seconds),
            "attempts": plan.pause.attempts,
            "margin": format_duration(plan.pause.margin_seconds),
            "transport": plan.pause.transport,
            "strict": plan.pause.strict,
        },
        "backup": {"kept_copy": plan.backup.kept_copy},
    }
    if not document["participants"]:
        del document["participants"]
    if plan.schedule:
        document["schedule"] = {"cron": plan.schedule.cron, "timezone": plan.schedule.timezone}
    document["retention"] = {"keep_days": plan.retention.keep_days, "keep_at_least": plan.retention.keep_at_least}
    return document


def _write_release(release: Release) -> dict[str, Any]:
    written: dict[str, Any] = {
        "name" if release.is_participant else "helm_release": release.helm_release,
        "cluster": _write_cluster(release.cluster),
        "namespace": release.namespace,
    }
    if release.is_participant:
        written["selector"] = release.selector
    if release.admin_port is not None:
        written["admin_port"] = release.admin_port
    if tls := to_record(release.tls):
        written["tls"] = tls  # its keys are the document's, and defaults are left out
    return written


def _write_cluster(cluster: Cluster) -> dict[str, str]:
    if isinstance(cluster, EksCluster):
        return {"eks": cluster.name, "region": cluster.region}
    return {"aks": cluster.name, "resource_group": cluster.resource_group, "subscription": cluster.subscription}
