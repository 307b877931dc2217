"""Custom endpoints of an Aurora cluster: taken from the outgoing cluster, made for the incoming one under the same names.

A custom endpoint belongs to one cluster and its name to one endpoint of the region, so it cannot move; it is a setting without
data (API reference of CreateDBClusterEndpoint).
"""

from __future__ import annotations

from functools import partial

from shared.databases.rds import tags
from shared.databases.rds.calls import Calls
from shared.databases.rds.cluster_manifest import read_endpoints
from shared.databases.rds.cluster_reconcile import when_free
from shared.databases.rds.errors import GONE, aws_code
from shared.model.cluster_settings import CustomEndpoint
from shared.model.errors import BackupError


def remove_endpoints(cluster: str, calls: Calls) -> tuple[str, ...]:
    """Asks for the deletion of every custom endpoint of `cluster`; answers with those that were still there."""
    found = tuple(one.identifier for one in read_endpoints(cluster, calls))
    for name in found:
        _remove(name, calls)
    return found


def put_endpoints(cluster: str, wanted: tuple[CustomEndpoint, ...], calls: Calls) -> None:
    """Creates what is missing, modifies what differs, deletes what should not be there. A name that is not free yet is tried
    again by a later call."""
    there = {one.identifier: one for one in read_endpoints(cluster, calls)}
    for one in wanted:
        subject = f"custom endpoint {one.identifier}"
        found = there.get(one.identifier)
        if found is None:
            _create(cluster, one, calls)
        elif _shape(found) != _shape(one):
            changes = {"DBClusterEndpointIdentifier": one.identifier, "EndpointType": one.kind, **_members(one)}
            when_free(partial(calls.rds, "modify_db_cluster_endpoint", subject, **changes))
    for name in set(there) - {one.identifier for one in wanted}:
        _remove(name, calls)


def _create(cluster: str, one: CustomEndpoint, calls: Calls) -> None:
    given = {
        "DBClusterIdentifier": cluster,
        "DBClusterEndpointIdentifier": one.identifier,
        "EndpointType": one.kind,
        "Tags": tags.as_list(one.tags),
        **{key: names for key, names in _members(one).items() if names},
    }
    when_free(partial(calls.rds, "create_db_cluster_endpoint", f"custom endpoint {one.identifier}", **given))


def _remove(name: str, calls: Calls) -> None:
    try:
        when_free(lambda: calls.rds("delete_db_cluster_endpoint", f"custom endpoint {name}", DBClusterEndpointIdentifier=name))
    except BackupError as error:
        if aws_code(error) not in GONE:
            raise


def _members(one: CustomEndpoint) -> dict[str, list[str]]:
    return {"StaticMembers": list(one.static_members), "ExcludedMembers": list(one.excluded_members)}


def _shape(one: CustomEndpoint) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    return one.kind, one.static_members, one.excluded_members
