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

RESTORE_FORECAST_ACTIONS = (*CHECK_ACTIONS, "dynamodb:DescribeBackup", "dynamodb:ListBackups")
"""`forecast` and `verify`: on every table of the releases and the backups below them. Only reads."""

RESTORE_ACTIONS = (
    *sorted(
        {
            *RESTORE_FORECAST_ACTIONS,
            *PROTECT_ACTIONS,
            *PROTECT_SIDE_TABLE_ACTIONS,
            "dynamodb:DeleteResourcePolicy",
            "dynamodb:DisableKinesisStreamingDestination",
            "dynamodb:EnableKinesisStreamingDestination",
            "dynamodb:PutResourcePolicy",
            "dynamodb:RestoreTableFromBackup",
            "dynamodb:TagResource",
            "dynamodb:UntagResource",
            "dynamodb:UpdateContinuousBackups",
            "dynamodb:UpdateContributorInsights",
            "dynamodb:UpdateTimeToLive",
        }
        - {*_READ_ACCOUNT, "dynamodb:ListBackups"}
    ),
)
"""`restore`, `cut_over` and `discard`: on the live tables of the releases, on `table/scalar-backup.*`, and on the backups and
indexes below both. The live tables are deleted and made again, so DeleteTable and the data actions, which DynamoDB demands of
whoever restores, are needed on them too."""

RESTORE_ACCOUNT_ACTIONS = (
    *sorted(
        {
            *_READ_ACCOUNT,
            "application-autoscaling:DeleteScalingPolicy",
            "application-autoscaling:DeregisterScalableTarget",
            "application-autoscaling:PutScalingPolicy",
            "application-autoscaling:RegisterScalableTarget",
            "cloudwatch:DeleteAlarms",
            "cloudwatch:DescribeAlarms",
            "cloudwatch:PutMetricAlarm",
            "dynamodb:ListBackups",
        }
    ),
)
"""What those methods need besides, with resource `*`. The alarms are those that Application Auto Scaling makes for its
policies. A scaling target with a role of its own needs iam:PassRole on that role."""

RESTORE_STREAM_ACTIONS = ("kinesis:DescribeStream", "kinesis:PutRecord", "kinesis:PutRecords")
"""To send a restored table's changes to the Kinesis streams again that its settings name: on these streams."""
