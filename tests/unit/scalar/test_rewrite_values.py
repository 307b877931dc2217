"""The change of the chart's values that is to be committed: YAML that gives what the cluster has now, and shows no secret."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from shared.model.secret_text import SecretText
from shared.scalar.chart_values import values_change
from shared.scalar.endpoint_sources import find_sources
from shared.scalar.products import PRODUCTS
from tests.unit.scalar.cluster import Cluster, release_named

URL, NEW_URL = "scalar.db.contact_points", "jdbc:postgresql://restored:5432/db"
LEDGER = '{{ default .Env.HELM_SCALAR_DB_CONTACT_POINTS "" }}'


def change(app="scalardb-cluster", new=NEW_URL, name=URL, secrets=None, **install):
    cluster = Cluster()
    cluster.install(app, replicas=0, **install)
    for secret, (owner, values) in (secrets or {}).items():
        cluster.add_secret(secret, **values)
        if owner:
            cluster.objects["secrets"][secret]["metadata"]["annotations"] = {"meta.helm.sh/release-name": owner}
    return values_change(find_sources(cluster, release_named(), {name: SecretText(new)}))


@pytest.mark.parametrize(
    ("app", "section", "name"),
    [
        ("scalardb-cluster", "scalardbCluster", "scalardbClusterNodeProperties"),
        ("scalardb", "scalardb", "databaseProperties"),
        ("ledger", "ledger", "ledgerProperties"),
        ("auditor", "auditor", "auditorProperties"),
    ],
)
def test_a_changed_line_gives_the_whole_properties_of_the_chart_as_they_are_now(app, section, name):
    text = f"# comment\n\n{URL}=jdbc:old\nother=a\\\n  b\n"
    found = change(app, properties=text)
    assert yaml.safe_load(found) == {section: {name: text.replace("jdbc:old", NEW_URL)}}
    assert "Changed: scalar.db.contact_points." in found
    assert "helm upgrade" in found


@pytest.mark.parametrize(
    ("app", "section", "inner", "name"),
    [
        ("scalardb", "scalardb", "storageConfiguration", "contactPoints"),
        ("ledger", "ledger", "scalarLedgerConfiguration", "dbContactPoints"),
        ("auditor", "auditor", "scalarAuditorConfiguration", "dbContactPoints"),
    ],
)
def test_a_variable_that_a_chart_makes_from_one_value_gives_that_value(app, section, inner, name):
    container = {"env": [{"name": "HELM_SCALAR_DB_CONTACT_POINTS", "value": "jdbc:old"}]}
    found = change(app, properties=f"{URL}={LEDGER}\n", container=container)
    assert yaml.safe_load(found) == {section: {inner: {name: NEW_URL}}}


def test_a_secret_of_the_chart_names_the_value_but_does_not_show_it():
    reference = {"secretKeyRef": {"name": "orders-ledger", "key": "db-password"}}
    container = {"env": [{"name": "HELM_SCALAR_DB_PASSWORD", "valueFrom": reference}]}
    found = change(
        "ledger", "n3w", "scalar.db.password", {"orders-ledger": ("orders", {"db-password": "old"})},
        properties='scalar.db.password={{ default .Env.HELM_SCALAR_DB_PASSWORD "" }}\n', container=container,
    )  # fmt: skip
    assert yaml.safe_load(found) == {"ledger": {"scalarLedgerConfiguration": {"dbPassword": "<secret>"}}}
    assert "n3w" not in found


def test_a_secret_of_the_users_own_is_told_as_a_comment():
    found = change(
        secrets={"credentials": ("", {"SCALAR_DB_CONTACT_POINTS": "old"})},
        properties=f"{URL}=${{env:SCALAR_DB_CONTACT_POINTS}}\n",
        container={"envFrom": [{"secretRef": {"name": "credentials"}}]},
    )
    assert yaml.safe_load(found) is None
    assert "Secret credentials, key SCALAR_DB_CONTACT_POINTS (scalar.db.contact_points) was changed in the cluster" in found


def test_credentials_in_the_properties_are_not_shown():
    text = (
        f"{URL}=jdbc:old\nscalar.db.username=ad-min\nscalar.db.password = hid\\\n  den\nscalar.db.cluster.tls.enabled=true\n"
        "scalar.db.multi_storage.storages.a.password=${env:A}\n"
        "scalar.db.multi_storage.storages.b.contact_points=jdbc:mysql://joe:pass-word@host/db?password=pass-word&x=1\n"
    )
    found = change(properties=text, new="jdbc:mysql://joe:n3w@restored/db")
    for secret in ("ad-min", "hid", "den\n", "pass-word", "n3w", "joe"):
        assert secret not in found
    properties = yaml.safe_load(found)["scalardbCluster"]["scalardbClusterNodeProperties"]
    assert f"{URL}=jdbc:mysql://restored/db\n" in properties
    assert "storages.a.password=${env:A}\n" in properties
    assert "storages.b.contact_points=jdbc:mysql://host/db?password=…&x=1\n" in properties
    for kept in ("scalar.db.username", "scalar.db.password", "scalar.db.multi_storage.storages.b.contact_points"):
        assert f"Keep your own value where it says <secret>: {kept}." in found


def test_without_an_edit_there_is_nothing_to_commit():
    assert change(properties=f"{URL}={NEW_URL}\n") == ""


@given(st.text(st.sampled_from(" \t\n\r#:=|-'\"\\aé日\u2028\x7f😀"), min_size=1))
def test_any_properties_file_comes_out_of_the_yaml_as_it_went_in(text):
    cluster = Cluster()
    cluster.install("scalardb-cluster", properties=f"{URL}=jdbc:old\n{text}")
    plan = find_sources(cluster, release_named(), {URL: SecretText("x")})
    assert plan.properties_text is not None
    expected = plan.properties_text.reveal()
    assert yaml.safe_load(values_change(plan)) == {"scalardbCluster": {"scalardbClusterNodeProperties": expected}}


def test_every_product_has_a_chart():
    for app in PRODUCTS:
        assert change(app, properties=f"{URL}=old\n").startswith("# Helm release orders, chart ")
