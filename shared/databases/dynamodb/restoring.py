"""Carries out the steps of a restore: the only place that backs up, deletes or makes live tables."""

from __future__ import annotations

from datetime import datetime

from shared.databases.dynamodb.calls import Calls
from shared.databases.dynamodb.errors import BUSY, GONE, NO_SLOT, aws_code
from shared.databases.dynamodb.inventory import describe_backup
from shared.databases.dynamodb.live_table import LiveTable
from shared.databases.dynamodb.names import old_name
from shared.databases.dynamodb.restore_items import TablePhase, settings_of
from shared.databases.dynamodb.restore_overrides import overrides
from shared.model.errors import BackupError, Misconfigured, NotReady
from shared.model.records import replace
from shared.model.restore import ItemRestore

NO_SLOT_NOTE = "The account's number of simultaneous restores is reached."


class Restores:
    """Requests of one restore at `now`. Each is safe to repeat; an answer that says somebody was faster is no failure."""

    def __init__(self, stamp: str, now: datetime, calls: Calls) -> None:
        self._stamp = stamp
        self._now = now
        self._calls = calls

    def back_up(self, item: ItemRestore) -> ItemRestore:
        """Asks for the safety backup. One that was begun by a call whose note is lost answers `in use`, and is found later."""
        item = item.entered(TablePhase.BACKING_UP, self._now)
        name = old_name(self._stamp, item.name)
        try:
            answer = self._calls.dynamodb("create_backup", item.name, TableName=item.name, BackupName=name)
        except BackupError as error:
            if aws_code(error) in GONE | BUSY | NO_SLOT:
                return replace(item, note=error.message)
            raise
        return replace(item, kept=answer["BackupDetails"]["BackupArn"])

    def unprotect(self, item: ItemRestore, live: LiveTable) -> ItemRestore:
        """Deletion protection off; the table is deleted by a later call."""
        self._unless(GONE | BUSY | NO_SLOT, "update_table", _replaced(item, live), DeletionProtectionEnabled=False)
        return item.entered(TablePhase.DELETING, self._now)

    def delete(self, item: ItemRestore, live: LiveTable) -> ItemRestore:
        """Deletes the table that the safety backup is of."""
        self._unless(GONE | BUSY | NO_SLOT, "delete_table", _replaced(item, live))
        return item.entered(TablePhase.DELETING, self._now)

    def restore(self, item: ItemRestore, target: str, phase: TablePhase) -> ItemRestore:
        """Begins the restore to `target`; without a free slot, or while the name is taken, the table stays where it is.

        Raises:
            NotReady: the backup is gone.
        """
        backup = describe_backup(item.source, self._calls)
        if backup is None:
            raise NotReady(
                f"{item.name} cannot be restored: the backup {item.source} is gone.",
                hint="Somebody has deleted it. If the live table is gone already, its safety backup is kept: undo the restore.",
            )
        wanted = settings_of(item.settings)
        given = overrides(wanted, backup) if wanted else {}
        try:
            self._calls.dynamodb("restore_table_from_backup", item.name, TargetTableName=target, BackupArn=item.source, **given)
        except BackupError as error:
            if aws_code(error) in NO_SLOT:
                return replace(item, note=NO_SLOT_NOTE)
            if aws_code(error) not in BUSY:
                raise
            # The name is taken: by our own restore, whose note was lost, or by somebody else's. The next look tells.
        return item.entered(phase, self._now)

    def _unless(self, expected: frozenset[str], operation: str, table: str, **given: object) -> None:
        """A request whose refusal with one of the `expected` codes means: look again later."""
        try:
            self._calls.dynamodb(operation, table, TableName=table, **given)
        except BackupError as error:
            if aws_code(error) not in expected:
                raise


def _replaced(item: ItemRestore, live: LiveTable) -> str:
    """The name, proven to be that of a table which may be replaced.

    Raises:
        Misconfigured: it is not; a defect of this product.
    """
    replaced = settings_of(item.kept_settings)
    if not item.kept or replaced is None or replaced.table_id != live.table_id or live.name != item.name:
        raise Misconfigured(f"{live.name} has no safety backup, so it is not touched.", hint="Report this as a defect.")
    return item.name
