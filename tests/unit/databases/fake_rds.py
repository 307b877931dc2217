"""An RDS that keeps state: instances whose states take their time, restores that reset what AWS resets, renames that free a
name late, a kill after the n-th call. Requests are held against botocore's own model. Time is a FakeClock's."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import botocore.session
from botocore import xform_name
from botocore.exceptions import ClientError
from botocore.validate import ParamValidator

from tests.unit.databases.fake_clock import FakeClock
from tests.unit.databases.fake_dynamodb import REGION, Killed

ARN = f"arn:aws:rds:{REGION}:123456789012"
SUFFIX = f"c0ffee.{REGION}.rds.amazonaws.com"
DEFAULTS: dict[str, Any] = {
    "DBInstanceClass": "db.m6g.large",
    "LicenseModel": "general-public-license",
    "StorageType": "gp3",
    "Iops": 3000,
    "StorageThroughput": 125,
    "MultiAZ": False,
    "AvailabilityZone": f"{REGION}a",
    "NetworkType": "IPV4",
    "PubliclyAccessible": False,
    "CustomerOwnedIpEnabled": False,
    "CACertificateIdentifier": "default-ca",
    "IAMDatabaseAuthenticationEnabled": False,
    "AutoMinorVersionUpgrade": True,
    "EngineLifecycleSupport": "open-source-rds-extended-support",
    "PreferredBackupWindow": "13:00-13:30",
    "PreferredMaintenanceWindow": "wed:06:00-wed:06:30",
    "CopyTagsToSnapshot": False,
    "DeletionProtection": False,
    "DedicatedLogVolume": False,
    "MonitoringInterval": 0,
    "DatabaseInsightsMode": "standard",
    "PerformanceInsightsEnabled": False,
    "VpcSecurityGroups": [{"VpcSecurityGroupId": "sg-default", "Status": "active"}],
    "DBSubnetGroup": {"DBSubnetGroupName": "default"},
    "DBParameterGroups": [{"DBParameterGroupName": "default.mysql8.0", "ParameterApplyStatus": "in-sync"}],
    "OptionGroupMemberships": [{"OptionGroupName": "default:mysql-8-0", "Status": "in-sync"}],
}
CARRIED = (
    "AllocatedStorage",
    "BackupRetentionPeriod",
    "CharacterSetName",
    "DBName",
    "Engine",
    "EngineVersion",
    "KmsKeyId",
    "MasterUsername",
    "MultiTenant",
    "NcharCharacterSetName",
    "StorageEncrypted",
    "Timezone",
)
"""What a restore takes from its source without being told."""
_NAMES = {
    "EnableIAMDatabaseAuthentication": "IAMDatabaseAuthenticationEnabled",
    "EnableCustomerOwnedIp": "CustomerOwnedIpEnabled",
    "EnablePerformanceInsights": "PerformanceInsightsEnabled",
    "DBPortNumber": "Port",
    "EnableCloudwatchLogsExports": "EnabledCloudwatchLogsExports",
    "AdditionalStorageVolumes": "AdditionalStorageVolumes",
}
_NOT_SETTINGS = {
    "ApplyImmediately",
    "DBInstanceIdentifier",
    "DBSnapshotIdentifier",
    "NewDBInstanceIdentifier",
    "RestoreTime",
    "SourceDBInstanceIdentifier",
    "SourceDbiResourceId",
    "TargetDBInstanceIdentifier",
}
_MODEL = botocore.session.get_session().get_service_model("rds")
_OPERATIONS = {xform_name(name): name for name in _MODEL.operation_names}


@dataclass
class FakeInstance:
    name: str
    resource_id: str
    settings: dict[str, Any]
    data: str
    since: datetime
    phases: list[tuple[str, datetime, Callable[[], None]]] = field(default_factory=list)
    rest: str = "available"

    @property
    def status(self) -> str:
        return self.phases[0][0] if self.phases else self.rest


class FakeRds:
    """`data` of an instance is a word; `history` says which word it was from when on."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.instances: list[FakeInstance] = []
        self.retained: list[FakeInstance] = []
        self.snapshots: dict[str, dict[str, Any]] = {}
        self.history: dict[str, list[tuple[datetime, str]]] = {}
        self.freed: dict[str, datetime] = {}
        self.lag, self.restore_seconds, self.modify_seconds = 300.0, 1800.0, 120.0
        self.rename_seconds, self.name_free_seconds, self.delete_seconds = 600.0, 660.0, 300.0
        self.snapshot_seconds = 240.0
        self.calls: Counter[str] = Counter()
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.kill_at: int | None = None
        self.kill_after_effect = False
        self.forget: set[str] = set()
        """Parameters that restores and modifications pass over in silence."""
        self.faults: dict[str, list[str]] = {}
        self._number = 0

    def session(self) -> Any:
        return SimpleNamespace(client=lambda service, region_name, config: _Client(self))

    # -- what tests look at

    def add(self, name: str, data: str = "first", **settings: Any) -> FakeInstance:
        self._number += 1
        one = FakeInstance(name, f"db-{self._number:04}", {**copy.deepcopy(DEFAULTS), **settings}, data, self.clock.now())
        self.history[one.resource_id] = [(self.clock.now(), data)]
        self.instances.append(one)
        return one

    def write(self, name: str, data: str) -> None:
        one = self.named(name)
        one.data = data
        self.history[one.resource_id].append((self.clock.now(), data))

    def named(self, name: str) -> FakeInstance:
        self.settle()
        return next(one for one in self.instances if one.name == name)

    def names(self) -> dict[str, str]:
        """Data by name."""
        self.settle()
        return {one.name: one.data for one in self.instances}

    # -- the service

    def call(self, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        self.clock.advance(0.01)
        self.calls[operation] += 1
        self.asked.append((operation, parameters))
        errors = ParamValidator().validate(parameters, _MODEL.operation_model(_OPERATIONS[operation]).input_shape)
        assert not errors.has_errors(), errors.generate_report()
        is_last = self.kill_at is not None and self.calls.total() >= self.kill_at
        if is_last and not (self.kill_after_effect and self.calls.total() == self.kill_at):
            raise Killed
        if self.faults.get(operation):
            raise _refusal(self.faults[operation].pop(0), operation)
        self.settle()
        answer: dict[str, Any] = getattr(self, f"_{operation}")(**parameters)
        if is_last:
            raise Killed
        return answer

    def settle(self) -> None:
        for one in list(self.instances):
            while one.phases and one.phases[0][1] <= self.clock.now():
                one.phases.pop(0)[2]()

    def _begin(self, one: FakeInstance, status: str, seconds: float, then: Callable[[], None] = lambda: None) -> None:
        start = max([self.clock.now(), *(until for _, until, _ in one.phases)])
        one.phases.append((status, start + timedelta(seconds=seconds), then))

    def _find(self, name: str) -> FakeInstance:
        found = next((one for one in self.instances if one.name == name), None)
        if found is None:
            raise _refusal("DBInstanceNotFound", name)
        return found

    def _available(self, name: str) -> FakeInstance:
        one = self._find(name)
        if one.status != "available":
            raise _refusal("InvalidDBInstanceState", f"{name} is {one.status}")
        return one

    def _require_free(self, name: str) -> None:
        if any(one.name == name for one in self.instances) or self.freed.get(name, self.clock.now()) > self.clock.now():
            raise _refusal("DBInstanceAlreadyExists", name)

    def describe(self, one: FakeInstance) -> dict[str, Any]:
        shown = {
            **one.settings,
            "DBInstanceIdentifier": one.name,
            "DbiResourceId": one.resource_id,
            "DBInstanceArn": f"{ARN}:db:{one.name}",
            "DBInstanceStatus": one.status,
        }
        shown["DbInstancePort"] = 0
        if one.status not in ("creating", "renaming"):
            shown["Endpoint"] = {"Address": f"{one.name}.{SUFFIX}", "Port": one.settings.get("Port", 3306)}
        if one.settings.get("BackupRetentionPeriod") and one.status != "creating":
            shown["LatestRestorableTime"] = self.clock.now() - timedelta(seconds=self.lag)
        return copy.deepcopy(shown)

    def _describe_db_instances(self) -> dict[str, Any]:
        return {"DBInstances": [self.describe(one) for one in self.instances]}

    def _describe_db_instance_automated_backups(self, **given: Any) -> dict[str, Any]:
        alive = [one for one in self.instances if one.settings.get("BackupRetentionPeriod")]
        found = [*alive, *self.retained]
        if wanted := given.get("DbiResourceId"):
            found = [one for one in found if one.resource_id == wanted]
            if not found:
                raise _refusal("DBInstanceAutomatedBackupNotFound", wanted)
        if given.get("Filters"):
            found = list(self.retained)
        latest = self.clock.now() - timedelta(seconds=self.lag)
        return {
            "DBInstanceAutomatedBackups": [
                {
                    "DbiResourceId": one.resource_id,
                    "DBInstanceIdentifier": one.name,
                    "RestoreWindow": {"EarliestTime": one.since, "LatestTime": latest},
                }
                for one in found
            ]
        }

    def _describe_pending_maintenance_actions(self, **_: Any) -> dict[str, Any]:
        return {"PendingMaintenanceActions": []}

    def _describe_blue_green_deployments(self, **_: Any) -> dict[str, Any]:
        return {"BlueGreenDeployments": []}

    def _restore(self, name: str, source: FakeInstance, data: str, given: dict[str, Any]) -> dict[str, Any]:
        self._require_free(name)
        carried = {field: source.settings[field] for field in CARRIED if field in source.settings}
        one = self.add(name, data, **carried)
        one.settings["TagList"] = []
        self._set(one, given)
        self._begin(one, "creating", self.restore_seconds)
        return {"DBInstance": self.describe(one)}

    def _restore_db_instance_to_point_in_time(self, **given: Any) -> dict[str, Any]:
        if "SourceDBInstanceIdentifier" in given:
            source = self._find(given["SourceDBInstanceIdentifier"])
        else:
            source = next(one for one in self.retained if one.resource_id == given["SourceDbiResourceId"])
        at = given["RestoreTime"]
        assert source.since <= at <= self.clock.now() - timedelta(seconds=self.lag)
        data = [word for since, word in self.history[source.resource_id] if since <= at][-1]
        return self._restore(given["TargetDBInstanceIdentifier"], source, data, given)

    def _restore_db_instance_from_db_snapshot(self, **given: Any) -> dict[str, Any]:
        snapshot = self.snapshots[given["DBSnapshotIdentifier"]]
        return self._restore(given["DBInstanceIdentifier"], snapshot["of"], snapshot["data"], given)

    def _modify_db_instance(self, **given: Any) -> dict[str, Any]:
        one = self._available(given["DBInstanceIdentifier"])
        if new := given.get("NewDBInstanceIdentifier"):
            assert given["ApplyImmediately"]
            self._require_free(new)
            self.freed[one.name] = self.clock.now() + timedelta(seconds=self.name_free_seconds)
            self._begin(one, "renaming", self.rename_seconds, lambda: setattr(one, "name", new))
        else:
            at_once = {"DeletionProtection": given["DeletionProtection"]} if "DeletionProtection" in given else {}
            self._set(one, at_once)
            rest = {name: value for name, value in given.items() if name not in at_once}
            self._begin(one, "modifying", self.modify_seconds, lambda: self._set(one, rest, by_modification=True))
        return {"DBInstance": self.describe(one)}

    def _set(self, one: FakeInstance, given: dict[str, Any], by_modification: bool = False) -> None:
        settings = one.settings
        for name, value in given.items():
            if name in _NOT_SETTINGS or name in self.forget:
                continue
            if name == "VpcSecurityGroupIds":
                settings["VpcSecurityGroups"] = [{"VpcSecurityGroupId": group, "Status": "active"} for group in value]
            elif name == "DBSubnetGroupName":
                settings["DBSubnetGroup"] = {"DBSubnetGroupName": value}
            elif name == "DBParameterGroupName":
                status = "pending-reboot" if by_modification else "in-sync"
                settings["DBParameterGroups"] = [{"DBParameterGroupName": value, "ParameterApplyStatus": status}]
            elif name == "OptionGroupName":
                settings["OptionGroupMemberships"] = [{"OptionGroupName": value, "Status": "in-sync"}]
            elif name == "Tags":
                settings["TagList"] = list(value)
            elif name == "CloudwatchLogsExportConfiguration":
                logs = set(settings.get("EnabledCloudwatchLogsExports", [])) | set(value["EnableLogTypes"])
                settings["EnabledCloudwatchLogsExports"] = sorted(logs - set(value["DisableLogTypes"]))
            elif name in ("Domain", "DomainIAMRoleName"):
                member = settings.setdefault("DomainMemberships", [{"Status": "joined"}])[0]
                member["Domain" if name == "Domain" else "IAMRoleName"] = value
            elif name == "ManageMasterUserPassword":
                settings.setdefault("MasterUserSecret", {"SecretArn": "arn:secret"})
            elif name == "MasterUserSecretKmsKeyId":
                settings.setdefault("MasterUserSecret", {"SecretArn": "arn:secret"})["KmsKeyId"] = value
            else:
                settings[_NAMES.get(name, name)] = value

    def _reboot_db_instance(self, **given: Any) -> dict[str, Any]:
        one = self._available(given["DBInstanceIdentifier"])
        for group in one.settings["DBParameterGroups"]:
            group["ParameterApplyStatus"] = "in-sync"
        self._begin(one, "rebooting", 60)
        return {}

    def _add_role_to_db_instance(self, **given: Any) -> dict[str, Any]:
        one = self._available(given["DBInstanceIdentifier"])
        role = {"FeatureName": given["FeatureName"], "RoleArn": given["RoleArn"], "Status": "ACTIVE"}
        one.settings.setdefault("AssociatedRoles", []).append(role)
        return {}

    def _add_tags_to_resource(self, **given: Any) -> dict[str, Any]:
        name = given["ResourceName"].rpartition(":")[2]
        holder = self.snapshots[name] if name in self.snapshots else self._find(name).settings
        merged = {tag["Key"]: tag for tag in [*holder.get("TagList", []), *given["Tags"]]}
        holder["TagList"] = list(merged.values())
        return {}

    def _remove_tags_from_resource(self, **given: Any) -> dict[str, Any]:
        settings = self._find(given["ResourceName"].rpartition(":")[2]).settings
        settings["TagList"] = [tag for tag in settings["TagList"] if tag["Key"] not in given["TagKeys"]]
        return {}

    def _delete_db_instance(self, **given: Any) -> dict[str, Any]:
        one = self._find(given["DBInstanceIdentifier"])
        if one.settings.get("DeletionProtection"):
            raise _refusal("InvalidParameterCombination", "Cannot delete protected DB Instance")
        if one.status == "deleting":
            raise _refusal("InvalidDBInstanceState", one.name)
        if not given["DeleteAutomatedBackups"]:
            self.retained.append(copy.copy(one))
        one.phases.clear()
        self._begin(one, "deleting", self.delete_seconds, lambda: self.instances.remove(one))
        return {}

    def _create_db_snapshot(self, **given: Any) -> dict[str, Any]:
        name = given["DBSnapshotIdentifier"]
        if name in self.snapshots:
            raise _refusal("DBSnapshotAlreadyExists", name)
        one = self._available(given["DBInstanceIdentifier"])
        self.snapshots[name] = {
            "DBSnapshotIdentifier": name,
            "DBSnapshotArn": f"{ARN}:snapshot:{name}",
            "DBInstanceIdentifier": one.name,
            "DbiResourceId": one.resource_id,
            "SnapshotCreateTime": self.clock.now(),
            "TagList": given.get("Tags", []),
            "of": one,
            "data": one.data,
            "ready": self.clock.now() + timedelta(seconds=self.snapshot_seconds),
        }
        self._begin(one, "backing-up", self.snapshot_seconds)
        return {"DBSnapshot": self._snapshot(self.snapshots[name])}

    def _snapshot(self, snapshot: dict[str, Any]) -> dict[str, Any]:
        status = "available" if snapshot["ready"] <= self.clock.now() else "creating"
        return {**{name: value for name, value in snapshot.items() if name[0].isupper()}, "Status": status}

    def _describe_db_snapshots(self, **given: Any) -> dict[str, Any]:
        found = list(self.snapshots.values())
        if name := given.get("DBSnapshotIdentifier"):
            found = [one for one in found if one["DBSnapshotIdentifier"] == name]
            if not found:
                raise _refusal("DBSnapshotNotFound", name)
        if source := given.get("DBInstanceIdentifier"):
            found = [one for one in found if one["DBInstanceIdentifier"] == source]
        return {"DBSnapshots": [self._snapshot(one) for one in found]}

    def _delete_db_snapshot(self, **given: Any) -> dict[str, Any]:
        del self.snapshots[given["DBSnapshotIdentifier"]]
        return {}


class _Client:
    def __init__(self, rds: FakeRds) -> None:
        self._rds = rds
        self.meta = SimpleNamespace(method_to_api_mapping=_OPERATIONS, endpoint_url=f"https://rds.{REGION}.amazonaws.com")

    def __getattr__(self, operation: str) -> Callable[..., dict[str, Any]]:
        return lambda **parameters: self._rds.call(operation, parameters)


def _refusal(code: str, text: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": text}, "ResponseMetadata": {"HTTPStatusCode": 400}}, text)
