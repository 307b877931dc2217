"""Placeholders of both dialects, and the storages that properties name: never with a credential."""

from __future__ import annotations

import pytest

from shared.model.errors import NotReady
from shared.model.records import to_record
from shared.model.storage import Storage
from shared.scalar.placeholders import resolve
from shared.scalar.properties import Properties, storage_of

RELEASE, SOURCE = "ap-northeast-1/prod-tokyo/scalar/orders", "ConfigMap orders, key x.properties"


def read(text, **environment):
    return storage_of(Properties(text, environment), RELEASE, SOURCE)


@pytest.mark.parametrize(
    ("value", "environment", "expected"),
    [
        ("plain", {}, "plain"),
        ("${env:V}", {"V": "x"}, "x"),
        ("a-${env:V}-b-${env:W}", {"V": "x", "W": "y"}, "a-x-b-y"),
        ("${env:V:-d}", {}, "d"),
        ("${env:V:-}", {}, ""),
        ("${env:V:-d}", {"V": ""}, ""),
        ("${env:V}", {}, "unresolved(${env:V})"),
        ("jdbc:mysql://${env:V}/db", {}, "jdbc:mysql://unresolved(${env:V})/db"),
        ("${sys:v:-d}", {}, "unresolved(${sys:v:-d})"),
        ("${file:UTF-8:/etc/x}", {}, "unresolved(${file:UTF-8:/etc/x})"),
        ("$${env:V}", {"V": "x"}, "${env:V}"),
        ("${other}", {}, "${other}"),
        ('{{ default .Env.V "" }}', {"V": "x"}, "x"),
        ('{{ default .Env.V "" }}', {}, ""),
        ('{{default .Env.V "d"}}', {"V": ""}, "d"),
        ("{{- default .Env.V `d` -}}", {}, "d"),
        ("{{ .Env.V }}", {"V": "x"}, "x"),
        ("{{ .Env.V }}", {}, "unresolved({{ .Env.V }})"),
        ('{{ default .Env.V "" }}', {"V": "host\\\\instance"}, "host\\instance"),
        ('{{ default .Env.V "" }}', {"V": "\\u12"}, 'unresolved({{ default .Env.V "" }})'),
        ("{{ if .Env.V }}", {"V": "x"}, "unresolved({{ if .Env.V }})"),
        ('{{ default .Env.V "" }}', {"V": "${env:W}", "W": "y"}, "y"),
    ],
)
def test_placeholders_are_replaced_or_stay_visible(value, environment, expected):
    assert resolve(value, environment) == expected


def test_a_release_on_dynamodb():
    found = read(
        """
        scalar.db.storage=dynamo
        scalar.db.contact_points= ${env:REGION:-ap-northeast-1} , ignored
        scalar.db.dynamo.namespace.prefix=prod_
        scalar.db.dynamo.endpoint_override=http://localhost:8000
        scalar.db.system_namespace_name=meta
        scalar.db.consensus_commit.coordinator.namespace=coord
        """
    )
    assert found.storages == (
        Storage(
            name="default",
            kind="dynamo",
            contact_point="ap-northeast-1",
            endpoint_override="http://localhost:8000",
            namespace_prefix="prod_",
            system_namespace="meta",
            coordinator_namespace="coord",
        ),
    )
    assert (found.release, found.source, found.is_multi_storage) == (RELEASE, SOURCE, False)


def test_what_the_properties_do_not_say_has_scalardbs_defaults():
    (storage,) = read("scalar.db.contact_points=localhost").storages
    assert (storage.kind, storage.system_namespace, storage.coordinator_namespace) == ("cassandra", "scalardb", "coordinator")


@pytest.mark.parametrize(
    ("kind", "older"),
    [
        ("dynamo", "dynamo.table_metadata.namespace"),
        ("dynamo", "dynamo.metadata.namespace"),
        ("cosmos", "cosmos.table_metadata.database"),
        ("jdbc", "jdbc.table_metadata.schema"),
    ],
)
def test_the_older_names_of_the_system_namespace_win_for_their_own_storage_only(kind, older):
    text = f"scalar.db.system_namespace_name=new\nscalar.db.{older}=old\nscalar.db.storage="
    assert read(text + kind).storages[0].system_namespace == "old"
    assert read(text + "cassandra").storages[0].system_namespace == "new"


def test_the_older_name_of_the_endpoint_override_is_known():
    (storage,) = read("scalar.db.storage=dynamo\nscalar.db.dynamo.endpoint-override=http://x").storages
    assert storage.endpoint_override == "http://x"


MULTI = """
scalar.db.storage=multi-storage
scalar.db.multi_storage.storages=tables, mysql
scalar.db.multi_storage.storages.tables.storage=dynamo
scalar.db.multi_storage.storages.tables.contact_points=${env:REGION}
scalar.db.multi_storage.storages.tables.dynamo.namespace.prefix=prod_
scalar.db.multi_storage.storages.mysql.storage=jdbc
scalar.db.multi_storage.storages.mysql.contact_points=jdbc:mysql://orders:3306/
scalar.db.multi_storage.storages.mysql.username=secret-user
scalar.db.multi_storage.storages.mysql.password=secret-word
scalar.db.multi_storage.storages.mysql.system_namespace_name=own
scalar.db.multi_storage.namespace_mapping=shop:tables, coordinator:mysql ,billing:mysql
scalar.db.multi_storage.default_storage=tables
scalar.db.system_namespace_name=meta
"""


def test_multi_storage_gives_each_storage_its_own_properties_and_the_releases_as_defaults():
    found = read(MULTI, REGION="us-east-1")
    tables, mysql = found.storages
    assert (tables.name, tables.kind, tables.contact_point) == ("tables", "dynamo", "us-east-1")
    assert (tables.namespace_prefix, tables.system_namespace) == ("prod_", "meta")
    assert (mysql.kind, mysql.contact_point, mysql.system_namespace) == ("jdbc", "jdbc:mysql://orders:3306/", "own")
    assert (found.default_storage, found.is_multi_storage) == ("tables", True)


def test_mapped_namespaces_are_listed_except_for_the_default_storage_which_has_all_others_too():
    tables, mysql = read(MULTI, REGION="us-east-1").storages
    assert (tables.namespaces, mysql.namespaces) == ((), ("billing", "coordinator"))


def test_the_deprecated_table_mapping_counts_for_the_tables_namespaces():
    text = MULTI.replace("namespace_mapping=shop:tables, coordinator:mysql ,billing:mysql", "table_mapping=billing.bills:mysql")
    assert read(text, REGION="us-east-1").storages[1].namespaces == ("billing",)


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("billing:mysql", "billing:mongo", "mongo"),
        ("default_storage=tables", "default_storage=table", "table"),
        ("default_storage=tables", "nothing=x", ""),
        ("storages=tables, mysql\n", "storages=\n", "tables"),
    ],
)
def test_a_storage_that_does_not_exist_is_refused_by_name(old, new, named):
    with pytest.raises(NotReady, match=f"storage '{named}' is not among") as caught:
        read(MULTI.replace(old, new), REGION="us-east-1")
    assert SOURCE in caught.value.message


def test_a_placeholder_that_nobody_can_resolve_stays_visible_in_its_storage():
    assert read(MULTI).storages[0].contact_point == "unresolved(${env:REGION})"


@pytest.mark.parametrize(
    "url",
    [
        "jdbc:mysql://admin:hunter2@orders:3306/shop?useSSL=true",
        "jdbc:mysql://orders:3306/shop?user=admin&password=hunter2&useSSL=true",
        "jdbc:postgresql://orders/shop?sslpassword=hunter2",
        "jdbc:sqlserver://orders:1433;databaseName=shop;password=hunter2;encrypt=true",
        "jdbc:oracle:thin:admin/hunter2@//orders:1521/shop",
        "jdbc:oracle:thin:admin/hunter2@orders:1521:shop",
        "jdbc:mysql://address=(host=orders)(port=3306)(user=admin)(password=hunter2)/shop",
    ],
)
def test_credentials_inside_a_jdbc_url_are_left_out(url):
    found = read(f"scalar.db.storage=jdbc\nscalar.db.contact_points={url}\nscalar.db.password=hunter2")
    assert "hunter2" not in str(to_record(found))
    assert "orders" in found.storages[0].contact_point


def test_reading_the_storages_asks_the_environment_for_no_credential():
    class Environment(dict):
        def get(self, name, default=None):
            assert name == "REGION"
            return "us-east-1"

    text = """
    scalar.db.storage=dynamo
    scalar.db.contact_points=${env:REGION}
    scalar.db.username=${env:KEY_ID}
    scalar.db.password=${env:SECRET}
    """
    found = storage_of(Properties(text, Environment()), RELEASE, SOURCE)
    assert found.storages[0].contact_point == "us-east-1"
