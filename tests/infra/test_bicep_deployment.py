"""The deployment that the Bicep templates make: what must not be lost or be open, settings, events, alerts, and its guide."""

from __future__ import annotations

import re

import pytest

from functions_azure.settings import Settings
from functions_azure.triggers.event_grid import BEFORE_UPGRADES, Event, is_backup_requested, on_event
from infra.azure.package import RUNTIME_PYTHON
from shared.model.plan_document import parse_plan
from shared.signals.eventgrid import TYPE_PREFIX
from tests.infra.bicep import Choice, Declared
from tests.infra.bicep_files import EVENTS, FILES, GUIDE, MAIN, MONITORING, ROOT, STORAGE, TEMPLATES, TOPIC

LOCK = "Microsoft.Authorization/locks"

# --- what must not be lost, or be open


@pytest.mark.parametrize("symbol", ["host", "catalog"])
def test_storage_has_no_keys_nothing_public_and_encrypted_ways_only(symbol: str) -> None:
    properties = STORAGE.resources[symbol].properties
    assert properties["allowSharedKeyAccess"] is False
    assert properties["allowBlobPublicAccess"] is False
    assert properties["supportsHttpsTrafficOnly"] is True
    assert properties["minimumTlsVersion"] == "TLS1_2"


def test_names_of_storage_accounts_are_as_short_as_they_have_to_be() -> None:
    for symbol in ("host", "catalog"):
        name = STORAGE.resources[symbol].body["name"].replace("${suffix}", "x" * 13)
        assert re.fullmatch("[a-z0-9]{3,24}", name)


def test_the_catalog_cannot_be_deleted_by_accident() -> None:
    (lock,) = STORAGE.of_type(LOCK)
    assert lock.body["scope"] == "catalog"
    assert lock.properties["level"] == "CanNotDelete"


def test_the_app_is_reached_by_https_and_published_to_by_entra_only() -> None:
    app = MAIN.resources["app"].properties
    assert app["httpsOnly"] is True
    assert app["functionAppConfig"]["deployment"]["storage"]["authentication"]["type"] == "UserAssignedIdentity"
    policies = MAIN.of_type("Microsoft.Web/sites/basicPublishingCredentialsPolicies")
    assert {item.body["name"]: item.properties["allow"] for item in policies} == {"scm": False, "ftp": False}


def test_topic_and_insights_take_nothing_that_is_signed_with_a_key() -> None:
    assert TOPIC.resources["topic"].properties["disableLocalAuth"] is True
    assert MONITORING.resources["insights"].properties["DisableLocalAuth"] is True


def test_no_key_and_no_secret_stands_in_a_template() -> None:
    for path in FILES.values():
        assert not re.search(r"listKeys\(|AccountKey|SharedAccessKey|InstrumentationKey", path.read_text()), path.name


# --- what the app is told


def settings() -> dict[str, str]:
    return {item["name"]: item["value"] for item in MAIN.resources["app"].properties["siteConfig"]["appSettings"]}


def test_the_app_gets_the_settings_that_it_reads() -> None:
    given = settings()
    addresses = {name: "https://example" for name in given if name.endswith("_ENDPOINT")}
    read = Settings.from_environment(given | addresses)
    assert read.catalog_table == "storage.outputs.catalogTable"
    assert read.identity == "identity.properties.clientId"
    assert STORAGE.outputs["catalogEndpoint"].startswith("https://")


def test_the_host_signs_in_to_its_storage_with_the_identity() -> None:
    given = settings()
    assert given["AzureWebJobsStorage__credential"] == "managedidentity"
    assert "AzureWebJobsStorage" not in given
    assert given["AzureWebJobsStorage__accountName"] == "storage.outputs.hostAccountName"


def test_the_package_is_built_for_the_python_that_the_app_runs_on() -> None:
    assert MAIN.variables["pythonVersion"] == ".".join(map(str, RUNTIME_PYTHON))


def test_the_app_runs_on_the_plan_that_has_networks_and_one_durable_instance_is_kept() -> None:
    assert MAIN.resources["plan"].body["sku"] == {"tier": "FlexConsumption", "name": "FC1"}
    ready = MAIN.resources["app"].properties["functionAppConfig"]["scaleAndConcurrency"]["alwaysReady"]
    assert ready == Choice(([], [{"name": "durable", "instanceCount": "alwaysReadyInstances"}]))
    assert MAIN.parameters["alwaysReadyInstances"].default == 1
    assert MAIN.resources["app"].properties["virtualNetworkSubnetId"] == Choice((None, "subnetId"))


# --- events


SUBSCRIPTIONS = [
    ("events", EVENTS.resources["backupRequested"]),
    ("cluster_events", TEMPLATES["cluster_events"].resources["announced"]),
]


def test_the_topic_takes_what_the_app_sends() -> None:
    assert TOPIC.resources["topic"].properties["inputSchema"] == "CloudEventSchemaV1_0"


@pytest.mark.parametrize(("name", "subscription"), SUBSCRIPTIONS)
def test_events_are_handed_to_a_function_that_the_app_has(name: str, subscription: Declared) -> None:
    function = on_event._function.get_function_name()
    destination = subscription.properties["destination"]
    assert destination["endpointType"] == "AzureFunction"
    assert destination["properties"]["resourceId"].endswith(f"/functions/{function}")


@pytest.mark.parametrize(("name", "subscription"), SUBSCRIPTIONS)
def test_what_cannot_be_delivered_lies_in_the_dead_letter_container(name: str, subscription: Declared) -> None:
    left = subscription.properties["deadLetterWithResourceIdentity"]
    assert left["identity"] == {"type": "SystemAssigned"}
    assert left["deadLetterDestination"]["properties"]["blobContainerName"] == "deadLetterContainer"
    assert EVENTS.parameters["deadLetterContainer"].default == STORAGE.resources["deadLetters"].body["name"]


@pytest.mark.parametrize("told", ["Backup Requested", "com.example.BackupRequested", "ci.backup-requested", "backup_requested"])
def test_a_backup_that_is_asked_for_gets_through(told: str) -> None:
    assert passes(told)
    assert is_backup_requested(Event("1", told, "ci", {}))


@pytest.mark.parametrize("told", ["BackupSucceeded", "BackupFailed", "PodsResumedByWatchdog", "RestoreSucceeded"])
def test_what_the_app_tells_does_not_come_back_to_it(told: str) -> None:
    assert not passes(f"{TYPE_PREFIX}{told}")


def passes(kind: str) -> bool:
    (wanted,) = EVENTS.resources["backupRequested"].properties["filter"]["advancedFilters"]
    assert (wanted["operatorType"], wanted["key"]) == ("StringEndsWith", "type")
    return kind.lower().endswith(tuple(value.lower() for value in wanted["values"]))


def test_a_cluster_tells_of_upgrades_before_they_begin() -> None:
    announced = TEMPLATES["cluster_events"].resources["announced"]
    assert set(announced.properties["filter"]["includedEventTypes"]) == BEFORE_UPGRADES


# --- alerts


def metrics_of_the_steps() -> set[str]:
    """Every word that stands in a line with `"metrics"`."""
    texts = [path.read_text() for path in (ROOT / "shared" / "steps").rglob("*.py")]
    lines = [line for text in texts for line in text.splitlines() if '"metrics"' in line]
    return {name for line in lines for name in re.findall(r'"([A-Z]\w+)"', line)}


def test_alerts_are_about_metrics_that_steps_give() -> None:
    counted = {each["metric"] for each in MONITORING.variables["counted"]}
    assert counted >= {"WatchdogFired", "BackupsFailed", "RestoresHalted", "CleanUpProblems"}
    assert counted | {"BackupsSucceeded"} <= metrics_of_the_steps()
    assert '"BackupsSucceeded"' in query("silence")


def query(symbol: str) -> str:
    (condition,) = MONITORING.resources[symbol].properties["criteria"]["allOf"]
    return str(condition["query"])


def test_alerts_read_the_lines_as_the_app_writes_them() -> None:
    """As functions_azure.runtime does: {"message": "metric", "metric": …, "value": …, "plan": …}."""
    lines = MONITORING.variables["metricLines"]
    assert all(word in lines for word in ('line.message == "metric"', "line.metric", "line.plan"))
    assert "${metricLines}" in query("happened")
    assert "${metricLines}" in query("silence")


def test_an_alert_looks_further_back_than_to_its_last_look() -> None:
    """Log lines come some minutes late."""
    looks = {"PT5M": 5, "PT15M": 15, "PT1H": 60, "P2D": 2880}
    for symbol in ("happened", "silence", "undelivered"):
        properties = MONITORING.resources[symbol].properties
        assert looks[properties["windowSize"]] > looks[properties["evaluationFrequency"]]
    assert MAIN.parameters["silenceHours"].decorators["maxValue"] == [47], "less than the window of two days"


# --- the guide


def test_the_guide_explains_every_parameter() -> None:
    assert [name for name in MAIN.parameters if f"`{name}`" not in GUIDE] == []


def test_the_guide_asks_for_outputs_that_there_are() -> None:
    asked = set(re.findall(r"(?:\$\(|\()output (\w+)", GUIDE.split("app=$(")[1]))
    assert asked > {"appHost", "principalId"}
    assert asked <= set(MAIN.outputs)


def test_the_plan_in_the_guide_is_a_plan() -> None:
    (written,) = re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)
    plan = parse_plan(written)
    assert [database.key for database in plan.databases] == ["cosmos:orders-prod"]
