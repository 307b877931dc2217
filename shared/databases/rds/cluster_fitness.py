"""What about a cluster speaks against a backup or a restore of it: the named checks that both ask."""

from __future__ import annotations

from collections.abc import Iterator

from shared.databases.rds.cluster_kind import Kind
from shared.databases.rds.cluster_progress import STUCK
from shared.databases.rds.cluster_scene import Described, Scene
from shared.model.checks import CheckResult, failed, passed, warned
from shared.model.naming import listed

RESTORED_ANEW = "A restored cluster is a new one and a member of nothing."


def check_fitness(kind: Kind, subject: str, cluster: Described, scene: Scene) -> Iterator[CheckResult]:
    """Engine, memberships and instances of an existing cluster."""
    yield _engine(kind, subject, cluster)
    yield from _memberships(kind, subject, cluster)
    members = scene.members(cluster)
    if not members:
        yield failed(
            f"{kind.check}-instances",
            subject,
            "it has no instances, so nobody can read it and a copy of it would have none either.",
            "Add an instance.",
        )
    if pending := sorted(key for key, value in (cluster.get("PendingModifiedValues") or {}).items() if value):
        yield warned(
            f"{kind.check}-pending",
            subject,
            f"changes wait for the maintenance window: {listed(pending)}.",
            "A restored cluster does not have them: apply them first, or ask for them again afterwards.",
        )


def check_renamable(kind: Kind, subject: str, cluster: Described, scene: Scene) -> Iterator[CheckResult]:
    """Only what is available, or will be by itself, can be renamed aside."""
    parts = [(f"cluster {cluster['DBClusterIdentifier']}", str(cluster["Status"]))]
    parts += [(f"instance {one['DBInstanceIdentifier']}", str(one["DBInstanceStatus"])) for one in scene.members(cluster)]
    if stuck := [f"{name} is {status}" for name, status in parts if status in STUCK or status == "deleting"]:
        yield failed(
            f"{kind.check}-renamable",
            subject,
            f"{listed(stuck)}: it cannot be renamed aside.",
            "Start or repair it first, or use cut_over: endpoint in the plan, which renames nothing.",
        )
    else:
        yield passed(f"{kind.check}-renamable", subject, "the cluster and its instances can be renamed")


def _engine(kind: Kind, subject: str, cluster: Described) -> CheckResult:
    engine = str(cluster["Engine"])
    name = f"{kind.check}-engine"
    if cluster.get("EngineMode") == "serverless":
        return failed(
            name,
            subject,
            "it is Aurora Serverless v1, which has no instances of its own and which AWS has ended.",
            "Upgrade it to Serverless v2 or to provisioned instances.",
        )
    if not kind.fits(engine):
        return failed(
            name,
            subject,
            f"its engine is {engine}, and a section of this kind is for {' or '.join(kind.engines)}.",
            "Aurora belongs under aurora:, a Multi-AZ DB cluster under rds-cluster: in the plan.",
        )
    return passed(name, subject, f"{engine} {cluster.get('EngineVersion', '')}".strip())


def _memberships(kind: Kind, subject: str, cluster: Described) -> Iterator[CheckResult]:
    if world := cluster.get("GlobalClusterIdentifier"):
        yield failed(
            f"{kind.check}-global",
            subject,
            f"it belongs to the global database {world}. {RESTORED_ANEW}",
            "Remove it from the global database first; its other regions would go on with the old data.",
        )
    if source := cluster.get("ReplicationSourceIdentifier"):
        yield failed(
            f"{kind.check}-replica", subject, f"it is a replica of {source}. {RESTORED_ANEW}", "Name the source in the plan."
        )
    if replicas := cluster.get("ReadReplicaIdentifiers"):
        yield warned(
            f"{kind.check}-replicas",
            subject,
            f"clusters replicate from it: {listed(replicas)}. After a restore they follow the replaced cluster.",
            "Make them again from the restored one.",
        )
    if cluster.get("LimitlessDatabase") or cluster.get("ClusterScalabilityType") == "limitless":
        yield failed(
            f"{kind.check}-limitless",
            subject,
            "it is an Aurora Limitless Database, whose shard groups this product does not restore.",
            "Restore it by hand.",
        )
