"""The safety backups of one restore: which there are, and the next step towards one of a live table.

A table may have several: each stop of the application makes those before it inexact, and none is deleted before the restore's
clean-up.
"""

from __future__ import annotations

from shared.databases.dynamodb.calls import Calls
from shared.databases.dynamodb.inventory import Backup, list_safety_backups, read_backup
from shared.databases.dynamodb.live_table import LiveTable
from shared.databases.dynamodb.names import old_name
from shared.databases.dynamodb.restore_items import Restoring
from shared.databases.dynamodb.restore_steps import Step, quiet_at, safety_step
from shared.model.errors import NotReady
from shared.model.restore import ItemRestore


class SafetyBackups:
    """Those of one call, seen in one listing.

    Raises:
        NotReady: nobody has noted when the application was stopped.
    """

    def __init__(self, restoring: Restoring, calls: Calls) -> None:
        stopped_at = restoring.order.stopped_at
        if stopped_at is None:
            raise NotReady(
                f"{restoring.database.key}: nobody has noted when the application was stopped.",
                hint="A safety backup of a table that is written to would be of no moment in particular.",
            )
        self._stopped_at = stopped_at
        self._until_quiet = quiet_at(stopped_at, restoring.quiet_seconds)
        self._stamp = restoring.order.stamp
        self._now = restoring.now
        self._calls = calls
        self._by_name: dict[str, list[Backup]] = {}
        found = list_safety_backups(self._stamp, stopped_at, calls)
        for backup in sorted(found.values(), key=lambda each: (each.created_at, each.arn)):
            self._by_name.setdefault(backup.name, []).append(backup)

    def step(self, item: ItemRestore, live: LiveTable | None, awaited_source: str = "") -> Step:
        """See `safety_step`."""
        return safety_step(live, self._of(item), self._stopped_at, self._until_quiet, self._now, awaited_source)

    def _of(self, item: ItemRestore) -> list[Backup]:
        """Those that are listed, and the one that an earlier call noted when it is not: oldest first."""
        found = self._by_name.get(old_name(self._stamp, item.name), [])
        if item.kept and all(backup.arn != item.kept for backup in found):
            noted = read_backup(item.kept, self._calls)
            return sorted([*found, noted], key=lambda each: (each.created_at, each.arn)) if noted else found
        return found


def is_outdated(item: ItemRestore, restoring: Restoring) -> bool:
    """Was the table prepared before the application was last stopped? Then its safety backup may lack later writes."""
    stopped_at = restoring.order.stopped_at
    return stopped_at is not None and item.since is not None and item.since < stopped_at
