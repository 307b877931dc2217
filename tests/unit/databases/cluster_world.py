"""An Aurora cluster and a Multi-AZ DB cluster with no setting at its default, and the loops of an engine in virtual time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from shared.databases.rds import AuroraAccess, RdsClusterAccess
from shared.databases.rds.calls import Calls
from shared.databases.rds.cluster_access import ClusterAccess
from shared.databases.rds.cluster_manifest import read_cluster
from shared.databases.rds.cluster_scene import look
from shared.model.cluster_settings import ClusterSettings
from shared.model.plan import AuroraCluster, RdsCluster
from shared.model.records import from_record, to_record
from shared.model.restore import DatabaseRestore, RestoreOrder, Target
from tests.unit.databases.fake_clock import FakeClock
from tests.unit.databases.fake_dynamodb import REGION, Killed
from tests.unit.databases.fake_rds_clusters import FakeClusters

STAMP, RUN = "20261124t040000z", "orders-20261124T040000Z-1f2e3d4c"
SIDE, OLD = f"orders-r{STAMP}", f"orders-old{STAMP}"
COMMON: dict[str, Any] = {
    "EngineVersion": "8.0",
    "Port": 3307,
    "VpcSecurityGroups": [{"VpcSecurityGroupId": "sg-1"}],
    "DBSubnetGroup": "private",
    "DBClusterParameterGroup": "own",
    "NetworkType": "DUAL",
    "StorageEncrypted": True,
    "KmsKeyId": "arn:key",
    "IAMDatabaseAuthenticationEnabled": True,
    "DeletionProtection": True,
    "CopyTagsToSnapshot": True,
    "BackupRetentionPeriod": 7,
    "PreferredBackupWindow": "01:00-01:30",
    "PreferredMaintenanceWindow": "sun:03:00-sun:03:30",
    "EnabledCloudwatchLogsExports": ["error", "slowquery"],
    "DomainMemberships": [{"Domain": "d-1", "IAMRoleName": "directory"}],
    "MonitoringInterval": 30,
    "MonitoringRoleArn": "arn:monitoring",
    "PerformanceInsightsEnabled": True,
    "PerformanceInsightsKMSKeyId": "arn:insights",
    "PerformanceInsightsRetentionPeriod": 465,
    "DatabaseInsightsMode": "advanced",
    "MasterUserSecret": {"SecretArn": "arn:secret", "KmsKeyId": "arn:secret-key"},
    "EngineLifecycleSupport": "open-source-rds-extended-support-disabled",
    "TagList": [{"Key": "team", "Value": "payments"}, {"Key": "aws:stack", "Value": "x"}],
}
AURORA: dict[str, Any] = {
    **COMMON,
    "Engine": "aurora-mysql",
    "StorageType": "aurora-iopt1",
    "BacktrackWindow": 3600,
    "ServerlessV2ScalingConfiguration": {"MinCapacity": 0.0, "MaxCapacity": 8.0, "SecondsUntilAutoPause": 600},
    "AssociatedRoles": [{"RoleArn": "arn:aws:iam::123456789012:role/s3", "FeatureName": "", "Status": "ACTIVE"}],
    "HttpEndpointEnabled": True,
    "LocalWriteForwardingStatus": "enabled",
}
MULTI_AZ: dict[str, Any] = {
    **COMMON,
    "Engine": "mysql",
    "StorageType": "io1",
    "Iops": 3000,
    "AllocatedStorage": 500,
    "DBClusterInstanceClass": "db.m6gd.large",
    "PubliclyAccessible": True,
    "AutoMinorVersionUpgrade": False,
    "CertificateDetails": {"CAIdentifier": "rds-ca-ecc384-g1"},
}
MEMBER: dict[str, Any] = {
    "DBInstanceClass": "db.serverless",
    "PreferredMaintenanceWindow": "mon:03:00-mon:03:30",
    "MonitoringInterval": 30,
    "MonitoringRoleArn": "arn:monitoring",
    "PerformanceInsightsEnabled": True,
    "PerformanceInsightsKMSKeyId": "arn:insights",
    "PerformanceInsightsRetentionPeriod": 465,
    "DBParameterGroups": [{"DBParameterGroupName": "own", "ParameterApplyStatus": "in-sync"}],
    "CACertificateIdentifier": "rds-ca-ecc384-g1",
    "AutoMinorVersionUpgrade": False,
    "PubliclyAccessible": True,
    "TagList": [{"Key": "team", "Value": "payments"}],
}


class ClusterWorld:
    """`orders` with the data `first` at the point and `second` now."""

    def __init__(self, *, aurora: bool = True) -> None:
        self.clock = FakeClock()
        self.account = FakeClusters(self.clock)
        live = self.account.add_cluster("orders", "first", **(AURORA if aurora else MULTI_AZ))
        for number, zone in enumerate("acd"):
            own = {"PromotionTier": number, "AvailabilityZone": f"{REGION}{zone}", **MEMBER}
            self.account.add_instance(f"orders-{number}", live, **(own if aurora else {"DBInstanceClass": "db.m6gd.large"}))
        if aurora:
            self._extras()
        self.clock.advance(7200)
        self.point = self.clock.now().replace(microsecond=0)
        self.clock.advance(600)
        self.account.write("orders", "second")
        self.database = (AuroraCluster if aurora else RdsCluster)(region=REGION, cluster="orders")
        self.access = self.new_process()

    def _extras(self) -> None:
        client = self.account.session().client("rds", REGION, None)
        client.create_db_cluster_endpoint(
            DBClusterIdentifier="orders",
            DBClusterEndpointIdentifier="reports",
            EndpointType="READER",
            StaticMembers=["orders-2"],
            Tags=[{"Key": "for", "Value": "reports"}],
        )
        scaling = self.account.session().client("application-autoscaling", REGION, None)
        which = {"ServiceNamespace": "rds", "ResourceId": "cluster:orders", "ScalableDimension": "rds:cluster:ReadReplicaCount"}
        scaling.register_scalable_target(**which, MinCapacity=2, MaxCapacity=5)
        scaling.put_scaling_policy(**which, PolicyName="cpu", PolicyType="TargetTrackingScaling")
        scaling.put_scheduled_action(
            **which, ScheduledActionName="night", Schedule="cron(0 18 * * ? *)", StartTime=self.clock.now()
        )
        self.account.calls.clear()
        self.account.changes = 0

    def new_process(self) -> ClusterAccess:
        kind = AuroraAccess if self.account.clusters[0].settings["Engine"].startswith("aurora") else RdsClusterAccess
        return kind(self.account.session(), self.clock)

    def settings(self, name: str = "orders") -> ClusterSettings:
        calls = Calls(self.account.session(), REGION)
        scene = look(calls)
        found = scene.cluster(name)
        assert found is not None
        return read_cluster(found, scene, self.clock.now(), calls)

    def order(self, **more: Any) -> RestoreOrder:
        given: dict[str, Any] = {
            "database": self.database,
            "run": RUN,
            "stamp": STAMP,
            "target": Target.IN_PLACE,
            "at": self.point,
        }
        return RestoreOrder(**{**given, **more})

    def undo_order(self, restored: DatabaseRestore) -> RestoreOrder:
        return self.order(run=RUN.replace("T04", "T05"), stamp="20261124t050000z", at=None, undo=restored)

    def until(
        self, call: Callable[[DatabaseRestore | None], DatabaseRestore], reached: DatabaseRestore | None = None
    ) -> DatabaseRestore:
        """Calls until done; what is returned goes through the catalog's form. A killed process is started again."""
        for _ in range(2_000):
            try:
                reached = from_record(to_record(call(reached)), DatabaseRestore)
            except Killed:
                self.access = self.new_process()
                continue
            if reached.done:
                return reached
            self.clock.advance(max(1.0, reached.wait_seconds))
        raise AssertionError(f"not done: {reached}")

    def prepare(self, order: RestoreOrder) -> DatabaseRestore:
        return self.until(lambda so_far: self.access.restore(order, so_far))

    def cut_over(self, order: RestoreOrder, prepared: DatabaseRestore) -> DatabaseRestore:
        return self.until(lambda so_far: self.access.cut_over(order, so_far or prepared), prepared)

    def restore(self, order: RestoreOrder) -> DatabaseRestore:
        return self.cut_over(order, self.prepare(order))

    def discard(self, order: RestoreOrder, restored: DatabaseRestore) -> DatabaseRestore:
        return self.until(lambda so_far: self.access.discard(order, so_far or restored), restored)
