"""A DB instance with no setting at its default in a fake account, and the loops that an engine makes, in virtual time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from shared.databases.rds import RdsInstanceAccess
from shared.databases.rds.instance_manifest import read
from shared.databases.rds.inventory import Instance
from shared.model.instance_settings import InstanceSettings
from shared.model.plan import RdsInstance
from shared.model.protection import DatabaseProtection, ItemPhase, ItemProtection
from shared.model.records import from_record, to_record
from shared.model.restore import DatabaseRestore, RestoreOrder, RestoreStage, Target
from tests.unit.databases.fake_clock import FakeClock
from tests.unit.databases.fake_dynamodb import REGION, Killed
from tests.unit.databases.fake_rds import FakeRds

NAME, STAMP, RUN = "orders", "20261124t040000z", "orders-20261124T040000Z-1f2e3d4c"
SIDE, OLD = f"{NAME}-r{STAMP}", f"{NAME}-old{STAMP}"
FULL: dict[str, Any] = {
    "Engine": "mysql",
    "EngineVersion": "8.0.42",
    "StorageEncrypted": True,
    "KmsKeyId": "arn:key",
    "MasterUsername": "admin",
    "DBName": "bank",
    "DBInstanceClass": "db.r6g.large",
    "ProcessorFeatures": [{"Name": "coreCount", "Value": "2"}],
    "AllocatedStorage": 500,
    "MaxAllocatedStorage": 1000,
    "StorageType": "io2",
    "Iops": 5000,
    "LicenseModel": "bring-your-own-license",
    "DedicatedLogVolume": True,
    "MultiAZ": True,
    "DBSubnetGroup": {"DBSubnetGroupName": "private"},
    "VpcSecurityGroups": [{"VpcSecurityGroupId": "sg-1", "Status": "active"}],
    "NetworkType": "DUAL",
    "PubliclyAccessible": True,
    "CustomerOwnedIpEnabled": True,
    "Port": 3307,
    "CACertificateIdentifier": "rds-ca-ecc384-g1",
    "DomainMemberships": [{"Domain": "d-1", "IAMRoleName": "directory", "Status": "joined"}],
    "DBParameterGroups": [{"DBParameterGroupName": "own", "ParameterApplyStatus": "in-sync"}],
    "OptionGroupMemberships": [{"OptionGroupName": "own", "Status": "in-sync"}],
    "IAMDatabaseAuthenticationEnabled": True,
    "MasterUserSecret": {"SecretArn": "arn:secret", "KmsKeyId": "arn:secret-key"},
    "EnabledCloudwatchLogsExports": ["error", "slowquery"],
    "AutoMinorVersionUpgrade": False,
    "EngineLifecycleSupport": "open-source-rds-extended-support-disabled",
    "AssociatedRoles": [{"FeatureName": "S3_INTEGRATION", "RoleArn": "arn:role", "Status": "ACTIVE"}],
    "BackupRetentionPeriod": 7,
    "PreferredBackupWindow": "01:00-01:30",
    "BackupTarget": "region",
    "PreferredMaintenanceWindow": "sun:03:00-sun:03:30",
    "CopyTagsToSnapshot": True,
    "DeletionProtection": True,
    "MonitoringInterval": 30,
    "MonitoringRoleArn": "arn:monitoring",
    "DatabaseInsightsMode": "advanced",
    "PerformanceInsightsEnabled": True,
    "PerformanceInsightsKMSKeyId": "arn:insights-key",
    "PerformanceInsightsRetentionPeriod": 465,
    "TagList": [{"Key": "team", "Value": "payments"}, {"Key": "aws:stack", "Value": "x"}],
}


class RdsWorld:
    def __init__(self, **settings: Any) -> None:
        self.clock = FakeClock()
        self.account = FakeRds(self.clock)
        self.account.add(NAME, "first", **{**FULL, **settings})
        self.clock.advance(7200)
        self.point = self.clock.now().replace(microsecond=0)
        self.clock.advance(60)
        self.account.write(NAME, "second")
        self.clock.advance(600)
        self.database = RdsInstance(region=REGION, instance=NAME)
        self.access = self.new_process()

    def new_process(self) -> RdsInstanceAccess:
        return RdsInstanceAccess(self.account.session(), self.clock)

    def settings(self, name: str = NAME) -> InstanceSettings:
        return read(Instance(self.account.describe(self.account.named(name))), self.clock.now())

    def protect(self, database: RdsInstance | None = None, arn: str = "", note: str = "") -> DatabaseProtection:
        database = database or self.database
        item = ItemProtection(name=NAME, phase=ItemPhase.WAITING, backup_arn=arn, note=note)
        reached = DatabaseProtection(database=database.key, point=self.point, items=(item,))
        for _ in range(200):
            reached = self.access.protect(database, (), self.point, True, reached)
            reached = from_record(to_record(reached), DatabaseProtection)
            if reached.done:
                return reached
            assert 1 <= reached.wait_seconds <= 60
            self.clock.advance(reached.wait_seconds)
        raise AssertionError(f"not done: {reached}")

    def order(self, protection: DatabaseProtection | None = None, **more: Any) -> RestoreOrder:
        at: datetime | None = protection.point if protection else self.point
        given: dict[str, Any] = {
            "database": self.database,
            "run": RUN,
            "stamp": STAMP,
            "target": Target.IN_PLACE,
            "at": at,
            "protection": protection,
        }
        return RestoreOrder(**{**given, **more})

    def until(
        self,
        call: Callable[[DatabaseRestore | None], DatabaseRestore],
        reached: DatabaseRestore | None = None,
        between: Callable[[], object] = lambda: None,
    ) -> DatabaseRestore:
        """Calls until done; what is returned goes through the catalog's form. A killed process is started again."""
        for _ in range(3_000):
            between()
            try:
                reached = from_record(to_record(call(reached)), DatabaseRestore)
            except Killed:
                self.account.kill_at = None
                self.access = self.new_process()
                continue
            if reached.done:
                return reached
            assert 1 <= reached.wait_seconds <= 60
            self.clock.advance(reached.wait_seconds)
        raise AssertionError(f"not done after 3,000 calls: {reached}")

    def prepare(self, order: RestoreOrder, reached: DatabaseRestore | None = None) -> DatabaseRestore:
        return self.until(lambda so_far: self.access.restore(order, so_far), reached)

    def cut_over(self, order: RestoreOrder, reached: DatabaseRestore) -> DatabaseRestore:
        return self.until(lambda so_far: self.access.cut_over(order, so_far or reached), reached)

    def restore(self, order: RestoreOrder) -> DatabaseRestore:
        return self.cut_over(order, self.prepare(order))

    def discard(self, order: RestoreOrder, restored: DatabaseRestore) -> DatabaseRestore:
        done = self.until(lambda so_far: self.access.discard(order, so_far or restored), restored)
        assert done.stage is RestoreStage.DISCARDED
        return done

    def undo(self, order: RestoreOrder, restored: DatabaseRestore) -> RestoreOrder:
        stamp = order.stamp.replace("t04", "t05")
        return self.order(run=order.run.replace("T04", "T05"), stamp=stamp, at=None, undo=restored, database=order.database)

    def later(self, hours: float) -> None:
        self.clock.advance(timedelta(hours=hours).total_seconds())
