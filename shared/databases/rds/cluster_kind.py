"""The two kinds of cluster, and in what they differ: who makes the instances, and what a rename takes."""

from __future__ import annotations

from dataclasses import dataclass

from shared.model.cluster_settings import ClusterSettings


@dataclass(frozen=True)
class Kind:
    """`check` begins the names of checks. `rename_seconds` is one rename, `instance_seconds` making one instance: estimates.

    `makes_instances`: the service makes and names the instances by itself, so they are neither created nor renamed here.
    """

    word: str
    check: str
    engines: tuple[str, ...]
    makes_instances: bool
    rename_seconds: float
    instance_seconds: float

    def fits(self, engine: str) -> bool:
        return engine in self.engines


AURORA = Kind(
    word="Aurora cluster",
    check="aurora",
    engines=("aurora-mysql", "aurora-postgresql"),
    makes_instances=False,
    rename_seconds=600.0,
    instance_seconds=600.0,
)
"""No page of AWS says how long a cluster's rename takes; an instance's takes about ten minutes (RDS user guide, Renaming a DB
instance)."""
MULTI_AZ = Kind(
    word="Multi-AZ DB cluster",
    check="rds-cluster",
    engines=("mysql", "postgres"),
    makes_instances=True,
    rename_seconds=120.0,
    instance_seconds=0.0,
)
"""About two minutes (RDS user guide, Renaming a Multi-AZ DB cluster)."""


def kind_of(settings: ClusterSettings) -> Kind:
    return AURORA if settings.is_aurora else MULTI_AZ
