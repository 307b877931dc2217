"""Builders and questions for the tests of RDS and Aurora."""

import datetime as dt
import time
from typing import Any

import botocore.exceptions
import pytest

from tests.contract.aws.conftest import wait_until

FAST_RDS = {
    "rds_lag_seconds": 0,
    "rds_create_seconds": 0,
    "rds_backup_seconds": 0,
    "rds_restore_seconds": 0,
    "rds_modify_seconds": 0,
    "rds_snapshot_seconds": 0,
    "rds_snapshot_skew_seconds": 0,
    "rds_delete_seconds": 0,
    "rename_seconds": 0,
    "name_free_seconds": 0,
}
LONG = 600
"""Seconds: a state that is still there however slow the machine is."""
SHORT = 0.1
PASSWORD = "secret-123"
SUFFIX = "c0ffee0sbx.ap-northeast-1.rds.amazonaws.com"


def make_instance(rds: Any, name: str = "orders", **more: Any) -> dict[str, Any]:
    given = {
        "DBInstanceIdentifier": name,
        "DBInstanceClass": "db.r6g.large",
        "Engine": "mysql",
        "AllocatedStorage": 20,
        "MasterUsername": "admin",
        "MasterUserPassword": PASSWORD,
        **more,
    }
    return dict(rds.create_db_instance(**given)["DBInstance"])


def make_cluster(rds: Any, name: str = "orders", **more: Any) -> dict[str, Any]:
    given = {
        "DBClusterIdentifier": name,
        "Engine": "aurora-mysql",
        "MasterUsername": "admin",
        "MasterUserPassword": PASSWORD,
        **more,
    }
    return dict(rds.create_db_cluster(**given)["DBCluster"])


def make_member(rds: Any, name: str, cluster: str = "orders", **more: Any) -> dict[str, Any]:
    given = {"DBInstanceClass": "db.r6g.large", "Engine": "aurora-mysql", **more}
    return dict(rds.create_db_instance(DBInstanceIdentifier=name, DBClusterIdentifier=cluster, **given)["DBInstance"])


def make_multi_az_cluster(rds: Any, name: str = "orders", **more: Any) -> dict[str, Any]:
    given = {"Engine": "mysql", "DBClusterInstanceClass": "db.m6gd.large", "AllocatedStorage": 100, "Iops": 3000, **more}
    return make_cluster(rds, name, **given)


def instance(rds: Any, name: str = "orders") -> dict[str, Any]:
    return dict(rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0])


def cluster(rds: Any, name: str = "orders") -> dict[str, Any]:
    return dict(rds.describe_db_clusters(DBClusterIdentifier=name)["DBClusters"][0])


def instance_status(rds: Any, name: str = "orders") -> str | None:
    try:
        return str(instance(rds, name)["DBInstanceStatus"])
    except rds.exceptions.DBInstanceNotFoundFault:
        return None


def cluster_status(rds: Any, name: str = "orders") -> str | None:
    try:
        return str(cluster(rds, name)["Status"])
    except rds.exceptions.DBClusterNotFoundFault:
        return None


def until_instance(rds: Any, status: str | None, name: str = "orders") -> None:
    wait_until(lambda: instance_status(rds, name) == status, f"instance {name} to be {status}")


def until_cluster(rds: Any, status: str | None, name: str = "orders") -> None:
    wait_until(lambda: cluster_status(rds, name) == status, f"cluster {name} to be {status}")


def until_restorable(rds: Any, name: str = "orders") -> None:
    """The first backup has been taken and a second has passed."""
    wait_until(lambda: "LatestRestorableTime" in instance(rds, name), f"instance {name} to be restorable")


def until_cluster_restorable(rds: Any, name: str = "orders") -> None:
    wait_until(lambda: "LatestRestorableTime" in cluster(rds, name), f"cluster {name} to be restorable")


def refused(call: Any) -> str:
    """The code with which a call is refused."""
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        call()
    return str(caught.value.response["Error"]["Code"])


def next_second() -> dt.datetime:
    """Sleeps into the next whole second and returns it."""
    whole = int(time.time()) + 1
    time.sleep(whole - time.time() + 0.02)
    return dt.datetime.fromtimestamp(whole, dt.UTC)
