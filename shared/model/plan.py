"""A plan: what is backed up together and how. The form its owner writes is in `plan_document`; this is what the product
works with, every default filled in and every duration in seconds."""

from __future__ import annotations

from enum import StrEnum

from shared.model.records import Value
from shared.model.times import Instant


class EksCluster(Value, tag="eks", tag_field="kind"):
    """An Amazon EKS cluster, by its name and region."""

    name: str
    region: str

    @property
    def key(self) -> str:
        return f"eks:{self.region}:{self.name}"

    @property
    def place(self) -> str:
        """Names the cluster in keys of releases: two regions may have clusters of one name."""
        return f"{self.region}/{self.name}"


class AksCluster(Value, tag="aks", tag_field="kind"):
    """An Azure Kubernetes Service cluster, by its name, resource group and subscription id."""

    name: str
    resource_group: str
    subscription: str

    @property
    def key(self) -> str:
        return f"aks:{self.subscription}:{self.resource_group}:{self.name}"

    @property
    def place(self) -> str:
        """Names the cluster in keys of releases."""
        return f"{self.resource_group}/{self.name}"


Cluster = EksCluster | AksCluster


class AdminTls(Value):
    """How to speak TLS to Admin ports. `ca_pem` holds the trusted certificates (PEM). `server_name` is a name from the servers'
    own certificate: pods are dialled by IP address, which a certificate hardly ever names. Empty: the address is expected."""

    ca_pem: str
    server_name: str = ""


class TlsSettings(Value):
    """What the plan says about TLS on the Admin ports of a release; what it leaves out is found in the release itself.

    `enabled` None: as the product's own TLS property says. The trusted certificates come from one of `ca_pem`, `ca_secret` and
    `ca_config_map`; the latter two are `name/key` in the release's namespace. `server_name` as in `AdminTls`.
    """

    enabled: bool | None = None
    ca_pem: str = ""
    ca_secret: str = ""
    ca_config_map: str = ""
    server_name: str = ""


class SchemaLoader(Value):
    """How the schema of a release is repaired after a restore that loses parts of it (Cosmos DB: stored procedures).

    `schema` is `name/key` of the ConfigMap, in the release's namespace, with the schema file that was applied last: ScalarDB
    needs it, ScalarDL has its own. `image` is the Schema Loader's; empty: the vendor's own, of the version that the release
    runs.
    """

    schema: str = ""
    image: str = ""


class Release(Value):
    """What is paused: one Helm release of a Scalar product. Or, where `selector` is set, a participant: something else that
    writes through ScalarDB and speaks Scalar Admin, such as an application with the embedded library.

    `admin_port` overrides what is found by the release's properties and Services; None means: find out. `selector` are the
    labels of a participant's pods, as `key=value,key=value`; then `helm_release` is only the name that the plan gives it.
    """

    cluster: Cluster
    namespace: str
    helm_release: str
    admin_port: int | None = None
    selector: str = ""
    tls: TlsSettings = TlsSettings()
    schema_loader: SchemaLoader = SchemaLoader()

    @property
    def is_participant(self) -> bool:
        return bool(self.selector)

    @property
    def selector_labels(self) -> dict[str, str]:
        """What a participant's pods carry."""
        pairs = (item.partition("=") for item in self.selector.split(",") if item)
        return {key: value for key, _, value in pairs}

    @property
    def key(self) -> str:
        """Names the release in the catalog, in messages and in evidence."""
        return f"{self.cluster.place}/{self.namespace}/{self.helm_release}"


class DynamoDb(Value, tag="dynamodb", tag_field="kind"):
    """The DynamoDB tables of the plan's releases in one region and account.

    `tables` are further tables that no release names, by their full names.
    """

    region: str
    tables: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        return f"dynamodb:{self.region}"

    @property
    def is_relational(self) -> bool:
        return False

    @property
    def has_window_snapshot(self) -> bool:
        return False


class CutOver(StrEnum):
    """How the application comes to the restored data."""

    IDENTIFIER = "identifier"
    """The old one is renamed aside and the restored one takes its name, so endpoint and properties stay."""
    ENDPOINT = "endpoint"
    """The restored one keeps a name of its own, and the properties of the releases are led to its endpoint."""


class _Relational(Value):
    """What the relational databases share. `snapshot`: a snapshot is taken inside the pause window, so that the point outlives
    the recovery window; without it the point lives as long as the automated backups reach back."""

    region: str
    cut_over: CutOver = CutOver.IDENTIFIER
    snapshot: bool = False

    @property
    def is_relational(self) -> bool:
        return True

    @property
    def has_window_snapshot(self) -> bool:
        return self.snapshot


class RdsInstance(_Relational, tag="rds-instance", tag_field="kind"):
    """An RDS DB instance, single or Multi-AZ: MySQL, PostgreSQL, Oracle or SQL Server."""

    instance: str

    @property
    def identifier(self) -> str:
        return self.instance

    @property
    def key(self) -> str:
        return f"rds:{self.region}:{self.instance}"


class RdsCluster(_Relational, tag="rds-cluster", tag_field="kind"):
    """An RDS Multi-AZ DB cluster (one writer, two readable standbys): MySQL or PostgreSQL."""

    cluster: str

    @property
    def identifier(self) -> str:
        return self.cluster

    @property
    def key(self) -> str:
        return f"rds-cluster:{self.region}:{self.cluster}"


class AuroraCluster(_Relational, tag="aurora", tag_field="kind"):
    """An Aurora cluster with its instances: MySQL or PostgreSQL, provisioned or serverless v2."""

    cluster: str

    @property
    def identifier(self) -> str:
        return self.cluster

    @property
    def key(self) -> str:
        return f"aurora:{self.region}:{self.cluster}"


class CosmosAccount(Value, tag="cosmos", tag_field="kind"):
    """An Azure Cosmos DB for NoSQL account, with the databases and containers of the releases in it."""

    subscription: str
    resource_group: str
    account: str

    @property
    def key(self) -> str:
        return f"cosmos:{self.account}"

    @property
    def is_relational(self) -> bool:
        return False

    @property
    def has_window_snapshot(self) -> bool:
        return False


class FlexibleServer(Value, tag="flexible-server", tag_field="kind"):
    """An Azure Database flexible server. `engine` is `mysql` or `postgresql`. `snapshot`: an on-demand backup is taken inside
    the pause window."""

    engine: str
    subscription: str
    resource_group: str
    server: str
    snapshot: bool = False

    @property
    def key(self) -> str:
        return f"{self.engine}:{self.server}"

    @property
    def is_relational(self) -> bool:
        return True

    @property
    def has_window_snapshot(self) -> bool:
        return self.snapshot


RelationalDatabase = RdsInstance | RdsCluster | AuroraCluster
Database = DynamoDb | RdsInstance | RdsCluster | AuroraCluster | CosmosAccount | FlexibleServer


class PauseSettings(Value):
    """How the pods are paused. All durations in seconds.

    `hold` is the least time every pod stays paused: the vendor's guides say about ten seconds. `drain` is how long a server
    may wait for outstanding transactions: the default of 65 s outlasts the 60 s after which ScalarDB gives up an abandoned
    transaction. `max_pause` is when the watchdog resumes the pods whatever happened. `margin` is kept free at both ends of
    the window on every database's clock.

    `transport` is the way to the pods: `auto`, `direct` (their own addresses) or `port-forward` (through the API server).
    `strict` also compares resourceVersions before and after: then any write to a pod voids the window.
    """

    hold_seconds: float = 10.0
    drain_seconds: float = 65.0
    max_pause_seconds: float = 180.0
    attempts: int = 3
    margin_seconds: float = 0.5
    transport: str = "auto"
    strict: bool = False


class BackupSettings(Value):
    """`kept_copy`: DynamoDB gets an on-demand backup of the restore point that outlives the PITR window."""

    kept_copy: bool = True


class Schedule(Value):
    """`cron` has the five usual fields; `timezone` is an IANA name, and the wall-clock time of that zone is kept."""

    cron: str
    timezone: str


class Retention(Value):
    """Points older than `keep_days` expire, but never the newest `keep_at_least` good ones."""

    keep_days: int = 35
    keep_at_least: int = 7


class Plan(Value):
    """`two_phase_commit`: transactions run through several of the releases. No properties file shows it; the owner says so."""

    name: str
    releases: tuple[Release, ...]
    databases: tuple[Database, ...]
    two_phase_commit: bool = False
    pause: PauseSettings = PauseSettings()
    backup: BackupSettings = BackupSettings()
    schedule: Schedule | None = None
    retention: Retention = Retention()


class StoredPlan(Value):
    """A plan as the catalog keeps it. `revision` counts from 1; a run names the revision it used."""

    plan: Plan
    revision: int
    applied_at: Instant
