"""The change of a Helm chart's values that belongs to a rewritten endpoint: without it the next `helm upgrade` writes the old
values back.

Source: values.yaml of Scalar's Helm charts (scalardb-cluster, scalardb, scalardl, scalardl-audit) of 2023 to 2026.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from shared.scalar.endpoint_edits import Edit, ObjectEdits, RewritePlan
from shared.scalar.java_properties import entries, rewrite_property
from shared.scalar.placeholders import split_value
from shared.scalar.products import SCALARDB_CLUSTER, SCALARDB_SERVER, SCALARDL_AUDITOR, SCALARDL_LEDGER
from shared.scalar.properties import is_credential, without_credentials

_NOT_IN_A_BLOCK = re.compile(r"[^\n\t\x20-\x7e\xa0-\u2027\u202a-\ud7ff]")
"""YAML takes more characters for the end of a line than a properties file does, and allows few control characters."""
_VARIABLE_VALUES = {
    "HELM_SCALAR_DB_CONTACT_POINTS": "contact_points",
    "HELM_SCALAR_DB_USERNAME": "username",
    "HELM_SCALAR_DB_PASSWORD": "password",
}
_SECRET_KEY_VALUES = {"db-username": "username", "db-password": "password"}
"""Keys of the Secret that a chart makes from its values."""


class _Chart(NamedTuple):
    """`properties` is the value that becomes the properties file; `section` holds single values, by `names`."""

    title: str
    properties: tuple[str, str]
    section: tuple[str, str] | None = None
    names: Mapping[str, str] = {}


_LEDGER_NAMES = {"contact_points": "dbContactPoints", "username": "dbUsername", "password": "dbPassword"}
_CHARTS = {
    SCALARDB_CLUSTER.app: _Chart("scalardb-cluster", ("scalardbCluster", "scalardbClusterNodeProperties")),
    SCALARDB_SERVER.app: _Chart(
        "scalardb",
        ("scalardb", "databaseProperties"),
        ("scalardb", "storageConfiguration"),
        {"contact_points": "contactPoints", "username": "username", "password": "password"},
    ),
    SCALARDL_LEDGER.app: _Chart(
        "scalardl", ("ledger", "ledgerProperties"), ("ledger", "scalarLedgerConfiguration"), _LEDGER_NAMES
    ),
    SCALARDL_AUDITOR.app: _Chart(
        "scalardl-audit", ("auditor", "auditorProperties"), ("auditor", "scalarAuditorConfiguration"), _LEDGER_NAMES
    ),
}


def values_change(plan: RewritePlan) -> str:
    """The YAML fragment to merge into the release's values, with comments for what the chart's values do not hold. It shows
    no credentials: where one belongs, it says so. Empty when the plan has no edits.
    """
    if not plan.objects:
        return ""
    chart = _CHARTS[plan.product.app]
    comments, tree = _collect(plan, chart)
    heading = [
        f"Helm release {plan.release.helm_release}, chart {chart.title}: commit this before the next `helm upgrade`,",
        "which would otherwise lead the pods back to the old database without restarting them.",
    ]
    lines = [f"# {line}" for line in (*heading, *comments)]
    return "\n".join([*lines, *_mapping(tree)]) + "\n"


def _collect(plan: RewritePlan, chart: _Chart) -> tuple[list[str], dict[str, dict[str, object]]]:
    """Comments, and the values by section; a section within a section is a dict."""
    comments: list[str] = []
    tree: dict[str, dict[str, object]] = {}
    for changed in plan.objects:
        for edit in changed.edits:
            value = _value_of(chart, changed, edit)
            if edit.line and plan.properties_text is not None:
                text, hidden = _without_secrets(plan.properties_text.reveal())
                section, name = chart.properties
                tree.setdefault(section, {})[name] = text
                comments += [f"Changed: {edit.properties[0]}."]
                comments += [f"Keep your own value where it says <secret>: {key}." for key in hidden]
            elif value and chart.section:
                section, inner = chart.section
                held = tree.setdefault(section, {}).setdefault(inner, {})
                if isinstance(held, dict):
                    held[chart.names[value]] = "<secret>" if changed.kind == "secrets" else _shown(edit)
            else:
                comments.append(_elsewhere(changed, edit))
    return list(dict.fromkeys(comments)), tree


def _value_of(chart: _Chart, changed: ObjectEdits, edit: Edit) -> str:
    """Which of the chart's single values an edit is; empty for none."""
    if not chart.section:
        return ""
    if changed.kind == "deployments":
        return _VARIABLE_VALUES.get(edit.key, "")
    # A Secret that Helm made is the chart's own; any other is the user's.
    is_own = changed.kind == "secrets" and bool(changed.owners)
    return _SECRET_KEY_VALUES.get(edit.key, "") if is_own else ""


def _elsewhere(changed: ObjectEdits, edit: Edit) -> str:
    what = f"{changed.title}, {'variable' if changed.container else 'key'} {edit.key}"
    return f"{what} ({', '.join(edit.properties)}) was changed in the cluster: change it wherever you keep it, too."


def _shown(edit: Edit) -> str:
    is_secret = any(is_credential(name) for name in edit.properties)
    return "<secret>" if is_secret else without_credentials(edit.new.reveal())


def _without_secrets(text: str) -> tuple[str, list[str]]:
    """The properties file with `<secret>` for every credential that stands in it, and the names of those properties."""
    hidden = []
    for entry in list(entries(text)):
        if not any(isinstance(part, str) and part.strip() for part in split_value(entry.raw)):
            continue  # empty, or a placeholder alone
        shown = "<secret>" if is_credential(entry.key) else without_credentials(entry.raw)
        if shown != entry.raw:
            text = rewrite_property(text, entry.key, shown)
            hidden.append(entry.key)
    return text, hidden


def _mapping(tree: Mapping[str, object], indent: str = "") -> Iterator[str]:
    for name, value in tree.items():
        if isinstance(value, Mapping):
            yield f"{indent}{name}:"
            yield from _mapping(value, indent + "  ")
        else:
            yield from _scalar(name, str(value), indent)


def _scalar(name: str, value: str, indent: str) -> Iterator[str]:
    """A text of several lines as a block, everything else, and what a block cannot hold, in quotes."""
    body = value.rstrip("\n")
    if "\n" not in value or not body or _NOT_IN_A_BLOCK.search(value):
        yield f"{indent}{name}: {_quoted(value)}"
        return
    newlines = len(value) - len(body)
    keep = "-" if newlines == 0 else "" if newlines == 1 else "+"
    # Lines that begin with a space, or a tab, need the indentation told.
    yield f"{indent}{name}: |2{keep}" if value[0] in " \t\n" else f"{indent}{name}: |{keep}"
    for line in [*body.split("\n"), *([""] * (newlines - 1))]:
        yield f"{indent}  {line}" if line else ""


def _quoted(value: str) -> str:
    """YAML's double quotes are JSON's, but for characters beyond 16 bits, which YAML does not take in two halves."""
    quoted = json.dumps(value, ensure_ascii=False)
    return _NOT_IN_A_BLOCK.sub(lambda found: f"\\U{ord(found[0]):08X}", quoted)
