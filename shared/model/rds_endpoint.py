"""Which RDS or Aurora database a JDBC URL leads to, read from the host name alone.

Endpoints derive from identifiers: `<instance>.<hash>.<region>.rds.amazonaws.com` of an instance, `<cluster>.cluster-<hash>.…`
of a cluster's writer, `<cluster>.cluster-ro-<hash>.…` of its readers. Source: Aurora User Guide, Amazon Aurora endpoint
connections.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from shared.model.storage import ReleaseStorage

_URL = re.compile(r"jdbc:(?:[a-z0-9:+-]+?):(?:thin:@)?(?://|@)(?P<host>[A-Za-z0-9.-]+)(?::(?P<port>\d+))?")
_HOST = re.compile(
    r"(?P<name>[a-z0-9-]+)\.(?P<kind>cluster-ro-|cluster-custom-|cluster-)?[a-z0-9]+\.(?P<region>[a-z0-9-]+)\.rds\.amazonaws\.com(?:\.cn)?"
)


class JdbcHost(NamedTuple):
    """`port` is None when the URL names none: the driver's default."""

    host: str
    port: int | None


def jdbc_host(url: str) -> JdbcHost | None:
    """The host of a JDBC URL (`jdbc:mysql://host:3306/`, `jdbc:oracle:thin:@//host:1521/ORCL`, `jdbc:sqlserver://host;…`)."""
    found = _URL.match(url)
    if found is None:
        return None
    return JdbcHost(found["host"].lower(), int(found["port"]) if found["port"] else None)


def jdbc_hosts(releases: Iterable[ReleaseStorage]) -> Iterator[str]:
    """Every host that the properties of the releases lead to."""
    for storage in (storage for release in releases for storage in release.storages):
        if storage.kind == "jdbc" and (where := jdbc_host(storage.contact_point)):
            yield where.host


def database_keys(url: str) -> tuple[str, ...]:
    """The keys of the plan's databases that this URL can mean; empty when its host is not an endpoint of RDS.

    A host does not tell an Aurora cluster from a Multi-AZ DB cluster. An instance's host is also that of a cluster's member.
    """
    where = jdbc_host(url)
    found = _HOST.fullmatch(where.host) if where else None
    if found is None:
        return ()
    name, region = found["name"], found["region"]
    if found["kind"]:
        return (f"aurora:{region}:{name}", f"rds-cluster:{region}:{name}")
    return (f"rds:{region}:{name}",)
