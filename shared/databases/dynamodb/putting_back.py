"""Carries out what gives a restored table its settings, and tells when it has them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from shared.databases.dynamodb.calls import Calls
from shared.databases.dynamodb.errors import BUSY, NO_SLOT, aws_code
from shared.databases.dynamodb.live_table import LiveTable
from shared.databases.dynamodb.manifest import Manifests
from shared.databases.dynamodb.recovery import describe_recovery
from shared.databases.dynamodb.restore_items import TablePhase, settings_of
from shared.databases.dynamodb.settings_compare import differences, remarks
from shared.databases.dynamodb.settings_put_back import UPDATE_TABLE, Change, changes, due
from shared.model.errors import BackupError, Misconfigured, NotReady
from shared.model.records import replace
from shared.model.restore import ItemRestore
from shared.model.table_settings import TableSettings

TIME_TO_LIVE_PAUSE = timedelta(minutes=70)
"""A second change of time to live within an hour is refused (API reference of UpdateTimeToLive); with some minutes on top."""
BY_ARN = frozenset({"tag_resource", "untag_resource", "put_resource_policy", "delete_resource_policy"})


class PuttingBack:
    """The requests of one call at `now`. Each looks first, so each is safe to repeat."""

    def __init__(self, now: datetime, calls: Calls) -> None:
        self._now = now
        self._calls = calls
        self._manifests = Manifests(calls)

    def read(self, live: LiveTable) -> TableSettings:
        """The settings of a live table as they are now."""
        recovery = describe_recovery(live.name, self._calls)
        return self._manifests.read(live.described, recovery.described, self._now)

    def settle(self, item: ItemRestore, live: LiveTable) -> ItemRestore:
        """One look: asks for what is missing and due. Done when nothing is different any more.

        Raises:
            NotReady: differences are left that no request puts right.
            Forbidden, Misconfigured, Throttled, Unreachable: a request was refused or not answered.
        """
        item = item.entered(TablePhase.SETTLING, self._now)
        wanted = settings_of(item.settings)
        if wanted is None:
            noted = replace(item, differences=("all settings: none are stored, so look at them.",))
            return replace(noted.entered(TablePhase.DONE, self._now), done=True)
        current = self.read(live)
        different, pending = differences(wanted, current), changes(wanted, current)
        texts = (*(each.text for each in different), *remarks(wanted))
        if texts != item.differences:  # it gets on, so the next look need not wait
            item = replace(item, differences=texts, since=self._now)
        refused = self._ask(pending, item, live)
        left = [each for each in different if not (each.is_optional and each.field in refused)]
        if not left:
            return replace(item.entered(TablePhase.DONE, self._now), done=True)
        if len(refused) == len({change.setting for change in pending}):
            raise NotReady(
                f"{item.name} is restored, but not all of its settings can be put back: {' '.join(each.text for each in left)}",
                hint="Put them right by hand, then continue the restore: it compares again.",
            )
        return item

    def _ask(self, pending: Sequence[Change], item: ItemRestore, live: LiveTable) -> frozenset[str]:
        """Asks for what is due. Answers with the settings whose optional change was refused; what comes after one of those is
        due in its place."""
        refused: list[Change] = []
        while now := due([change for change in pending if change not in refused]):
            turned_down = [change for change in now if not self._make(change, item, live)]
            if not turned_down:
                break
            refused += turned_down
        return frozenset(change.setting for change in refused)

    def _make(self, change: Change, item: ItemRestore, live: LiveTable) -> bool:
        """One request. False when it was optional and is refused; an answer that says `busy` is left to the next look."""
        given = dict(change.parameters)
        if not change.is_scaling:
            given |= {"ResourceArn": live.described["TableArn"]} if change.operation in BY_ARN else {"TableName": item.name}
        try:
            ask = self._calls.autoscaling if change.is_scaling else self._calls.dynamodb
            ask(change.operation, item.name, **given)
        except Misconfigured as error:
            if change.is_optional and change.operation == UPDATE_TABLE:
                return False
            if self._is_too_early(change, item, error):
                return True
            raise
        except BackupError as error:
            if aws_code(error) not in BUSY | NO_SLOT:
                raise
        return True

    def _is_too_early(self, change: Change, item: ItemRestore, error: BackupError) -> bool:
        is_time_to_live = change.setting == "time_to_live_attribute" and aws_code(error) == "ValidationException"
        return is_time_to_live and self._now - (item.since or self._now) < TIME_TO_LIVE_PAUSE
