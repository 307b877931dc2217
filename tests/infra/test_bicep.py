"""The Bicep templates as Azure will read them: grammar, names and words, modules that fit. `bicep build` runs too, where the
Bicep command line is installed."""

from __future__ import annotations

import importlib
import re
import shutil
import subprocess
from collections.abc import Iterator
from copy import deepcopy
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any

import pytest

from tests.infra.arm_models import OF_EVERY_RESOURCE, problems
from tests.infra.bicep import Template, assignments
from tests.infra.bicep_files import ENGINES, FILES, FOLDER, MAIN, OWN, TEMPLATES

MODELS = {
    "Microsoft.Authorization/roleAssignments": "authorization.RoleAssignmentCreateParameters",
    "Microsoft.Authorization/roleDefinitions": "authorization.RoleDefinition",
    "Microsoft.EventGrid/systemTopics": "eventgrid.SystemTopic",
    "Microsoft.EventGrid/systemTopics/eventSubscriptions": "eventgrid.EventSubscription",
    "Microsoft.EventGrid/topics": "eventgrid.Topic",
    "Microsoft.EventGrid/topics/eventSubscriptions": "eventgrid.EventSubscription",
    "Microsoft.Insights/actionGroups": "monitor.ActionGroupResource",
    "Microsoft.Insights/components": "applicationinsights.ApplicationInsightsComponent",
    "Microsoft.Insights/metricAlerts": "monitor.MetricAlertResource",
    "Microsoft.Insights/scheduledQueryRules": "monitor.ScheduledQueryRuleResource",
    "Microsoft.ManagedIdentity/userAssignedIdentities": "msi.Identity",
    "Microsoft.OperationalInsights/workspaces": "loganalytics.Workspace",
    "Microsoft.Storage/storageAccounts": "storage.StorageAccountCreateParameters",
    "Microsoft.Storage/storageAccounts/blobServices": "storage.BlobServiceProperties",
    "Microsoft.Storage/storageAccounts/blobServices/containers": "storage.BlobContainer",
    "Microsoft.Storage/storageAccounts/managementPolicies": "storage.ManagementPolicy",
    "Microsoft.Storage/storageAccounts/tableServices": "storage.TableServiceProperties",
    "Microsoft.Storage/storageAccounts/tableServices/tables": "storage.Table",
    "Microsoft.Web/serverfarms": "web.AppServicePlan",
    "Microsoft.Web/sites": "web.Site",
    "Microsoft.Web/sites/basicPublishingCredentialsPolicies": "web.CsmPublishingCredentialsPoliciesEntity",
}
LOCK = "Microsoft.Authorization/locks"


def model_of(kind: str) -> type:
    package, _, name = MODELS[kind].partition(".")
    found: type = getattr(importlib.import_module(f"azure.mgmt.{package}.models"), name)
    return found


def wrong_in(template: Template) -> list[str]:
    return [
        f"{item.symbol}.{text}"
        for item in template.resources.values()
        if item.type in MODELS and not item.existing
        for text in problems(model_of(item.type), item.body)
    ]


@pytest.mark.parametrize("name", FILES)
def test_properties_words_and_kinds_are_those_of_the_services(name: str) -> None:
    assert wrong_in(TEMPLATES[name]) == []


def test_every_type_of_resource_is_looked_at() -> None:
    assert {item.type for item in OWN} == {*MODELS, LOCK}


def names_in(body: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Ways to the properties of a body."""
    parts = body.items() if isinstance(body, dict) else enumerate(body) if isinstance(body, list) else ()
    for key, part in parts:
        if isinstance(key, str) and not key.startswith("${"):
            yield (*above, key)
        yield from names_in(part, (*above, key))


def misspelt(body: dict[str, Any], way: tuple[Any, ...]) -> dict[str, Any]:
    mistaken = deepcopy(body)
    owner = reduce(getitem, way[:-1], mistaken)
    owner[f"{way[-1]}x"] = owner.pop(way[-1])
    return mistaken


def test_every_name_would_be_found_if_it_were_misspelt() -> None:
    looked_at = [
        (item, way)
        for item in OWN
        if item.type in MODELS
        for way in names_in(item.body)
        if len(way) > 1 or way[0] not in OF_EVERY_RESOURCE
    ]
    assert len(looked_at) > 200
    missed = [
        (item.symbol, way) for item, way in looked_at if not list(problems(model_of(item.type), misspelt(item.body, way)))
    ]
    assert missed == []


@pytest.mark.parametrize(
    ("name", "right", "mistaken", "told"),
    [
        ("storage", "minimumTlsVersion:", "minimumTlsVersoin:", "minimumTlsVersoin"),
        ("storage", "'TLS1_2'", "'TLS9'", "'TLS9' is none of"),
        ("storage", "daysAfterModificationGreaterThan: 14", "daysAfterModificationGreaterThan: 'x'", "'x' is no"),
        ("main", "instanceMemoryMB", "instanceMemoryMb", "instanceMemoryMb"),
        ("main", "'UserAssignedIdentity'", "'UserIdentity'", "'UserIdentity' is none of"),
        ("topic", "disableLocalAuth: true", "disableLocalAuth: 'yes'", "'yes' is no"),
        ("events", "blobContainerName", "containerName", "containerName"),
        ("events", "advancedFilters", "advancedFilter", "advancedFilter"),
        ("monitoring", "skipQueryValidation", "skipValidation", "skipValidation"),
    ],
)
def test_a_mistake_would_be_found(name: str, right: str, mistaken: str, told: str, tmp_path: Path) -> None:
    text = FILES[name].read_text()
    assert right in text
    (tmp_path / "mistaken.bicep").write_text(text.replace(right, mistaken))
    assert any(told in problem for problem in wrong_in(Template(tmp_path / "mistaken.bicep")))


def test_a_mistake_in_the_grammar_is_told_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "mistaken.bicep").write_text("param a string\nresource b 'x@1' = {\n  name 'c'\n}\n")
    with pytest.raises(AssertionError, match=r"mistaken.bicep:3:"):
        Template(tmp_path / "mistaken.bicep")


@pytest.mark.skipif(not shutil.which("bicep"), reason="no Bicep command line here: `bicep build` was not tried")
@pytest.mark.parametrize("name", ["main", "events"])
def test_the_compiler_takes_it_without_a_warning(name: str) -> None:
    done = subprocess.run(["bicep", "build", "--stdout", FILES[name]], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", [name for name in FILES if TEMPLATES[name].modules])
def test_a_module_gets_the_parameters_that_it_has_and_gives_the_outputs_that_it_is_asked_for(name: str) -> None:
    template = TEMPLATES[name]
    for symbol, module in template.modules.items():
        called = TEMPLATES[Path(module.type).stem]
        assert called.path == (template.path.parent / module.type).resolve()
        given, known = set(module.body["params"]), called.parameters
        assert given <= set(known), symbol
        assert given >= {key for key, parameter in known.items() if parameter.required}, symbol
        asked = set(re.findall(rf"\b{symbol}\.outputs\.(\w+)", template.path.read_text()))
        assert asked <= set(called.outputs), symbol


def test_whatever_is_declared_is_used() -> None:
    for name, template in TEMPLATES.items():
        text = template.path.read_text()
        for symbol in [*template.parameters, *template.variables]:
            assert len(re.findall(rf"\b{symbol}\b", text)) > 1, f"{name}: {symbol}"


def test_the_example_names_parameters_of_the_template() -> None:
    example = assignments(FOLDER / "example.bicepparam")
    assert set(example) <= set(MAIN.parameters)
    assert {engine for group in example["databaseGroups"] for engine in group["engines"]} <= set(ENGINES)


def test_nothing_but_a_name_has_to_be_said_for_a_first_deployment() -> None:
    assert [name for name, parameter in MAIN.parameters.items() if parameter.required] == []
