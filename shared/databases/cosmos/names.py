"""The name of the account that a restore makes: a function of the restore's stamp, so that a later call finds it again, and
recognisable, so that nothing else is ever deleted.

Account names are global to Azure: 3 to 44 lower-case letters, digits and hyphens (REST reference of databaseAccounts).
"""

from __future__ import annotations

import re
from hashlib import sha256

LONGEST_NAME = 44
_HASH_DIGITS = 6
_STAMPED = re.compile(r"(?P<base>.+)-r\d{8}t\d{6}z(?:-[0-9a-f]{8})?")

RUN = "scalar-backup:run"
"""The tag with the run that made an account."""
POINT = "scalar-backup:restore-point"
"""The tag with the second that it was restored to."""
PREFIX = "scalar-backup:"


def side_name(account: str, stamp: str) -> str:
    """`<account>-r<stamp>`, at most 44 characters. What a restore has made before loses its older stamp, so that names do not
    grow from restore to restore; a name that would be too long is cut and gets a hash of the whole one."""
    ending = f"-r{stamp}"
    base = base_name(account)
    if len(base) + len(ending) <= LONGEST_NAME:
        return base + ending
    digest = sha256(base.encode()).hexdigest()[:_HASH_DIGITS]
    return f"{base[: LONGEST_NAME - len(ending) - _HASH_DIGITS - 1].rstrip('-')}-{digest}{ending}"


def base_name(account: str) -> str:
    """The name without the stamp of the restore that made the account, if one did."""
    found = _STAMPED.fullmatch(account)
    return found["base"] if found else account


def bears_stamp(account: str, stamp: str) -> bool:
    return account.endswith(f"-r{stamp}")
