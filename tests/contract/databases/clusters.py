"""Clusters in the sandbox's RDS with everything a restore can lose, and the restore driven by hand."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import boto3

from infra.sandbox.aws.process import RunningAws
from infra.sandbox.relational.client import Connection, SqlClient
from shared.databases.rds import AuroraAccess, RdsClusterAccess
from shared.databases.rds.cluster_access import ClusterAccess
from shared.model.plan import AuroraCluster, CutOver, RdsCluster
from shared.model.restore import DatabaseRestore, RestoreOrder, Target

REGION = "ap-northeast-1"
PASSWORD = "secret-123"
QUICK = {
    "rds_lag_seconds": 0,
    "rds_create_seconds": 0.05,
    "rds_backup_seconds": 0.05,
    "rds_restore_seconds": 0.1,
    "rds_modify_seconds": 0.05,
    "rds_snapshot_seconds": 0.05,
    "rds_snapshot_skew_seconds": 0,
    "rds_delete_seconds": 0.05,
    "rename_seconds": 0.1,
    "name_free_seconds": 0.1,
}
LONGEST_SECONDS = 30.0
Database = AuroraCluster | RdsCluster


class Clusters:
    """One cluster named `orders`, the way to it, and what is asked of it."""

    def __init__(self, server: RunningAws, clock: Any) -> None:
        self.server = server
        self.rds = server.client("rds")
        self.ec2 = server.client("ec2")
        self.scaling = server.client("application-autoscaling")
        self.kms_key = str(server.client("kms").create_key()["KeyMetadata"]["Arn"])
        self.sql = SqlClient(server.url)
        self.clock = clock
        self.session = _Session(server)

    def access(self, database: Database) -> ClusterAccess:
        kind = AuroraAccess if isinstance(database, AuroraCluster) else RdsClusterAccess
        return kind(self.session, self.clock)

    def aurora(self, engine: str = "aurora-mysql", instance_class: str = "db.r6g.large", **more: Any) -> AuroraCluster:
        """A cluster with a writer, two readers, a custom endpoint and scaling, nothing of it at its default."""
        self._groups(engine, aurora=True)
        given = {
            **self._common("aurora"),
            "Engine": engine,
            "BackupRetentionPeriod": 7,
            "StorageType": "aurora-iopt1",
            **({"BacktrackWindow": 3600} if engine == "aurora-mysql" else {}),
            **more,
        }
        self.rds.create_db_cluster(**given)
        self.until("cluster", "available")
        roles = ({"FeatureName": "s3Import"} if engine == "aurora-postgresql" else {}) | {
            "RoleArn": "arn:aws:iam::123456789012:role/s3"
        }
        self.rds.add_role_to_db_cluster(DBClusterIdentifier="orders", **roles)
        for number, zone in enumerate("acd"):
            self.rds.create_db_instance(
                DBInstanceIdentifier=f"orders-{number}",
                DBClusterIdentifier="orders",
                Engine=engine,
                DBInstanceClass=instance_class,
                PromotionTier=number,
                AvailabilityZone=f"{REGION}{zone}",
                DBParameterGroupName="orders-instances",
                PreferredMaintenanceWindow="mon:01:00-mon:01:30",
                AutoMinorVersionUpgrade=False,
                MonitoringInterval=30,
                MonitoringRoleArn="arn:aws:iam::123456789012:role/monitoring",
                EnablePerformanceInsights=True,
                PerformanceInsightsRetentionPeriod=31,
                Tags=[{"Key": "tier", "Value": str(number)}],
            )
            self.until_instance(f"orders-{number}")
        self.rds.create_db_cluster_endpoint(
            DBClusterIdentifier="orders",
            DBClusterEndpointIdentifier="orders-reports",
            EndpointType="READER",
            StaticMembers=["orders-2"],
            Tags=[{"Key": "for", "Value": "reports"}],
        )
        which = {
            "ServiceNamespace": "rds",
            "ResourceId": "cluster:orders",
            "ScalableDimension": "rds:cluster:ReadReplicaCount",
        }
        self.scaling.register_scalable_target(**which, MinCapacity=2, MaxCapacity=5)
        self.scaling.put_scaling_policy(
            **which,
            PolicyName="cpu",
            PolicyType="TargetTrackingScaling",
            TargetTrackingScalingPolicyConfiguration={
                "TargetValue": 60.0,
                "PredefinedMetricSpecification": {"PredefinedMetricType": "RDSReaderAverageCPUUtilization"},
            },
        )
        self._until_restorable()
        return AuroraCluster(region=REGION, cluster="orders")

    def multi_az(self, engine: str = "mysql") -> RdsCluster:
        self._groups(engine, aurora=False)
        self.rds.create_db_cluster(
            **self._common("multi-az"),
            Engine=engine,
            DBClusterInstanceClass="db.m6gd.large",
            AllocatedStorage=100,
            StorageType="io1",
            Iops=3000,
            BackupRetentionPeriod=7,
            MonitoringInterval=30,
            MonitoringRoleArn="arn:aws:iam::123456789012:role/monitoring",
            EnablePerformanceInsights=True,
            PerformanceInsightsRetentionPeriod=31,
            AutoMinorVersionUpgrade=False,
        )
        self._until_restorable()
        return RdsCluster(region=REGION, cluster="orders")

    def order(self, database: Database, stamp: str = "20261124t030014z", **more: Any) -> RestoreOrder:
        return RestoreOrder(
            database=database, run=f"run-{stamp}", stamp=stamp, target=more.pop("target", Target.IN_PLACE), **more
        )

    def restored(self, order: RestoreOrder) -> DatabaseRestore:
        access = self.access(order.database)  # type: ignore[arg-type]
        reached = self.drive(lambda previous: access.restore(order, previous), None)
        if order.target is Target.SIDE_BY_SIDE:
            return reached
        return self.drive(lambda previous: access.cut_over(order, previous), reached)

    def drive(self, step: Callable[[Any], DatabaseRestore], reached: DatabaseRestore | None) -> DatabaseRestore:
        until = time.monotonic() + LONGEST_SECONDS
        while time.monotonic() < until:
            reached = step(reached)
            if reached.done:
                return reached
            time.sleep(0.05)
        raise AssertionError(f"not done in {LONGEST_SECONDS} s: {reached and (reached.message, reached.items)}")

    def connect(self, host: str) -> Connection:
        port = self.cluster()["Port"]
        return self.sql.connect(host, port, "admin", PASSWORD)

    def write(self, key: str, amount: int) -> None:
        connection = self.connect(self.cluster()["Endpoint"])
        if "savings" not in connection.tables():
            connection.create_table("savings")
        connection.put("savings", key, {"amount": amount})

    def read(self, key: str, host: str = "") -> int | None:
        row = self.connect(host or self.cluster()["Endpoint"]).get("savings", key)
        return row and int(row["amount"])

    def next_second(self) -> datetime:
        """Sleeps into the next whole second, so that what is written later is later, and returns it."""
        whole = int(time.time()) + 1
        time.sleep(whole - time.time() + 0.02)
        return datetime.fromtimestamp(whole, UTC)

    def cluster(self, name: str = "orders") -> dict[str, Any]:
        return dict(self.rds.describe_db_clusters(DBClusterIdentifier=name)["DBClusters"][0])

    def names(self) -> tuple[set[str], set[str]]:
        """Of all clusters and instances."""
        clusters = {one["DBClusterIdentifier"] for one in self.rds.describe_db_clusters()["DBClusters"]}
        return clusters, {one["DBInstanceIdentifier"] for one in self.rds.describe_db_instances()["DBInstances"]}

    def until(self, what: str, status: str) -> None:
        self.wait(lambda: self.cluster()["Status"] == status, f"{what} to be {status}")

    def until_instance(self, name: str) -> None:
        def is_available() -> bool:
            found = self.rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0]
            return bool(found["DBInstanceStatus"] == "available")

        self.wait(is_available, f"instance {name} to be available")

    def _until_restorable(self) -> None:
        self.wait(
            lambda: self.cluster()["Status"] == "available" and "LatestRestorableTime" in self.cluster(),
            "the cluster to be restorable",
        )

    def wait(self, condition: Callable[[], bool], what: str) -> None:
        until = time.monotonic() + LONGEST_SECONDS
        while not condition():
            assert time.monotonic() < until, what
            time.sleep(0.02)

    def _common(self, tag: str) -> dict[str, Any]:
        return {
            "DBClusterIdentifier": "orders",
            "MasterUsername": "admin",
            "MasterUserPassword": PASSWORD,
            "Port": 3333,
            "VpcSecurityGroupIds": [self.security_group],
            "DBSubnetGroupName": "orders-subnets",
            "DBClusterParameterGroupName": "orders-cluster",
            "EnableIAMDatabaseAuthentication": True,
            "CopyTagsToSnapshot": True,
            "DeletionProtection": True,
            "StorageEncrypted": True,
            "KmsKeyId": self.kms_key,
            "PreferredBackupWindow": "17:00-17:30",
            "PreferredMaintenanceWindow": "sun:18:00-sun:18:30",
            "EnableCloudwatchLogsExports": ["error"],
            "Tags": [{"Key": "kind", "Value": tag}],
        }

    def _groups(self, engine: str, *, aurora: bool) -> None:
        vpc = self.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        subnets = [
            self.ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{number}.0/24", AvailabilityZone=f"{REGION}{zone}")["Subnet"][
                "SubnetId"
            ]
            for number, zone in enumerate("acd")
        ]
        self.security_group = self.ec2.create_security_group(GroupName="orders", Description="orders", VpcId=vpc)["GroupId"]
        self.rds.create_db_subnet_group(
            DBSubnetGroupName="orders-subnets", DBSubnetGroupDescription="orders", SubnetIds=subnets
        )
        family = self._family(engine)
        self.rds.create_db_cluster_parameter_group(
            DBClusterParameterGroupName="orders-cluster", DBParameterGroupFamily=family, Description="orders"
        )
        if aurora:
            self.rds.create_db_parameter_group(
                DBParameterGroupName="orders-instances", DBParameterGroupFamily=family, Description="orders"
            )

    def _family(self, engine: str) -> str:
        from infra.sandbox.aws.rds.engines import engine_of

        found = engine_of(engine)
        return found.family(found.version)


class _Session:
    """A boto3 session whose clients speak to the sandbox."""

    def __init__(self, server: RunningAws) -> None:
        self._server = server

    def client(self, service: str, region_name: str, config: Any) -> Any:
        return boto3.client(
            service,
            region_name=region_name,
            config=config,
            endpoint_url=self._server.url,
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )


def led(database: Database) -> Database:
    """The same section with `cut_over: endpoint`."""
    return type(database)(region=database.region, cluster=database.cluster, cut_over=CutOver.ENDPOINT)
