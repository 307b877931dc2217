"""What a restore of a Cosmos DB for NoSQL account loses, resets or may change, noted from the live account so that it can be
put back and compared.

A restore always makes a new account, in one region. Sources: "Restore an Azure Cosmos DB account that uses continuous backup
mode" (what is not restored), and the REST reference of Microsoft.DocumentDB/databaseAccounts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.model.records import Value
from shared.model.times import Instant

STRONG = "Strong"
"""The default consistency that ScalarDB needs."""


class CosmosRegion(Value):
    """A region of the account. `priority` 0 is the write region."""

    name: str
    priority: int
    zone_redundant: bool = False


class Throughput(Value):
    """Provisioned request units per second: a fixed number, or the upper end of autoscale. Both None: shared or serverless."""

    fixed: int | None = None
    autoscale_most: int | None = None

    @property
    def is_provisioned(self) -> bool:
        return self.fixed is not None or self.autoscale_most is not None

    def __str__(self) -> str:
        if self.autoscale_most is not None:
            return f"autoscale up to {self.autoscale_most} RU/s"
        return f"{self.fixed} RU/s" if self.fixed is not None else "none of its own"


class DatabaseSettings(Value):
    """A database of the account, which ScalarDB calls a namespace. `throughput` is what its containers share."""

    name: str
    throughput: Throughput = Throughput()


class ContainerSettings(Value):
    """A container, which ScalarDB calls a table.

    `ttl_seconds` None: off; -1: on, without a default. `definition` are the parts that come with the data and are compared:
    partition key, unique keys, indexing. The scripts are names: a restored container has none of them.
    """

    database: str
    name: str
    ttl_seconds: int | None = None
    analytical_ttl_seconds: int | None = None
    throughput: Throughput = Throughput()
    definition: Mapping[str, Any] = {}
    stored_procedures: tuple[str, ...] = ()
    triggers: tuple[str, ...] = ()
    functions: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        return f"{self.database}/{self.name}"

    @property
    def scripts(self) -> tuple[str, ...]:
        """Every script by kind and name."""
        kinds = {"procedure": self.stored_procedures, "trigger": self.triggers, "function": self.functions}
        return tuple(f"{kind} {name}" for kind, names in kinds.items() for name in names)


class DataRole(Value):
    """A role definition of the data plane that the owner made. `guid` is the last part of its resource id."""

    guid: str
    name: str
    data_actions: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ("",)
    """Where it may be assigned, as a path under the account: empty for all of it, `/dbs/bank`, `/dbs/bank/colls/account`."""


class DataRoleAssignment(Value):
    """`role` is the guid of a definition, built-in or own; `scope` as in `DataRole`."""

    guid: str
    role: str
    principal: str
    scope: str = ""


class CosmosSettings(Value):
    """Settings of one account at `taken_at`. Empty or None means: not set."""

    taken_at: Instant

    # Which account it is.
    account: str
    resource_id: str
    """The ARM id, which names subscription and resource group."""
    instance_id: str
    """Stays the same for the life of an account; names its backups."""
    endpoint: str = ""
    """The document endpoint's host name."""
    port: int | None = None

    # Chosen when an account is made.
    kind: str = "GlobalDocumentDB"
    capabilities: tuple[str, ...] = ()
    key_vault_key: str = ""
    analytical_storage: bool = False

    # Consistency and regions.
    consistency: str = ""
    regions: tuple[CosmosRegion, ...] = ()
    automatic_failover: bool = False
    multiple_write_regions: bool = False

    # Network.
    public_network_access: str = ""
    ip_rules: tuple[str, ...] = ()
    virtual_network_filter: bool = False
    virtual_network_rules: Mapping[str, bool] = {}
    """By subnet id, whether a missing service endpoint is ignored."""
    acl_bypass: str = ""
    acl_bypass_resources: tuple[str, ...] = ()
    minimal_tls: str = ""
    cors: tuple[Mapping[str, Any], ...] = ()

    # Who may do what.
    local_auth_disabled: bool = False
    key_metadata_writes_disabled: bool = False
    identity_kind: str = ""
    user_identities: tuple[str, ...] = ()
    default_identity: str = ""
    roles: tuple[DataRole, ...] = ()
    role_assignments: tuple[DataRoleAssignment, ...] = ()

    # Backup and capacity.
    backup_tier: str = ""
    throughput_limit: int | None = None
    burst_capacity: bool = False
    partition_merge: bool = False
    tags: Mapping[str, str] = {}
    """Without those that this product sets."""

    # What is in it.
    databases: tuple[DatabaseSettings, ...] = ()
    containers: tuple[ContainerSettings, ...] = ()

    # Nothing here puts these back; a forecast says so.
    private_endpoints: tuple[str, ...] = ()
    """Resource ids of private endpoints that are connected to the account."""

    @property
    def write_region(self) -> str:
        return next((region.name for region in self.regions if region.priority == 0), "")
