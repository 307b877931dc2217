"""The databases of a written plan, each under the name of its kind, and the way back from the model."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from shared.model.plan import (
    AuroraCluster,
    CosmosAccount,
    CutOver,
    Database,
    DynamoDb,
    FlexibleServer,
    RdsCluster,
    RdsInstance,
)
from shared.model.plan_document.section import Region, Section, refuse_duplicates

RdsIdentifier = Annotated[str, Field(pattern=r"^[a-z](-?[a-z0-9]){0,62}$")]
"""1 to 63 lower-case letters, digits and single hyphens, a letter first (API reference of CreateDBInstance)."""
AccountName = Annotated[str, Field(pattern=r"^[a-z0-9](-?[a-z0-9]){2,43}$")]
ServerName = Annotated[str, Field(pattern=r"^[a-z0-9](-?[a-z0-9]){2,62}$")]
ResourceGroup = Annotated[str, Field(pattern=r"^[-\w._()]{1,90}$")]
Subscription = Annotated[str, Field(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
_SUBSCRIPTION = "0f8fad5b-d9cb-469f-a165-70867728950e"


class DynamoDbSection(Section):
    """The DynamoDB tables of the plan's releases in one region, found by themselves: Coordinator and metadata included."""

    region: Annotated[Region, Field(examples=["ap-northeast-1"])]
    """AWS region of the tables."""
    tables: Annotated[
        tuple[Annotated[str, Field(pattern=r"^[a-zA-Z0-9_.-]{3,255}$")], ...],
        Field(strict=False, examples=[["audit.events"]]),
    ] = ()
    """Further tables that no release names, by their full names."""

    @field_validator("tables")
    @classmethod
    def _refuse_duplicates(cls, tables: tuple[str, ...]) -> tuple[str, ...]:
        refuse_duplicates("table", tables)
        return tables

    def to_database(self) -> Database:
        return DynamoDb(region=self.region, tables=self.tables)


class RdsSection(Section):
    """An RDS DB instance (single or Multi-AZ), or a Multi-AZ DB cluster; one of `instance` and `cluster`."""

    instance: Annotated[RdsIdentifier | None, Field(examples=["orders-db"])] = None
    """Identifier of the DB instance."""
    cluster: Annotated[RdsIdentifier | None, Field(examples=["orders-mazc"])] = None
    """Identifier of the Multi-AZ DB cluster."""
    region: Annotated[Region, Field(examples=["ap-northeast-1"])]
    """AWS region of the database."""
    cut_over: Annotated[Literal["identifier", "endpoint"], Field(examples=["identifier"])] = "identifier"
    """How a restore leads the application to the restored data. identifier: the old database is renamed aside and the restored
    one takes its name, so the endpoint stays. endpoint: the restored one keeps a name of its own, and the properties of the
    releases are rewritten."""
    snapshot: Annotated[bool, Field(examples=[True])] = False
    """Take a snapshot inside the pause window, so that the restore point outlives the automated backups."""

    @model_validator(mode="after")
    def _is_one_of_both(self) -> RdsSection:
        if (self.instance is None) == (self.cluster is None):
            raise ValueError(
                "give one of instance (a DB instance) and cluster (a Multi-AZ DB cluster), for example instance: orders-db"
            )
        return self

    def to_database(self) -> Database:
        cut_over = CutOver(self.cut_over)
        if self.instance is not None:
            return RdsInstance(region=self.region, instance=self.instance, cut_over=cut_over, snapshot=self.snapshot)
        return RdsCluster(region=self.region, cluster=self.cluster or "", cut_over=cut_over, snapshot=self.snapshot)


class AuroraSection(Section):
    """An Aurora cluster with its instances: MySQL or PostgreSQL, provisioned or serverless v2."""

    cluster: Annotated[RdsIdentifier, Field(examples=["orders-aurora"])]
    """Identifier of the cluster."""
    region: Annotated[Region, Field(examples=["ap-northeast-1"])]
    """AWS region of the cluster."""
    cut_over: Annotated[Literal["identifier", "endpoint"], Field(examples=["identifier"])] = "identifier"
    """How a restore leads the application to the restored data, as for rds."""
    snapshot: Annotated[bool, Field(examples=[True])] = False
    """Take a cluster snapshot inside the pause window, so that the restore point outlives the automated backups."""

    def to_database(self) -> Database:
        return AuroraCluster(region=self.region, cluster=self.cluster, cut_over=CutOver(self.cut_over), snapshot=self.snapshot)


class CosmosSection(Section):
    """An Azure Cosmos DB for NoSQL account in continuous backup mode."""

    account: Annotated[AccountName, Field(examples=["orders-cosmos"])]
    """Name of the account."""
    resource_group: Annotated[ResourceGroup, Field(examples=["rg-prod"])]
    """Resource group of the account."""
    subscription: Annotated[Subscription, Field(examples=[_SUBSCRIPTION])]
    """Id of the Azure subscription."""

    def to_database(self) -> Database:
        return CosmosAccount(subscription=self.subscription, resource_group=self.resource_group, account=self.account)


class FlexibleServerSection(Section):
    """An Azure Database flexible server."""

    server: Annotated[ServerName, Field(examples=["orders-db"])]
    """Name of the server."""
    resource_group: Annotated[ResourceGroup, Field(examples=["rg-prod"])]
    """Resource group of the server."""
    subscription: Annotated[Subscription, Field(examples=[_SUBSCRIPTION])]
    """Id of the Azure subscription."""
    snapshot: Annotated[bool, Field(examples=[True])] = False
    """Take an on-demand backup inside the pause window."""

    def to_database(self, engine: str) -> Database:
        return FlexibleServer(
            engine=engine,
            subscription=self.subscription,
            resource_group=self.resource_group,
            server=self.server,
            snapshot=self.snapshot,
        )


class DatabaseSection(Section):
    """One database of the plan, under the name of its kind."""

    dynamodb: Annotated[DynamoDbSection | None, Field(examples=[{"region": "ap-northeast-1"}])] = None
    """Amazon DynamoDB."""
    rds: Annotated[RdsSection | None, Field(examples=[{"instance": "orders-db", "region": "ap-northeast-1"}])] = None
    """Amazon RDS for MySQL, PostgreSQL, Oracle or SQL Server."""
    aurora: Annotated[AuroraSection | None, Field(examples=[{"cluster": "orders-aurora", "region": "ap-northeast-1"}])] = None
    """Amazon Aurora MySQL or PostgreSQL."""
    cosmos: Annotated[
        CosmosSection | None,
        Field(examples=[{"account": "orders-cosmos", "resource_group": "rg-prod", "subscription": _SUBSCRIPTION}]),
    ] = None
    """Azure Cosmos DB for NoSQL."""
    mysql: Annotated[
        FlexibleServerSection | None,
        Field(examples=[{"server": "orders-db", "resource_group": "rg-prod", "subscription": _SUBSCRIPTION}]),
    ] = None
    """Azure Database for MySQL, flexible server."""
    postgresql: Annotated[
        FlexibleServerSection | None,
        Field(examples=[{"server": "orders-db", "resource_group": "rg-prod", "subscription": _SUBSCRIPTION}]),
    ] = None
    """Azure Database for PostgreSQL, flexible server."""

    @model_validator(mode="after")
    def _has_one_kind(self) -> DatabaseSection:
        named = [kind for kind in KINDS if getattr(self, kind) is not None]
        if len(named) != 1:
            what = f"has {' and '.join(named)}" if named else "names no database"
            raise ValueError(f"an entry {what}; each has exactly one of {', '.join(KINDS)}, for example {EXAMPLE_ENTRY}")
        return self

    def to_database(self) -> Database:
        for flexible in ("mysql", "postgresql"):
            if section := getattr(self, flexible):
                return section.to_database(flexible)  # type: ignore[no-any-return]
        section = self.dynamodb or self.rds or self.aurora or self.cosmos
        assert section is not None  # _has_one_kind
        return section.to_database()


KINDS = tuple(DatabaseSection.model_fields)
EXAMPLE_ENTRY = "- dynamodb: {region: ap-northeast-1}"


def write_database(database: Database) -> dict[str, Any]:
    """The entry as its owner would write it; what has a default is left out where it is the default."""
    match database:
        case DynamoDb():
            tables = {"tables": list(database.tables)} if database.tables else {}
            return {"dynamodb": {"region": database.region, **tables}}
        case RdsInstance():
            return {"rds": {"instance": database.instance, **_write_relational(database)}}
        case RdsCluster():
            return {"rds": {"cluster": database.cluster, **_write_relational(database)}}
        case AuroraCluster():
            return {"aurora": {"cluster": database.cluster, **_write_relational(database)}}
        case CosmosAccount():
            return {"cosmos": {"account": database.account, **_write_group(database)}}
        case FlexibleServer():
            snapshot = {"snapshot": True} if database.snapshot else {}
            return {database.engine: {"server": database.server, **_write_group(database), **snapshot}}


def _write_relational(database: RdsInstance | RdsCluster | AuroraCluster) -> dict[str, Any]:
    written: dict[str, Any] = {"region": database.region}
    if database.cut_over is not CutOver.IDENTIFIER:
        written["cut_over"] = database.cut_over.value
    if database.snapshot:
        written["snapshot"] = True
    return written


def _write_group(database: CosmosAccount | FlexibleServer) -> dict[str, Any]:
    return {"resource_group": database.resource_group, "subscription": database.subscription}
