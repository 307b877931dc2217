"""Puts the sandbox's RDS in the place of moto's, once per process. Parameter, option and subnet groups stay moto's."""

from __future__ import annotations

import time
from typing import Any

from infra.sandbox.aws import wire
from infra.sandbox.aws.moto_names import ActionResult, RDSBackend, RDSResponse
from infra.sandbox.aws.rds import (
    automated_backups,
    cluster_endpoints,
    cluster_modification,
    cluster_recovery,
    cluster_settings,
    cluster_snapshots,
    clusters,
    instance_settings,
    instances,
    maintenance,
    modification,
    recovery,
    roles,
    snapshots,
    tags,
)
from infra.sandbox.aws.rds.inventory import Inventory
from infra.sandbox.aws.rds.life import LOCK
from infra.sandbox.aws.rds.refusals import Refusal, invalid_value
from infra.sandbox.aws.rds.requests import Operation, Request
from infra.sandbox.aws.settings import Settings

_OPERATIONS: dict[str, Operation] = {
    **instances.OPERATIONS,
    **modification.OPERATIONS,
    **recovery.OPERATIONS,
    **automated_backups.OPERATIONS,
    **snapshots.OPERATIONS,
    **clusters.OPERATIONS,
    **cluster_modification.OPERATIONS,
    **cluster_recovery.OPERATIONS,
    **cluster_snapshots.OPERATIONS,
    **cluster_endpoints.OPERATIONS,
    **roles.OPERATIONS,
    **maintenance.OPERATIONS,
    **tags.OPERATIONS,
}
_LEFT_TO_MOTO = ("ParameterGroup", "Parameters", "OptionGroup", "SubnetGroup", "OrderableDBInstanceOptions")
"""How the names of the operations end, or go on, that plain moto answers well enough: they are about groups and engines."""

_INSTANCE = {"DBInstanceIdentifier", "Tags", *instance_settings.SETTINGS}
_CLUSTER = {"DBClusterIdentifier", "AssociatedRoles", "Tags", *cluster_settings.SETTINGS}
_PASSWORD = ("MasterUserPassword", "ManageMasterUserPassword", "MasterUserSecretKmsKeyId")
_OFFERED = {
    "CreateDBInstance": {*_INSTANCE, "DBClusterIdentifier", *_PASSWORD},
    "ModifyDBInstance": modification.PARAMETERS,
    "RestoreDBInstanceToPointInTime": {*_INSTANCE, *recovery.PARAMETERS},
    "RestoreDBInstanceFromDBSnapshot": {*_INSTANCE, "DBSnapshotIdentifier", "UseDefaultProcessorFeatures"},
    "CreateDBCluster": {*_CLUSTER, *_PASSWORD},
    "ModifyDBCluster": cluster_modification.PARAMETERS,
    "RestoreDBClusterToPointInTime": {*_CLUSTER, *cluster_recovery.PARAMETERS},
    "RestoreDBClusterFromSnapshot": {*_CLUSTER, "SnapshotIdentifier"},
}
"""Where the API has more parameters than the sandbox can honour: a setting is refused rather than forgotten."""


def install(settings: Settings) -> None:
    """Replace moto's operations; `settings` may change at any time."""
    _give_every_backend_an_inventory()
    original = RDSResponse.call_action

    def call_action(handler: Any) -> Any:
        operation = handler._get_action()
        with LOCK:
            inventory: Inventory = handler.backend.inventory
            now = time.time()
            inventory.settle(now)
            try:
                _check_parameters(operation, handler.querystring)
                given = handler.params.original_dict() if handler.params else {}
                if _is_motos(operation, given):
                    return original(handler)
                result: Any = _operation(operation)(Request(given, inventory, settings, now))
            except Refusal as refusal:
                result = refusal
            return handler.serialized(ActionResult(result))

    RDSResponse.call_action = call_action


def _give_every_backend_an_inventory() -> None:
    original = RDSBackend.__init__

    def initialise(backend: Any, region_name: str, account_id: str) -> None:
        original(backend, region_name, account_id)
        backend.inventory = Inventory(account_id, region_name, backend)

    RDSBackend.__init__ = initialise


def _is_motos(operation: str, given: dict[str, Any]) -> bool:
    if operation in tags.OPERATIONS:
        return tags.kind_of(given.get("ResourceName", "")) not in tags.KINDS
    return operation not in _OPERATIONS and any(part in operation for part in _LEFT_TO_MOTO)


def _operation(name: str) -> Operation:
    if name not in _OPERATIONS:
        raise Refusal("InvalidAction", f"The sandbox's RDS does not have the operation {name}.")
    return _OPERATIONS[name]


def _check_parameters(operation: str, form: dict[str, Any]) -> None:
    given = {name.partition(".")[0] for name in form} - {"Action", "Version"}
    if unknown := given - wire.parameters_of("rds", operation):
        raise invalid_value(f"Unknown parameter in input of {operation}: {', '.join(sorted(unknown))}")
    if not_offered := given - _OFFERED.get(operation, given):
        raise invalid_value(f"The sandbox's RDS cannot honour {', '.join(sorted(not_offered))} of {operation}.")
