"""Which database answers at a host name now: as DNS and the database's own login decide it."""

from __future__ import annotations

import re

from infra.sandbox.aws.moto_names import rds_backends
from infra.sandbox.aws.rds.cluster_endpoints import members_behind
from infra.sandbox.aws.rds.inventory import ENDPOINT_SUFFIX, Instance, Inventory
from infra.sandbox.relational.statements import ConnectionRefused, Session

_HOST = re.compile(
    rf"(?P<name>[a-z0-9-]+)\.(?P<kind>cluster-|cluster-ro-|cluster-custom-|){ENDPOINT_SUFFIX}\."
    r"(?P<region>[a-z0-9-]+)\.rds\.amazonaws\.com"
)
_SERVING = ("available", "backing-up", "modifying")
"""Statuses in which connections are served."""


def connect(account: str, host: str, port: int, user: str, password: str, now: float) -> Session:
    """ConnectionRefused says why not."""
    found = _HOST.fullmatch(host.lower())
    if found is None:
        raise _unknown(host)
    inventory: Inventory = rds_backends[account][found["region"]].inventory
    inventory.settle(now)
    candidates, writable = _behind(inventory, host, found["name"], found["kind"])
    serving = [instance for instance in candidates if instance.life.status() in _SERVING]
    if not serving:
        states = ", ".join(f"{instance.identifier} is {instance.life.status()}" for instance in candidates)
        raise ConnectionRefused("NotAvailable", f"No database answers at {host}: {states or 'there is no instance behind it'}.")
    instance = serving[0]
    settings = instance.settings if instance.cluster is None else instance.cluster.settings
    if port != settings["Port"]:
        raise ConnectionRefused("WrongPort", f"Connection refused: {host} does not listen on port {port}.")
    if user != settings["MasterUsername"] or password != instance.volume.password:
        raise ConnectionRefused("AccessDenied", f"Access denied for user '{user}' at {host}.")
    return Session(instance.volume, instance.recovery.forget_before(now), writable)


def _behind(inventory: Inventory, host: str, name: str, kind: str) -> tuple[list[Instance], bool]:
    """The instances that connections to a host may reach, and whether they can be written to through it."""
    if not kind:
        instance = inventory.instances.get(name)
        if instance is None or instance.life.status() in ("creating", "renaming"):
            raise _unknown(host)
        return [instance], instance.cluster is None or instance.writer
    if kind == "cluster-custom-":
        endpoint = inventory.endpoints.get(name)
        if endpoint is None or endpoint.life.status() == "creating":
            raise _unknown(host)
        reachable = members_behind(inventory, endpoint)
        return reachable, all(member.writer for member in reachable)
    cluster = inventory.clusters.get(name)
    if cluster is None or cluster.life.status() == "renaming":
        raise _unknown(host)
    if cluster.life.status() not in _SERVING:
        raise ConnectionRefused("NotAvailable", f"No database answers at {host}: cluster {name} is {cluster.life.status()}.")
    members = inventory.members(cluster)
    writers = [member for member in members if member.writer]
    if kind == "cluster-":
        return writers, True
    # As on AWS the reader endpoint leads to the writer while there is no reader; what it does not do is invite writes.
    return [member for member in members if not member.writer] or writers, False


def _unknown(host: str) -> ConnectionRefused:
    return ConnectionRefused("UnknownHost", f"Name or service not known: {host}. No endpoint has that host name now.")
