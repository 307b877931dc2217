"""Names of what we make or set aside: functions of the run or of the restore's stamp, so that a later call finds what an
earlier one made, and recognisable, so that nothing else is ever renamed or deleted.

RDS stores identifiers in lower case: letters, digits and single hyphens, a letter first, no hyphen last (API reference of
CreateDBInstance and CreateDBSnapshot).
"""

from __future__ import annotations

import re
from hashlib import sha256

LONGEST_IDENTIFIER = 63
"""Of instances and clusters."""
SNAPSHOT_PREFIX = "scalar-backup-"
_HASH_DIGITS = 8
_SECOND = re.compile(r"\d{8}t\d{6}z")
_ASIDE = re.compile(r"(?P<base>.+)-(?P<what>r|old)\d{8}t\d{6}z(?:-[0-9a-f]{8})?")
"""Of any restore. Those of an earlier release had a stamp without the digits that tell apart what began in the same second."""


def side_name(identifier: str, stamp: str) -> str:
    """What is restored beside `identifier`: `<identifier>-r<stamp>`, at most 63 characters."""
    return _with_ending(identifier, f"-r{stamp}")


def old_name(identifier: str, stamp: str) -> str:
    """What the replaced `identifier` is kept as: `<identifier>-old<stamp>`, at most 63 characters."""
    return _with_ending(identifier, f"-old{stamp}")


def bears_stamp(identifier: str, stamp: str) -> bool:
    """Is it the name of something that the restore with this stamp has made or set aside?"""
    return identifier.endswith((f"-r{stamp}", f"-old{stamp}"))


def is_aside(identifier: str) -> bool:
    """Is it the name of something that some restore has made or set aside?"""
    return _ASIDE.fullmatch(identifier) is not None


def is_side_of(other: str, identifier: str) -> bool:
    """Is `other` what some restore has made beside `identifier`?"""
    found = _ASIDE.fullmatch(other)
    return found is not None and (found["base"], found["what"]) == (identifier, "r")


def snapshot_name(run: str, attempt: int, identifier: str) -> str:
    """`scalar-backup-<YYYYMMDDthhmmssz of the run>-<hash of its id>-<attempt>-<identifier>`, well below the 255
    characters that a snapshot's name may have."""
    found = _SECOND.search(run.lower())
    stamp = found[0] if found else "run"
    return f"{SNAPSHOT_PREFIX}{stamp}-{_hash(run)}-{attempt}-{identifier.lower()}"


def is_our_snapshot(snapshot: str) -> bool:
    return snapshot.startswith(SNAPSHOT_PREFIX)


def _with_ending(identifier: str, ending: str) -> str:
    """A name that would be too long is cut and gets a hash of the whole one, so that two identifiers never share a name."""
    identifier = identifier.lower()
    if len(identifier) + len(ending) <= LONGEST_IDENTIFIER:
        return identifier + ending
    kept = identifier[: LONGEST_IDENTIFIER - len(ending) - _HASH_DIGITS - 1].rstrip("-")
    return f"{kept}-{_hash(identifier)}{ending}"


def _hash(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:_HASH_DIGITS]
