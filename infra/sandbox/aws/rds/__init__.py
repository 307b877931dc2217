"""RDS and Aurora made strict: states, renames, backups, restores that lose what AWS loses, data behind every endpoint."""

from infra.sandbox.aws.rds.overlay import install

__all__ = ["install"]
