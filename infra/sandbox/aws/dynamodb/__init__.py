"""DynamoDB made strict: history, point-in-time recovery, backups, table states, refusals; one `install` for all."""

from infra.sandbox.aws.dynamodb.overlay import install

__all__ = ["install"]
