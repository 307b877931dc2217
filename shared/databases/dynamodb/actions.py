"""The IAM actions that each privilege class needs, for the policies of the deployment; a test holds the code to them.

`measure_clock` needs none: its requests carry no credentials. Tables encrypted with a customer managed KMS key need the rights
on that key besides.
"""

from __future__ import annotations

_READ_TABLES = (
    "dynamodb:DescribeContinuousBackups",
    "dynamodb:DescribeContributorInsights",
    "dynamodb:DescribeKinesisStreamingDestination",
    "dynamodb:DescribeTable",
    "dynamodb:DescribeTimeToLive",
    "dynamodb:GetResourcePolicy",
    "dynamodb:ListTagsOfResource",
)
_READ_ACCOUNT = (
    "application-autoscaling:DescribeScalableTargets",
    "application-autoscaling:DescribeScalingPolicies",
    "dynamodb:ListTables",
)
"""These take no resource: IAM wants `*`."""

CHECK_ACTIONS = tuple(sorted((*_READ_TABLES, *_READ_ACCOUNT, "dynamodb:Scan")))
"""`check`. Scan is made on ScalarDB's tables `*.metadata` and `*.namespaces` only."""

PROTECT_ACTIONS = (*CHECK_ACTIONS, "dynamodb:ListBackups", "dynamodb:RestoreTableToPointInTime")
"""`protect`: on every table of the releases. ListBackups takes no resource."""

PROTECT_SIDE_TABLE_ACTIONS = (
    "dynamodb:BatchWriteItem",
    "dynamodb:CreateBackup",
    "dynamodb:DeleteBackup",
    "dynamodb:DeleteItem",
    "dynamodb:DeleteTable",
    "dynamodb:DescribeBackup",
    "dynamodb:DescribeTable",
    "dynamodb:GetItem",
    "dynamodb:PutItem",
    "dynamodb:Query",
    "dynamodb:RestoreTableToPointInTime",
    "dynamodb:Scan",
    "dynamodb:UpdateItem",
    "dynamodb:UpdateTable",
)
"""`protect`, only on `table/scalar-backup.*` and the backups below it. The data actions are what DynamoDB demands of whoever
restores, for the target table (developer guide, Using IAM with DynamoDB backup and restore)."""
