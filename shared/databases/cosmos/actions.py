"""The ARM actions that each privilege class needs for Cosmos DB accounts; a test holds the code to them.

Restorable accounts belong to a location of the subscription, not to a resource group: `SUBSCRIPTION_ACTIONS` have to be granted
at the scope of the subscription, the others on the plan's resource group. `measure_clock` needs `databaseAccounts/read`.
"""

from __future__ import annotations

from shared.databases.cosmos.calls import ACCOUNTS, CONTAINERS, PROVIDER, RESTORABLE

SUBSCRIPTION_ACTIONS = (
    f"{PROVIDER}/locations/operationResults/read",
    f"{PROVIDER}/locations/operationsStatus/read",
    f"{RESTORABLE}/*/read",
    f"{RESTORABLE}/read",
    f"{RESTORABLE}/restore/action",
)
"""Of the last, only `restore` has need; the built-in role is CosmosRestoreOperator. The first two are how the answer of
retrieveContinuousBackupInformation is waited for."""

CHECK_ACTIONS = (
    f"{ACCOUNTS}/read",
    f"{ACCOUNTS}/sqlDatabases/containers/read",
    f"{ACCOUNTS}/sqlDatabases/containers/storedProcedures/read",
    f"{ACCOUNTS}/sqlDatabases/containers/throughputSettings/read",
    f"{ACCOUNTS}/sqlDatabases/containers/triggers/read",
    f"{ACCOUNTS}/sqlDatabases/containers/userDefinedFunctions/read",
    f"{ACCOUNTS}/sqlDatabases/read",
    f"{ACCOUNTS}/sqlDatabases/throughputSettings/read",
    f"{ACCOUNTS}/sqlRoleAssignments/read",
    f"{ACCOUNTS}/sqlRoleDefinitions/read",
    f"{CONTAINERS}/retrieveContinuousBackupInformation/action",
)
"""`check`, `protect`, `forecast` and `verify`, with the reading ones of `SUBSCRIPTION_ACTIONS`."""

RESTORE_ACTIONS = (
    *CHECK_ACTIONS,
    f"{ACCOUNTS}/sqlDatabases/containers/throughputSettings/migrateToAutoscale/action",
    f"{ACCOUNTS}/sqlDatabases/containers/throughputSettings/migrateToManualThroughput/action",
    f"{ACCOUNTS}/sqlDatabases/containers/throughputSettings/write",
    f"{ACCOUNTS}/sqlDatabases/containers/write",
    f"{ACCOUNTS}/sqlDatabases/throughputSettings/migrateToAutoscale/action",
    f"{ACCOUNTS}/sqlDatabases/throughputSettings/migrateToManualThroughput/action",
    f"{ACCOUNTS}/sqlDatabases/throughputSettings/write",
    f"{ACCOUNTS}/sqlRoleAssignments/write",
    f"{ACCOUNTS}/sqlRoleDefinitions/write",
    f"{ACCOUNTS}/write",
)
"""`restore` and `cut_over`."""
LINKED_ACTIONS = (
    "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action",
    "Microsoft.Network/virtualNetworks/subnets/joinViaServiceEndpoint/action",
)
"""`restore` and `cut_over`, where an account has such identities or VNet rules: on those identities and subnets."""

LEAD_ACTIONS = (f"{ACCOUNTS}/listKeys/action",)
"""`primary_key`, when a release is led to an account."""

DISCARD_ACTIONS = (f"{ACCOUNTS}/delete", f"{ACCOUNTS}/read")
"""`discard`. An account has no narrower scope before it exists, so the code alone keeps to what bears a restore's stamp."""
