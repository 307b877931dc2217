"""Carries out one step towards a table's kept copy: the only place that restores, backs up or deletes anything."""

from __future__ import annotations

from datetime import datetime

from shared.databases.dynamodb.calls import Calls
from shared.databases.dynamodb.errors import BUSY, GONE, NO_SLOT, NOT_RESTORABLE, NOT_THAT_TIME, aws_code
from shared.databases.dynamodb.kept_copy import Act, Next
from shared.databases.dynamodb.names import copy_name, is_copy
from shared.databases.dynamodb.recovery import deleted
from shared.model.errors import BackupError, Misconfigured, NotReady
from shared.model.protection import ItemPhase, ItemProtection
from shared.model.records import replace
from shared.model.times import iso


class Copying:
    """Requests for one point at `now`. Each is safe to repeat; an answer that says somebody was faster is no failure."""

    def __init__(self, point: datetime, now: datetime, calls: Calls) -> None:
        self._point = point
        self._now = now
        self._calls = calls

    def restore(self, item: ItemProtection) -> ItemProtection:
        """Begins the restore of a queued table. When the account has no free slot it stays queued; when the service takes the
        point for out of reach, it is looked at from the beginning.

        Raises:
            NotReady: recovery was turned off, or the table deleted, since it was found restorable.
        """
        side = copy_name(self._point, item.name)
        try:
            self._calls.dynamodb(
                "restore_table_to_point_in_time",
                item.name,
                SourceTableName=item.name,
                TargetTableName=_copy(side),
                RestoreDateTime=self._point,
            )
        except BackupError as error:
            code = aws_code(error)
            if code in NO_SLOT:
                return replace(item, note="The account's number of simultaneous restores is reached.")
            if code in GONE:
                raise deleted(item.name) from error
            if code == NOT_THAT_TIME:
                return replace(item.entered(ItemPhase.WAITING, self._now), note=error.message)
            if code in NOT_RESTORABLE:
                raise NotReady(
                    f"{item.name} cannot be restored to {iso(self._point)} any more: {error.message}",
                    hint="Its point-in-time recovery was changed during this run. Take a new backup.",
                ) from error
            if code not in BUSY:
                raise
        return replace(item.entered(ItemPhase.RESTORING, self._now), side_table=side)

    def carry_out(self, step: Next, item: ItemProtection) -> ItemProtection:
        """Raises NotReady when nobody may go on with this table."""
        side = copy_name(self._point, item.name)
        item = replace(item, side_table=side)
        if step.kept:
            item = replace(item, backup_arn=step.kept.arn, size_bytes=step.kept.size_bytes)
        match step.act:
            case Act.REFUSE:
                raise NotReady(
                    f"{item.name} cannot be protected: {step.reason}",
                    hint=f"It is not touched. Look at {side}, and delete it if nobody needs it.",
                )
            case Act.BACK_UP:
                return self._back_up(item, side)
            case Act.DROP_DUPLICATES:
                for backup in step.duplicates:
                    self._unless(GONE | BUSY, "delete_backup", backup.arn, BackupArn=backup.arn)
            case Act.UNPROTECT:
                self._unless(
                    GONE | BUSY | NO_SLOT, "update_table", side, TableName=_copy(side), DeletionProtectionEnabled=False
                )
            case Act.DELETE_SIDE:
                self._unless(GONE | BUSY | NO_SLOT, "delete_table", side, TableName=_copy(side))
            case Act.FINISH:
                item = replace(item, side_table="")
        return item.entered(step.phase, self._now)

    def _back_up(self, item: ItemProtection, side: str) -> ItemProtection:
        """A backup that was begun by a call whose note is lost answers `in use`; it is found when it is listed."""
        item = item.entered(ItemPhase.COPYING, self._now)
        try:
            answer = self._calls.dynamodb("create_backup", side, TableName=_copy(side), BackupName=side)
        except BackupError as error:
            if aws_code(error) in GONE | BUSY | NO_SLOT:
                return item
            raise
        return replace(item, backup_arn=answer["BackupDetails"]["BackupArn"])

    def _unless(self, expected: frozenset[str], operation: str, subject: str, **parameters: object) -> None:
        """A request whose refusal with one of the `expected` codes means: look again later."""
        try:
            self._calls.dynamodb(operation, subject, **parameters)
        except BackupError as error:
            if aws_code(error) not in expected:
                raise


def _copy(name: str) -> str:
    """The name, proven to be a side table's. A live table is never backed up, changed or deleted here.

    Raises:
        Misconfigured: it is not; a defect of this product.
    """
    if not is_copy(name):
        raise Misconfigured(f"{name} is not a side table, and only side tables are changed.", hint="Report this as a defect.")
    return name
