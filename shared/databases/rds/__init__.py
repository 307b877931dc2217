"""Amazon RDS and Aurora: DB instances, Multi-AZ DB clusters and Aurora clusters.

The public classes are `RdsInstanceAccess`, `RdsClusterAccess` and `AuroraAccess`; `calls` and `errors` are the way to the
service, `names` says what our copies are called, `snapshots` takes those of the pause window, `actions` lists the rights.
"""

from shared.databases.rds.cluster_access import AuroraAccess, RdsClusterAccess
from shared.databases.rds.instance_access import RdsInstanceAccess

__all__ = ["AuroraAccess", "RdsClusterAccess", "RdsInstanceAccess"]
