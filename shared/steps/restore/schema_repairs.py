"""Repairs of schemas, before releases are started on a restored database that lacks parts of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from shared.model.errors import NotReady
from shared.model.plan import Release
from shared.model.rds_endpoint import jdbc_host
from shared.model.records import Value, replace
from shared.model.schema_repair import RepairProgress
from shared.model.storage import ReleaseStorage
from shared.steps import evidence
from shared.steps.ports import Rooms
from shared.steps.restore.fence import Restoring

DOCUMENT = "schema-repairs"
"""Beside the run: with the log of each repair."""


class SchemaRepairs(Value):
    """By release key."""

    repairs: Mapping[str, RepairProgress] = {}


async def advance_repairs(restoring: Restoring, rooms: Rooms) -> RepairProgress | None:
    """What has to be waited for; None when nothing is left to repair. One release after the other: they may share tables.

    Raises:
        NotReady: a repair has failed; the message has its last lines, the document beside the run its whole log.
    """
    restored = [item.restored for item in restoring.progress().values() if item and item.restored]
    needing = [item for item in restored if item.needs_schema_repair]
    if not needing:
        return None
    run, catalog = restoring.run.id, rooms.catalog
    known = evidence.load(catalog, run, DOCUMENT, SchemaRepairs) or SchemaRepairs()
    hosts = {move.new for item in needing for move in item.endpoints}
    for release in await _users_of(hosts, restoring.scope.plan.releases, rooms):
        before = known.repairs.get(release.key)
        if before is not None and before.done:
            continue
        reached = await asyncio.to_thread(rooms.schema_repair.advance, release, run, before)
        known = replace(known, repairs={**known.repairs, release.key: reached})
        if reached != before:
            restoring.renew()
            evidence.save(catalog, run, DOCUMENT, known)
        if reached.problem and not (before and before.problem):
            raise NotReady(
                reached.problem,
                hint="The releases are stopped and led to the restored database already. Mend the cause, then continue the "
                "restore: the repair is run again. Or undo it.",
            )
        if not reached.done:
            return reached
    return None


async def _users_of(hosts: set[str], releases: Sequence[Release], rooms: Rooms) -> list[Release]:
    """The releases whose properties lead to one of the hosts now. A participant shares the tables of a release."""
    products = [release for release in releases if not release.is_participant]
    storages = await asyncio.to_thread(rooms.releases.storage, products)
    users = {storage.release for storage in storages if _leads_to(storage, hosts)}
    return [release for release in products if release.key in users]


def _leads_to(release: ReleaseStorage, hosts: set[str]) -> bool:
    return any(_host(storage.contact_point) in hosts for storage in release.storages)


def _host(contact_point: str) -> str:
    """Of a JDBC URL, or of a URI."""
    named = jdbc_host(contact_point)
    return named.host if named else urlsplit(contact_point).hostname or ""
