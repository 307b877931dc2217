"""The IAM actions that each privilege class needs for DB instances, and on which resources; a test holds the code to them.

`measure_clock` needs none: its requests carry no credentials. Instances encrypted with a customer managed KMS key need the
rights on that key besides (`kms:CreateGrant`, `kms:DescribeKey`). Resources are the parts of ARNs after
`arn:aws:rds:<region>:<account>:`.
"""

from __future__ import annotations

CHECK_ACTIONS = (
    "rds:DescribeBlueGreenDeployments",
    "rds:DescribeDBInstanceAutomatedBackups",
    "rds:DescribeDBInstances",
    "rds:DescribeDBSnapshots",
    "rds:DescribePendingMaintenanceActions",
)
"""`check` and `forecast`, on `*`: which instance bears which name is seen by listing them all."""

WINDOW_SNAPSHOT_ACTIONS = ("rds:AddTagsToResource", "rds:CreateDBSnapshot", "rds:DescribeDBSnapshots")
"""`begin_snapshot`: on the plan's `db:<instance>` and on `WINDOW_SNAPSHOT_RESOURCES`."""
WINDOW_SNAPSHOT_RESOURCES = ("snapshot:scalar-backup-*",)

PROTECT_ACTIONS = (*CHECK_ACTIONS, "rds:AddTagsToResource", "rds:DeleteDBSnapshot")
"""`protect` and `clean_up`: what is not reading, on `WINDOW_SNAPSHOT_RESOURCES` only."""

RESTORE_ACTIONS = (
    *CHECK_ACTIONS,
    "rds:AddRoleToDBInstance",
    "rds:AddTagsToResource",
    "rds:ModifyDBInstance",
    "rds:RebootDBInstance",
    "rds:RemoveTagsFromResource",
    "rds:RestoreDBInstanceFromDBSnapshot",
    "rds:RestoreDBInstanceToPointInTime",
)
"""`restore`, `cut_over` and `verify`, on `RESTORE_RESOURCES`: source, target, and the groups that the target is put into."""
RESTORE_RESOURCES = ("auto-backup:*", "db:*", "og:*", "pg:*", "snapshot:*", "subgrp:*")
PASS_ROLE_ACTIONS = ("iam:PassRole",)
MANAGED_PASSWORD_ACTIONS = ("kms:DescribeKey", "secretsmanager:CreateSecret", "secretsmanager:TagResource")
"""What RDS demands of whoever lets it manage a master password, which a restored database does in a new secret (RDS User Guide,
Password management with Amazon RDS and AWS Secrets Manager). Secrets that RDS makes are called `rds!…`."""
"""`restore`, on the roles that instances have: enhanced monitoring, directory domain, associated roles."""

DISCARD_ACTIONS = ("rds:DeleteDBInstance", "rds:DescribeDBInstances", "rds:ModifyDBInstance")
"""`discard`: deletes, on `DISCARD_RESOURCES` only, so that no mistake of ours can delete what bears no
restore's stamp."""
DISCARD_RESOURCES = ("db:*-old????????t??????z-????????", "db:*-r????????t??????z-????????")
