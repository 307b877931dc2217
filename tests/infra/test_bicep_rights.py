"""What the Bicep templates allow the app to do, against what its steps need: all of that, and nothing else."""

from __future__ import annotations

import re
from typing import Any

import pytest

from functions_azure.activities import HANDLERS
from shared.catalog.azure_table import ROLE as CATALOG_ROLE
from shared.clusters.aks import resource_manager
from shared.databases.cosmos import actions as cosmos
from shared.databases.flexible_servers import actions as flexible
from shared.databases.flexible_servers.engines import MYSQL, POSTGRESQL
from shared.signals.eventgrid import ROLE as SIGNALS_ROLE
from tests.infra.bicep import Template
from tests.infra.bicep_files import ENGINES, FILES, MONITORING, RIGHTS, STORAGE, TEMPLATES, TOPIC

BUILT_IN_ROLES = {
    "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3": "Storage Table Data Contributor",
    "3913510d-42f4-4e42-8a64-420c390055eb": "Monitoring Metrics Publisher",
    "4abbcc35-e782-43d8-92c5-2d3f1bd2253f": "Azure Kubernetes Service Cluster User Role",
    "5432c526-bc82-444a-b7ba-57c5b0b5b34f": "CosmosRestoreOperator",
    "974c5e8b-45b9-4653-ba55-5f855dd0fb88": "Storage Queue Data Contributor",
    "b7e6dc6d-f1e8-4753-8033-0f276bb0955b": "Storage Blob Data Owner",
    "ba92f5b4-2d11-453d-a403-e96b0029c9fe": "Storage Blob Data Contributor",
    "d5a91429-5739-47e2-a06b-3470a27159e7": "EventGrid Data Sender",
}
"""Source: "Azure built-in roles". """
RESTORE_OPERATOR = {
    "Microsoft.DocumentDB/locations/restorableDatabaseAccounts/*/read",
    "Microsoft.DocumentDB/locations/restorableDatabaseAccounts/read",
    "Microsoft.DocumentDB/locations/restorableDatabaseAccounts/restore/action",
}
"""The actions of CosmosRestoreOperator that are of use here. Source: "Azure built-in roles for Databases"."""


def class_of(name: str, engine: str) -> set[str]:
    return set(RIGHTS["resourceGroup"][engine][name])


def role_classes(variable: str) -> list[str]:
    return [each["name"] for each in TEMPLATES["database_rights"].variables[variable]]


def flexible_actions(engine: Any) -> dict[str, set[str]]:
    reading = set(flexible.check_actions(engine))
    return {
        "check": reading,
        "window": set(flexible.window_backup_actions(engine)),
        "protect": set(flexible.protect_actions(engine)),
        "restore": reading,
        "applications": set(),
        "databases": {*flexible.restore_actions(engine), *flexible.discard_actions(engine)},
    }


READ_OF_SUBSCRIPTION = {name for name in cosmos.SUBSCRIPTION_ACTIONS if name.endswith("/read")}
NEEDED: dict[str, dict[str, set[str]]] = {
    "cosmos": {
        "check": {*cosmos.CHECK_ACTIONS, *READ_OF_SUBSCRIPTION},
        "window": set(),
        "protect": {*cosmos.CHECK_ACTIONS, *READ_OF_SUBSCRIPTION},
        "restore": {*cosmos.CHECK_ACTIONS, *READ_OF_SUBSCRIPTION},
        "applications": set(cosmos.LEAD_ACTIONS),
        "databases": {*cosmos.RESTORE_ACTIONS, *cosmos.DISCARD_ACTIONS, *cosmos.SUBSCRIPTION_ACTIONS},
    },
    "mysql": flexible_actions(MYSQL),
    "postgresql": flexible_actions(POSTGRESQL),
}
"""By engine and activity. The activities `run` and `watchdog` touch no database."""
CLASSES = {
    "check": ("check",),
    "window": ("check", "protect"),
    "protect": ("check", "protect"),
    "restore": ("check",),
    "applications": ("lead",),
    "databases": ("check", "restore", "discard"),
}
"""Of rights.json, by activity."""


def granted(engine: str, classes: tuple[str, ...]) -> set[str]:
    found = set().union(*(class_of(name, engine) for name in classes))
    if engine == "cosmos":
        for name in {"check", "restore"} & set(classes):
            found |= set(RIGHTS["subscription"][name])
    return found


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("activity", CLASSES)
def test_every_activity_has_the_rights_that_its_steps_need(activity: str, engine: str) -> None:
    assert NEEDED[engine][activity] <= granted(engine, CLASSES[activity])


@pytest.mark.parametrize("engine", ENGINES)
def test_no_right_is_granted_that_no_step_needs(engine: str) -> None:
    needed = set().union(*NEEDED[engine].values())
    assert granted(engine, tuple(RIGHTS["resourceGroup"][engine])) == needed


def test_every_activity_with_a_database_is_in_the_table() -> None:
    assert set(CLASSES) == set(HANDLERS) - {"run", "watchdog"}


def test_every_class_of_rights_is_a_role_and_the_roles_of_a_backup_cannot_restore() -> None:
    backup, restore = role_classes("backupClasses"), role_classes("restoreClasses")
    for engine in ENGINES:
        assert list(RIGHTS["resourceGroup"][engine]) == [*backup, *restore]
        for action in granted(engine, tuple(backup)) - set(RIGHTS["subscription"]["restore"]):
            assert re.search(r"/(read|retrieveContinuousBackupInformation/action|backups(V2)?/(write|delete))$", action), action


def test_only_one_role_can_delete_a_database_and_only_one_reads_keys() -> None:
    for engine in ENGINES:
        for name, actions in RIGHTS["resourceGroup"][engine].items():
            deletes = [action for action in actions if re.search(r"/(databaseAccounts|flexibleServers)/delete$", action)]
            assert bool(deletes) == (name == "discard")
            assert any("listKeys" in action for action in actions) == (name == "lead" and engine == "cosmos")


def test_no_action_is_a_pattern_except_the_one_that_cosmos_db_documents() -> None:
    every = {action for classes in RIGHTS["resourceGroup"].values() for actions in classes.values() for action in actions}
    every |= {action for actions in RIGHTS["subscription"].values() for action in actions}
    assert {action for action in every if "*" in action} == {"Microsoft.DocumentDB/locations/restorableDatabaseAccounts/*/read"}


def test_a_restore_from_cosmos_db_goes_by_its_operator_role_and_only_where_restores_are_allowed() -> None:
    template = TEMPLATES["cosmos_rights"]
    assert set(RIGHTS["subscription"]["restore"]) <= RESTORE_OPERATOR <= set(cosmos.SUBSCRIPTION_ACTIONS)
    assert BUILT_IN_ROLES[template.variables["restoreOperator"]] == "CosmosRestoreOperator"
    assert template.resources["restoring"].conditional
    assert "= if (allowRestores)" in template.path.read_text()
    assert template.resources["reader"].properties["permissions"][0]["actions"] == "rights.check"


@pytest.mark.parametrize(("name", "scope"), [("database_rights", "resourceGroup().id"), ("cosmos_rights", "subscription().id")])
def test_a_custom_role_can_be_assigned_nowhere_else(name: str, scope: str) -> None:
    """By the text: the grammar takes a call inside of an array for two things."""
    assert re.findall(r"assignableScopes: \[(.+)\]", FILES[name].read_text()) == [scope]


def roles_in(template: Template) -> dict[str, str]:
    """Names of the built-in roles by the scope where they are assigned."""
    ids = {symbol: given for symbol, given in template.variables.items() if symbol.endswith(("role", "Role"))}
    return {
        str(item.body.get("scope")): BUILT_IN_ROLES[ids[symbol]]
        for item in template.of_type("Microsoft.Authorization/roleAssignments")
        for symbol in ids
        if f"'Microsoft.Authorization/roleDefinitions', {symbol})" in item.properties["roleDefinitionId"]
    }


def test_built_in_roles_are_assigned_on_single_resources() -> None:
    assert roles_in(STORAGE) == {"catalog::tables::table": "Storage Table Data Contributor"}
    assert roles_in(TEMPLATES["dead_letters"]) == {"account::blobs::container": "Storage Blob Data Contributor"}
    assert roles_in(TOPIC) == {"topic": "EventGrid Data Sender"}
    assert roles_in(MONITORING) == {"insights": "Monitoring Metrics Publisher"}
    assert roles_in(TEMPLATES["cluster_rights"]) == {"cluster": "Azure Kubernetes Service Cluster User Role"}


def test_the_roles_are_those_that_the_rooms_ask_for() -> None:
    assert CATALOG_ROLE in roles_in(STORAGE).values()
    assert SIGNALS_ROLE in roles_in(TOPIC).values()
    assert roles_in(TEMPLATES["cluster_rights"])["cluster"] in resource_manager._ROLE_HINT


def test_the_host_has_what_it_asks_for_on_its_own_account_and_on_no_other() -> None:
    assert [BUILT_IN_ROLES[role] for role in STORAGE.variables["hostRoles"]] == [
        "Storage Blob Data Owner",
        "Storage Queue Data Contributor",
        "Storage Table Data Contributor",
    ]
    assert STORAGE.resources["hostAccess"].body["scope"] == "host"
