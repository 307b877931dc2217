"""Banks on each kind of database, in this process: moto's DynamoDB, and a relational database in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from infra.sandbox.bank.layouts import (
    FIRST_TABLES,
    BankLayout,
    on_multi_storage,
    on_relational,
    on_two_releases,
)
from infra.sandbox.bank.relational import Relational
from infra.sandbox.bank.release_storages import ReleaseStorages, storages_of, store_across
from infra.sandbox.bank.storages import DynamoDb
from infra.sandbox.bank.store import Store

from .sql_server import HOST, PASSWORD, SqlServer

THREADS = 3


def dynamodb(prefix: str = "") -> DynamoDb:
    return DynamoDb("ap-northeast-1", "testing", "testing", prefix=prefix)


def relational(server: SqlServer) -> Relational:
    return Relational(f"jdbc:postgresql://{HOST}:5432/bank", "bank", PASSWORD, server.url)


def on_rds(server: SqlServer) -> tuple[BankLayout, Store]:
    layout, release = on_relational(relational(server))
    return layout, read(release.properties, server).store(THREADS)


def on_both(server: SqlServer) -> tuple[BankLayout, Store]:
    layout, release = on_multi_storage(dynamodb("prod-"), relational(server))
    return layout, read(release.properties, server).store(THREADS)


def on_two_as_the_second(server: SqlServer) -> tuple[BankLayout, Store]:
    layout, first, second = on_two_releases(dynamodb("prod-"), relational(server))
    own, peer = read(second.properties, server), read(first.properties, server)
    return layout, store_across(own, peer, FIRST_TABLES, THREADS)


MAKERS: tuple[Callable[[SqlServer], tuple[BankLayout, Store]], ...] = (on_rds, on_both, on_two_as_the_second)
"""A bank on DynamoDB alone is in conftest."""


def read(properties: Mapping[str, str], server: SqlServer) -> ReleaseStorages:
    """As a pod reads them."""
    found = storages_of(properties, server.url)
    assert found is not None
    return found
