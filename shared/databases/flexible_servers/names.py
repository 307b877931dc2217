"""Names of what we make: functions of the run or of the restore's stamp, so that a later call finds what an earlier one made,
and recognisable, so that nothing else is ever deleted.

Server names are global to Azure: 3 to 63 lower-case letters, digits and hyphens, no hyphen first or last (REST references of
Microsoft.DBforMySQL and Microsoft.DBforPostgreSQL flexibleServers).
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from hashlib import sha256

LONGEST_NAME = 63
BACKUP_PREFIX = "scalar-backup-"
_HASH_DIGITS = 8
_STAMPED = re.compile(r"(?P<base>.+)-r\d{8}t\d{6}z(?:-[0-9a-f]{8})?")
_BACKUP = re.compile(rf"{BACKUP_PREFIX}(?P<asked>\d{{8}}t\d{{6}}z)-(?P<run>[0-9a-f]{{{_HASH_DIGITS}}})-(?P<attempt>\d+)")
_STAMP = "%Y%m%dt%H%M%Sz"


def side_name(server: str, stamp: str) -> str:
    """`<server>-r<stamp>`, at most 63 characters. What a restore has made before loses its older stamp, so that names do not
    grow from restore to restore; a name that would be too long is cut and gets a hash of the whole one."""
    ending, base = f"-r{stamp}", base_name(server)
    if len(base) + len(ending) <= LONGEST_NAME:
        return base + ending
    kept = base[: LONGEST_NAME - len(ending) - _HASH_DIGITS - 1].rstrip("-")
    return f"{kept}-{_hash(base)}{ending}"


def base_name(server: str) -> str:
    """The name without the stamp of the restore that made the server, if one did."""
    found = _STAMPED.fullmatch(server)
    return found["base"] if found else server


def bears_stamp(server: str, stamp: str) -> bool:
    return server.endswith(f"-r{stamp}")


def backup_name(run: str, attempt: int, asked_at: datetime) -> str:
    """`scalar-backup-<when>-<hash of the run>-<attempt>`. Backups have no tags: the name is all that is known of them later."""
    return f"{BACKUP_PREFIX}{asked_at.astimezone(UTC).strftime(_STAMP)}-{_hash(run)}-{attempt}"


def is_backup_of(backup: str, run: str, attempt: int) -> bool:
    found = _BACKUP.fullmatch(backup)
    return found is not None and (found["run"], found["attempt"]) == (_hash(run), str(attempt))


def asked_at(backup: str) -> datetime | None:
    """When one of our backups was asked for, by the clock of the function; None for a backup that is not ours."""
    found = _BACKUP.fullmatch(backup)
    return datetime.strptime(found["asked"], _STAMP).replace(tzinfo=UTC) if found else None


def _hash(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:_HASH_DIGITS]
