"""The IAM actions that each privilege class needs for clusters, and on which resources; a test holds the code to them.

As in `actions`, resources are the parts of ARNs after `arn:aws:rds:<region>:<account>:`; clusters encrypted with a customer
managed KMS key need the rights on that key besides.
"""

from __future__ import annotations

CHECK_ACTIONS = (
    "application-autoscaling:DescribeScalableTargets",
    "application-autoscaling:DescribeScalingPolicies",
    "application-autoscaling:DescribeScheduledActions",
    "rds:DescribeDBClusterAutomatedBackups",
    "rds:DescribeDBClusterEndpoints",
    "rds:DescribeDBClusterSnapshots",
    "rds:DescribeDBClusters",
    "rds:DescribeDBInstances",
    "rds:ListTagsForResource",
)
"""`check` and `forecast`, on `*`: which cluster bears which name is seen by listing them all."""

WINDOW_SNAPSHOT_ACTIONS = ("rds:AddTagsToResource", "rds:CreateDBClusterSnapshot", "rds:DescribeDBClusterSnapshots")
"""`begin_snapshot`: on the plan's `cluster:<cluster>` and on `WINDOW_SNAPSHOT_RESOURCES`."""
WINDOW_SNAPSHOT_RESOURCES = ("cluster-snapshot:scalar-backup-*",)

PROTECT_ACTIONS = (*CHECK_ACTIONS, "rds:AddTagsToResource", "rds:DeleteDBClusterSnapshot")
"""`protect` and `clean_up`: what is not reading, on `WINDOW_SNAPSHOT_RESOURCES` only."""

RESTORE_ACTIONS = (
    *CHECK_ACTIONS,
    "rds:AddRoleToDBCluster",
    "rds:AddTagsToResource",
    "rds:CreateDBClusterEndpoint",
    "rds:CreateDBInstance",
    "rds:DeleteDBClusterEndpoint",
    "rds:DisableHttpEndpoint",
    "rds:EnableHttpEndpoint",
    "rds:ModifyDBCluster",
    "rds:ModifyDBClusterEndpoint",
    "rds:ModifyDBInstance",
    "rds:RebootDBInstance",
    "rds:RemoveRoleFromDBCluster",
    "rds:RemoveTagsFromResource",
    "rds:RestoreDBClusterFromSnapshot",
    "rds:RestoreDBClusterToPointInTime",
)
"""`restore`, `cut_over` and `verify`, on `RESTORE_RESOURCES`: source, copy, and the groups that the copy is put into."""
RESTORE_RESOURCES = (
    "cluster-auto-backup:*",
    "cluster-endpoint:*",
    "cluster-pg:*",
    "cluster-snapshot:*",
    "cluster:*",
    "db:*",
    "og:*",
    "pg:*",
    "subgrp:*",
)
SCALING_ACTIONS = (
    "application-autoscaling:DeleteScalingPolicy",
    "application-autoscaling:DeleteScheduledAction",
    "application-autoscaling:DeregisterScalableTarget",
    "application-autoscaling:PutScalingPolicy",
    "application-autoscaling:PutScheduledAction",
    "application-autoscaling:RegisterScalableTarget",
)
"""`cut_over` of an Aurora cluster whose readers are scaled, on `*`. Registering the first target of an account also needs
`iam:CreateServiceLinkedRole`."""
PASS_ROLE_ACTIONS = ("iam:PassRole",)
"""`restore`, on the roles that clusters have: enhanced monitoring, directory domain, associated roles, replica scaling."""

DISCARD_ACTIONS = (
    "rds:DeleteDBCluster",
    "rds:DeleteDBInstance",
    "rds:DescribeDBClusters",
    "rds:DescribeDBInstances",
    "rds:ModifyDBCluster",
)
"""`discard`: changes and deletes, on `DISCARD_RESOURCES` only, so that no mistake of ours can delete what bears no stamp."""
DISCARD_RESOURCES = (
    "cluster:*-old????????t??????z-????????",
    "cluster:*-r????????t??????z-????????",
    "db:*-old????????t??????z-????????",
    "db:*-r????????t??????z-????????",
)
