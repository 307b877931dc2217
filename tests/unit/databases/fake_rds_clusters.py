"""An RDS that keeps clusters: states that take their time, restores that reset what AWS resets, renames that free a name
late, a kill after the n-th call. Requests are held against botocore's own model. Time is a FakeClock's."""

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
_SESSION = botocore.session.get_session()
_MODELS = {service: _SESSION.get_service_model(service) for service in ("rds", "application-autoscaling")}
_OPERATIONS = {service: {xform_name(name): name for name in model.operation_names} for service, model in _MODELS.items()}
CARRIED = (
    "Engine",
    "EngineVersion",
    "KmsKeyId",
    "StorageEncrypted",
    "BackupRetentionPeriod",
    "PreferredBackupWindow",
    "AllocatedStorage",
)
"""What a restore takes from its source without being told."""
_SHOWN = {
    "EnableIAMDatabaseAuthentication": "IAMDatabaseAuthenticationEnabled",
    "EnablePerformanceInsights": "PerformanceInsightsEnabled",
    "EnableCloudwatchLogsExports": "EnabledCloudwatchLogsExports",
    "DBClusterParameterGroupName": "DBClusterParameterGroup",
    "DBSubnetGroupName": "DBSubnetGroup",
    "Tags": "TagList",
}
_NO_SETTING = {
    "ApplyImmediately",
    "DBClusterIdentifier",
    "DBInstanceIdentifier",
    "EngineMode",
    "NewDBClusterIdentifier",
    "NewDBInstanceIdentifier",
    "RestoreToTime",
    "SnapshotIdentifier",
    "SourceDBClusterIdentifier",
    "SourceDbClusterResourceId",
}


@dataclass
class Thing:
    """A cluster, or an instance of one. `data` is a cluster's, a word."""

    name: str
    resource_id: str
    settings: dict[str, Any]
    since: datetime
    data: str = ""
    cluster: Thing | None = None
    phases: list[tuple[str, datetime, Callable[[], None]]] = field(default_factory=list)

    @property
    def status(self) -> str:
        return self.phases[0][0] if self.phases else "available"


class FakeClusters:
    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.clusters: list[Thing] = []
        self.instances: list[Thing] = []
        self.endpoints: dict[str, dict[str, Any]] = {}
        self.scaling: dict[str, dict[str, Any]] = {}
        self.history: dict[str, list[tuple[datetime, str]]] = {}
        self.freed: dict[str, datetime] = {}
        self.lag, self.restore_seconds, self.modify_seconds = 300.0, 1200.0, 60.0
        self.rename_seconds, self.name_free_seconds, self.delete_seconds = 300.0, 330.0, 120.0
        self.calls: Counter[str] = Counter()
        self.changes = 0
        """Calls so far that change something; `kill_at` counts these, and the process dies when the call has had its effect."""
        self.kill_at: int | None = None
        self.forget: set[str] = set()
        """Parameters that restores, creations and modifications pass over in silence."""
        self._number = 0

    def session(self) -> Any:
        return SimpleNamespace(client=lambda service, region_name, config: _Client(self, service))

    def add_cluster(self, name: str, data: str, **settings: Any) -> Thing:
        one = Thing(name, self._id("cluster"), settings, self.clock.now(), data)
        self.history[one.resource_id] = [(self.clock.now(), data)]
        self.clusters.append(one)
        return one

    def add_instance(self, name: str, cluster: Thing, **settings: Any) -> Thing:
        one = Thing(name, self._id("db"), settings, self.clock.now(), cluster=cluster)
        self.instances.append(one)
        return one

    def write(self, name: str, data: str) -> None:
        one = self.named(name)
        one.data = data
        self.history[one.resource_id].append((self.clock.now(), data))

    def named(self, name: str) -> Thing:
        self.settle()
        return next(one for one in (*self.clusters, *self.instances) if one.name == name)

    def names(self) -> dict[str, str]:
        """Data by name of cluster; of an instance, its cluster's."""
        self.settle()
        found = {one.name: one.data for one in self.clusters}
        return found | {one.name: one.cluster.data for one in self.instances if one.cluster}

    def call(self, service: str, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        self.clock.advance(0.01)
        self.calls[operation] += 1
        self.settle()
        if operation.startswith(("describe", "list")):
            return self._carry_out(operation, parameters)
        shape = _MODELS[service].operation_model(_OPERATIONS[service][operation]).input_shape
        errors = ParamValidator().validate(parameters, shape)
        assert not errors.has_errors(), errors.generate_report()
        answer = self._carry_out(operation, parameters)
        self.changes += 1
        if self.changes == self.kill_at:
            raise Killed
        return answer

    def _carry_out(self, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = getattr(self, f"_{operation}")(**parameters)
        return answer

    def settle(self) -> None:
        for one in (*self.clusters, *self.instances):
            while one.phases and one.phases[0][1] <= self.clock.now():
                one.phases.pop(0)[2]()

    # -- clusters

    def describe_cluster(self, one: Thing) -> dict[str, Any]:
        members = [member for member in self.instances if member.cluster is one]
        shown = {
            **one.settings,
            "DBClusterIdentifier": one.name,
            "DbClusterResourceId": one.resource_id,
            "DBClusterArn": f"{ARN}:cluster:{one.name}",
            "Status": one.status,
            "Endpoint": f"{one.name}.cluster-{SUFFIX}",
            "ReaderEndpoint": f"{one.name}.cluster-ro-{SUFFIX}",
            "DBClusterMembers": [
                {"DBInstanceIdentifier": member.name, "IsClusterWriter": member is members[0]} for member in members
            ],
        }
        if one.status != "creating":
            shown["EarliestRestorableTime"] = one.since
            shown["LatestRestorableTime"] = self.clock.now() - timedelta(seconds=self.lag)
        return shown

    def _describe_db_clusters(self) -> dict[str, Any]:
        return {"DBClusters": [self.describe_cluster(one) for one in self.clusters]}

    def _restore_db_cluster_to_point_in_time(self, **given: Any) -> dict[str, Any]:
        source = self._cluster(given["SourceDBClusterIdentifier"])
        at = given["RestoreToTime"]
        assert source.since <= at <= self.clock.now() - timedelta(seconds=self.lag)
        self._require_free(self.clusters, given["DBClusterIdentifier"], "DBClusterAlreadyExistsFault")
        data = [word for since, word in self.history[source.resource_id] if since <= at][-1]
        carried = {name: source.settings[name] for name in CARRIED if name in source.settings}
        one = self.add_cluster(given["DBClusterIdentifier"], data, **copy.deepcopy(carried))
        self._set(one, given)
        self._begin(one, "creating", self.restore_seconds)
        if "DBClusterInstanceClass" in one.settings:
            for number in (1, 2, 3):
                member = self.add_instance(
                    f"{one.name}-instance-{number}", one, DBInstanceClass=one.settings["DBClusterInstanceClass"]
                )
                self._begin(member, "creating", self.restore_seconds)
        return {}

    def _modify_db_cluster(self, **given: Any) -> dict[str, Any]:
        one = self._available(self._cluster(given["DBClusterIdentifier"]), "InvalidDBClusterStateFault")
        assert given["ApplyImmediately"]
        if new := given.get("NewDBClusterIdentifier"):
            self._rename(self.clusters, one, new, "DBClusterAlreadyExistsFault")
        else:
            self._begin(one, "modifying", self.modify_seconds, lambda: self._set(one, given))
        return {}

    def _delete_db_cluster(self, **given: Any) -> dict[str, Any]:
        one = self._cluster(given["DBClusterIdentifier"])
        if one.settings.get("DeletionProtection"):
            raise _refusal("InvalidParameterCombination", "protected")
        members = [member for member in self.instances if member.cluster is one]
        is_multi_az = "DBClusterInstanceClass" in one.settings
        if one.status == "deleting" or (not is_multi_az and any(member.status != "deleting" for member in members)):
            raise _refusal("InvalidDBClusterStateFault", one.name)
        for member in members if is_multi_az else ():
            self._begin(member, "deleting", self.delete_seconds, lambda member=member: self.instances.remove(member))
        self._begin(one, "deleting", self.delete_seconds * 2, lambda: self.clusters.remove(one))
        return {}

    def _add_role_to_db_cluster(self, **given: Any) -> dict[str, Any]:
        role = {"RoleArn": given["RoleArn"], "FeatureName": given.get("FeatureName", ""), "Status": "ACTIVE"}
        if "AssociatedRoles" not in self.forget:
            self._cluster(given["DBClusterIdentifier"]).settings.setdefault("AssociatedRoles", []).append(role)
        return {}

    def _enable_http_endpoint(self, **given: Any) -> dict[str, Any]:
        if "HttpEndpointEnabled" not in self.forget:
            self._cluster(given["ResourceArn"].rpartition(":")[2]).settings["HttpEndpointEnabled"] = True
        return {}

    def _describe_db_cluster_snapshots(self, **_: Any) -> dict[str, Any]:
        return {"DBClusterSnapshots": []}

    # -- instances

    def describe_instance(self, one: Thing) -> dict[str, Any]:
        return {
            **one.settings,
            "DBInstanceIdentifier": one.name,
            "DbiResourceId": one.resource_id,
            "DBInstanceArn": f"{ARN}:db:{one.name}",
            "DBInstanceStatus": one.status,
            "DBClusterIdentifier": one.cluster.name if one.cluster else "",
            "Endpoint": {"Address": f"{one.name}.{SUFFIX}"},
        }

    def _describe_db_instances(self) -> dict[str, Any]:
        return {"DBInstances": [self.describe_instance(one) for one in self.instances]}

    def _create_db_instance(self, **given: Any) -> dict[str, Any]:
        cluster = self._available(self._cluster(given["DBClusterIdentifier"]), "InvalidDBClusterStateFault")
        self._require_free(self.instances, given["DBInstanceIdentifier"], "DBInstanceAlreadyExists")
        one = self.add_instance(given["DBInstanceIdentifier"], cluster)
        self._set(one, given)
        self._begin(one, "creating", self.restore_seconds)
        return {}

    def _modify_db_instance(self, **given: Any) -> dict[str, Any]:
        one = self._available(self._instance(given["DBInstanceIdentifier"]), "InvalidDBInstanceState")
        assert given["ApplyImmediately"]
        if new := given.get("NewDBInstanceIdentifier"):
            self._rename(self.instances, one, new, "DBInstanceAlreadyExists")
        else:
            self._begin(one, "modifying", self.modify_seconds, lambda: self._set(one, given))
        return {}

    def _delete_db_instance(self, **given: Any) -> dict[str, Any]:
        one = self._instance(given["DBInstanceIdentifier"])
        if one.status == "deleting":
            raise _refusal("InvalidDBInstanceState", one.name)
        one.phases.clear()
        self._begin(one, "deleting", self.delete_seconds, lambda: self.instances.remove(one))
        return {}

    # -- tags, custom endpoints, scaling

    def _add_tags_to_resource(self, **given: Any) -> dict[str, Any]:
        if "Tags" not in self.forget:
            holder = self.named(given["ResourceName"].rpartition(":")[2]).settings
            holder["TagList"] = list({tag["Key"]: tag for tag in [*holder.get("TagList", []), *given["Tags"]]}.values())
        return {}

    def _list_tags_for_resource(self, **given: Any) -> dict[str, Any]:
        return {"TagList": self.endpoints[given["ResourceName"].rpartition(":")[2]]["TagList"]}

    def _describe_db_cluster_endpoints(self, **given: Any) -> dict[str, Any]:
        found = [one for one in self.endpoints.values() if one["of"].name == given["DBClusterIdentifier"]]
        return {"DBClusterEndpoints": [{key: value for key, value in one.items() if key != "of"} for one in found]}

    def _create_db_cluster_endpoint(self, **given: Any) -> dict[str, Any]:
        name = given["DBClusterEndpointIdentifier"]
        if name in self.endpoints:
            raise _refusal("DBClusterEndpointAlreadyExistsFault", name)
        cluster = self._available(self._cluster(given["DBClusterIdentifier"]), "InvalidDBClusterStateFault")
        for member in (*given.get("StaticMembers", ()), *given.get("ExcludedMembers", ())):
            assert self._instance(member).cluster is cluster
        self.endpoints[name] = {
            "of": cluster,
            "DBClusterEndpointIdentifier": name,
            "DBClusterEndpointArn": f"{ARN}:cluster-endpoint:{name}",
            "Endpoint": f"{name}.cluster-custom-{SUFFIX}",
            "EndpointType": "CUSTOM",
            "Status": "available",
            "CustomEndpointType": given["EndpointType"],
            "StaticMembers": given.get("StaticMembers", []),
            "ExcludedMembers": given.get("ExcludedMembers", []),
            "TagList": given.get("Tags", []),
        }
        return {}

    def _delete_db_cluster_endpoint(self, **given: Any) -> dict[str, Any]:
        del self.endpoints[given["DBClusterEndpointIdentifier"]]
        return {}

    def _describe_scalable_targets(self, **given: Any) -> dict[str, Any]:
        found = (self.scaling.get(resource) for resource in given["ResourceIds"])
        return {"ScalableTargets": [one["target"] for one in found if one]}

    def _describe_scaling_policies(self, **given: Any) -> dict[str, Any]:
        return {"ScalingPolicies": list(self.scaling[given["ResourceId"]]["policies"].values())}

    def _describe_scheduled_actions(self, **given: Any) -> dict[str, Any]:
        return {"ScheduledActions": list(self.scaling[given["ResourceId"]]["actions"].values())}

    def _register_scalable_target(self, **given: Any) -> dict[str, Any]:
        empty: dict[str, Any] = {"target": {}, "policies": {}, "actions": {}}
        self.scaling.setdefault(given["ResourceId"], empty)["target"].update(given)
        return {}

    def _put_scaling_policy(self, **given: Any) -> dict[str, Any]:
        self.scaling[given["ResourceId"]]["policies"][given["PolicyName"]] = given
        return {}

    def _put_scheduled_action(self, **given: Any) -> dict[str, Any]:
        self.scaling[given["ResourceId"]]["actions"][given["ScheduledActionName"]] = given
        return {}

    # -- what all share

    def _id(self, kind: str) -> str:
        self._number += 1
        return f"{kind}-{self._number:04}"

    def _begin(self, one: Thing, status: str, seconds: float, then: Callable[[], None] = lambda: None) -> None:
        start = max([self.clock.now(), *(until for _, until, _ in one.phases)])
        one.phases.append((status, start + timedelta(seconds=seconds), then))

    def _rename(self, things: list[Thing], one: Thing, new: str, taken: str) -> None:
        self._require_free(things, new, taken)
        self.freed[one.name] = self.clock.now() + timedelta(seconds=self.name_free_seconds)
        self._begin(one, "renaming", self.rename_seconds, lambda: setattr(one, "name", new))

    def _require_free(self, things: list[Thing], name: str, code: str) -> None:
        if any(one.name == name for one in things) or self.freed.get(name, self.clock.now()) > self.clock.now():
            raise _refusal(code, name)

    def _cluster(self, name: str) -> Thing:
        found = next((one for one in self.clusters if one.name == name), None)
        if found is None:
            raise _refusal("DBClusterNotFoundFault", name)
        return found

    def _instance(self, name: str) -> Thing:
        found = next((one for one in self.instances if one.name == name), None)
        if found is None:
            raise _refusal("DBInstanceNotFound", name)
        return found

    def _available(self, one: Thing, code: str) -> Thing:
        if one.status != "available":
            raise _refusal(code, f"{one.name} is {one.status}")
        return one

    def _set(self, one: Thing, given: dict[str, Any]) -> None:
        settings = one.settings
        for name, value in given.items():
            if name in _NO_SETTING or name in self.forget:
                continue
            if name == "VpcSecurityGroupIds":
                settings["VpcSecurityGroups"] = [{"VpcSecurityGroupId": group} for group in value]
            elif name == "DBParameterGroupName":
                settings["DBParameterGroups"] = [{"DBParameterGroupName": value, "ParameterApplyStatus": "in-sync"}]
            elif name == "CloudwatchLogsExportConfiguration":
                logs = set(settings.get("EnabledCloudwatchLogsExports", [])) | set(value.get("EnableLogTypes", []))
                settings["EnabledCloudwatchLogsExports"] = sorted(logs - set(value.get("DisableLogTypes", [])))
            elif name == "ManageMasterUserPassword":
                settings.setdefault("MasterUserSecret", {"SecretArn": "arn:other"})
            elif name == "MasterUserSecretKmsKeyId":
                settings.setdefault("MasterUserSecret", {"SecretArn": "arn:other"})["KmsKeyId"] = value
            elif name == "EnableLocalWriteForwarding":
                settings["LocalWriteForwardingStatus"] = "enabled" if value else "disabled"
            elif name in ("Domain", "DomainIAMRoleName"):
                member = settings.setdefault("DomainMemberships", [{}])[0]
                member["Domain" if name == "Domain" else "IAMRoleName"] = value
            elif name == "CACertificateIdentifier" and one.cluster is None:
                settings["CertificateDetails"] = {"CAIdentifier": value}
            else:
                settings[_SHOWN.get(name, name)] = copy.deepcopy(value)


class _Client:
    def __init__(self, rds: FakeClusters, service: str) -> None:
        self._rds, self._service = rds, service
        self.meta = SimpleNamespace(
            method_to_api_mapping=_OPERATIONS[service], endpoint_url=f"https://rds.{REGION}.amazonaws.com"
        )

    def __getattr__(self, operation: str) -> Callable[..., dict[str, Any]]:
        return lambda **parameters: self._rds.call(self._service, operation, parameters)


def _refusal(code: str, text: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": text}, "ResponseMetadata": {"HTTPStatusCode": 400}}, text)
