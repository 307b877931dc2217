"""A DB instance with no setting at its default in the strict sandbox, rows behind it, and the loops that an engine makes."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from typing import Any

from infra.sandbox.aws.process import RunningAws
from infra.sandbox.relational.client import Connection, SqlClient
from shared.databases.clock import Clock
from shared.databases.rds import RdsInstanceAccess
from shared.databases.rds.instance_manifest import read
from shared.databases.rds.inventory import Instance
from shared.model.instance_settings import InstanceSettings
from shared.model.plan import RdsInstance
from shared.model.protection import DatabaseProtection, ItemPhase, ItemProtection
from shared.model.records import from_record, to_record
from shared.model.restore import DatabaseRestore, RestoreOrder, Target
from shared.model.storage import ReleaseStorage, Storage
from tests.contract.databases.scalardb import SandboxSession

NAME, PASSWORD = "orders", "first-secret"
ROLE = "arn:aws:iam::123456789012:role/"
QUICK = {
    "rds_lag_seconds": 0,
    "rds_create_seconds": 0.05,
    "rds_backup_seconds": 0.05,
    "rds_restore_seconds": 0.1,
    "rds_modify_seconds": 0.05,
    "rds_snapshot_seconds": 0.1,
    "rds_snapshot_skew_seconds": 0.0,
    "rds_delete_seconds": 0.05,
    "rename_seconds": 0.1,
    "name_free_seconds": 0.15,
}
FAMILIES = {
    "mysql": ("mysql8.0", "8.0", "error"),
    "postgres": ("postgres16", "16", "postgresql"),
    "oracle-ee": ("oracle-ee-19", "19", "alert"),
    "sqlserver-se": ("sqlserver-se-15.0", "15.00", "error"),
}
OWN = {
    "oracle-ee": {"CharacterSetName": "JA16SJIS", "NcharCharacterSetName": "UTF8", "DBName": "ORDERS"},
    "sqlserver-se": {"CharacterSetName": "Japanese_CI_AS", "Timezone": "Tokyo Standard Time"},
}


@cache
def _client(aws: RunningAws, service: str) -> Any:
    """Made once: reading the model of RDS takes longer than a whole test."""
    return aws.client(service)


class _Session:
    """The product's own client, with its retries and time-outs, made once as well."""

    def __init__(self, aws: RunningAws) -> None:
        self._aws = aws

    def client(self, service: str, region_name: str, config: Any) -> Any:
        return _product_client(self._aws, service, region_name, config)


_PRODUCT_CLIENTS: dict[tuple[str, str], Any] = {}


def _product_client(aws: RunningAws, service: str, region: str, config: Any) -> Any:
    if (aws.url, service) not in _PRODUCT_CLIENTS:
        _PRODUCT_CLIENTS[aws.url, service] = SandboxSession(aws).client(service, region, config)
    return _PRODUCT_CLIENTS[aws.url, service]


class RdsWorld:
    """One instance `orders` of `engine`."""

    def __init__(self, aws: RunningAws, clock: Clock, engine: str = "mysql", multi_az: bool = False, **more: Any) -> None:
        aws.reset()
        aws.settings(**QUICK)
        self.aws, self.clock, self.engine = aws, clock, engine
        self.rds = _client(aws, "rds")
        self.database = RdsInstance(region=aws.region, instance=NAME)
        self.access = RdsInstanceAccess(_Session(aws), clock)
        self._sql = SqlClient(aws.url)
        self.port = {"mysql": 3306, "postgres": 5432}.get(engine, 1521 if engine.startswith("oracle") else 1433)
        self._make(multi_az, more)
        self.endpoint = self.settings().endpoint
        self.storages = (self.release(self.endpoint),)

    def release(self, host: str) -> ReleaseStorage:
        storage = Storage(name="default", kind="jdbc", contact_point=f"jdbc:mysql://{host}:{self.port}/")
        return ReleaseStorage(release="prod/scalar/orders", source="ConfigMap orders", storages=(storage,))

    def _make(self, multi_az: bool, more: dict[str, Any]) -> None:
        family, major, log = FAMILIES[self.engine]
        ec2 = _client(self.aws, "ec2")
        vpc = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
        group = ec2.create_security_group(GroupName="orders", Description="orders", VpcId=vpc)["GroupId"]
        subnets = [
            ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.1.{n}.0/24", AvailabilityZone=f"{self.aws.region}{zone}")
            for n, zone in enumerate("ac")
        ]
        ids = [one["Subnet"]["SubnetId"] for one in subnets]
        self.rds.create_db_subnet_group(DBSubnetGroupName="private", DBSubnetGroupDescription="private", SubnetIds=ids)
        self.rds.create_db_parameter_group(DBParameterGroupName="own", DBParameterGroupFamily=family, Description="own")
        if self.engine == "mysql":  # the only engine whose present major version moto has option groups of
            self.rds.create_option_group(
                OptionGroupName="own", EngineName=self.engine, MajorEngineVersion=major, OptionGroupDescription="own"
            )
            more = {"OptionGroupName": "own", **more}
        self.rds.create_db_instance(
            **{
                "DBInstanceIdentifier": NAME,
                "DBInstanceClass": "db.r6g.large",
                "Engine": self.engine,
                "AllocatedStorage": 500,
                "MaxAllocatedStorage": 1000,
                "StorageType": "io1",
                "Iops": 5000,
                "MasterUsername": "admin",
                "MasterUserPassword": PASSWORD,
                "MultiAZ": multi_az,
                **({} if multi_az else {"AvailabilityZone": f"{self.aws.region}c"}),
                "DBSubnetGroupName": "private",
                "VpcSecurityGroupIds": [group],
                "DBParameterGroupName": "own",
                "Port": self.port,
                "BackupRetentionPeriod": 7,
                "PreferredBackupWindow": "01:00-01:30",
                "PreferredMaintenanceWindow": "sun:03:00-sun:03:30",
                "AutoMinorVersionUpgrade": False,
                "CopyTagsToSnapshot": True,
                "DeletionProtection": True,
                "EnableIAMDatabaseAuthentication": True,
                "EnableCloudwatchLogsExports": [log],
                "MonitoringInterval": 30,
                "MonitoringRoleArn": f"{ROLE}monitoring",
                "EnablePerformanceInsights": True,
                "PerformanceInsightsRetentionPeriod": 465,
                "DatabaseInsightsMode": "advanced",
                "DedicatedLogVolume": True,
                "PubliclyAccessible": True,
                "CACertificateIdentifier": "rds-ca-ecc384-g1",
                "StorageEncrypted": True,
                "KmsKeyId": "arn:aws:kms:ap-northeast-1:123456789012:key/orders",
                "Tags": [{"Key": "team", "Value": "payments"}],
                **OWN.get(self.engine, {}),
                **more,
            }
        )
        self.wait(lambda: self.described()["DBInstanceStatus"] == "available")
        self.rds.add_role_to_db_instance(DBInstanceIdentifier=NAME, RoleArn=f"{ROLE}exports", FeatureName="S3_INTEGRATION")

    def described(self, name: str = NAME) -> dict[str, Any]:
        return dict(self.rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0])

    def settings(self, name: str = NAME) -> InstanceSettings:
        return read(Instance(self.described(name)), datetime(2026, 1, 1, tzinfo=UTC))

    def names(self) -> set[str]:
        return {one["DBInstanceIdentifier"] for one in self.rds.describe_db_instances()["DBInstances"]}

    # -- rows

    def connect(self, host: str = "") -> Connection:
        return self._sql.connect(host or self.endpoint, self.port, "admin", PASSWORD)

    def rows(self, host: str = "") -> dict[str, Any]:
        return self.connect(host).scan("bank.savings")

    def write(self, amount: int) -> None:
        connection = self.connect()
        connection.create_table("bank.savings")
        connection.put("bank.savings", "alice", {"amount": amount})

    def point_now(self) -> datetime:
        """A whole second that everything written so far lies before, and everything written from now on after."""
        whole = int(time.time()) + 1
        time.sleep(whole + 0.02 - time.time())
        return datetime.fromtimestamp(whole, UTC)

    # -- loops

    def wait(self, is_so: Callable[[], bool]) -> None:
        for _ in range(400):
            if is_so():
                return
            time.sleep(0.02)
        raise AssertionError("it did not become so")

    def protect(self, point: datetime, database: RdsInstance | None = None, arn: str = "") -> DatabaseProtection:
        database = database or self.database
        item = ItemProtection(name=NAME, phase=ItemPhase.WAITING, backup_arn=arn)
        reached = DatabaseProtection(database=database.key, point=point, items=(item,))
        for _ in range(200):
            reached = self.access.protect(database, self.storages, point, True, reached)
            reached = from_record(to_record(reached), DatabaseProtection)
            if reached.done:
                return reached
            time.sleep(0.02)
        raise AssertionError(f"not done: {reached}")

    def order(self, protection: DatabaseProtection | None = None, **more: Any) -> RestoreOrder:
        given: dict[str, Any] = {
            "database": self.database,
            "run": "orders-20261124T030000Z-1f2e3d4c",
            "stamp": "20261124t030000z",
            "target": Target.IN_PLACE,
            "at": protection.point if protection else None,
            "protection": protection,
            "storages": self.storages,
        }
        return RestoreOrder(**{**given, **more})

    def prepare(self, order: RestoreOrder, reached: DatabaseRestore | None = None) -> DatabaseRestore:
        return self._until_done(lambda so_far: self.access.restore(order, so_far), reached)

    def cut_over(self, order: RestoreOrder, reached: DatabaseRestore) -> DatabaseRestore:
        return self._until_done(lambda so_far: self.access.cut_over(order, so_far or reached), reached)

    def restore(self, order: RestoreOrder) -> DatabaseRestore:
        return self.cut_over(order, self.prepare(order))

    def discard(self, order: RestoreOrder, restored: DatabaseRestore) -> DatabaseRestore:
        return self._until_done(lambda so_far: self.access.discard(order, so_far or restored), restored)

    def _until_done(
        self, call: Callable[[DatabaseRestore | None], DatabaseRestore], reached: DatabaseRestore | None
    ) -> DatabaseRestore:
        for _ in range(400):
            reached = from_record(to_record(call(reached)), DatabaseRestore)
            if reached.done:
                return reached
            time.sleep(0.02)
        raise AssertionError(f"not done: {reached}")


def later(order: RestoreOrder, restored: DatabaseRestore) -> RestoreOrder:
    """The undo of `restored`, a minute later."""
    stamp = order.stamp.replace("0300", "0301")
    return RestoreOrder(
        database=order.database,
        run=order.run.replace("0300", "0301"),
        stamp=stamp,
        target=order.target,
        undo=restored,
        storages=order.storages,
    )
