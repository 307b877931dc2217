"""What a repair of the schema takes over from a release: its properties and the environment that they name, never a secret."""

from __future__ import annotations

import pytest

from shared.model.errors import NotReady
from shared.model.records import from_record, to_record
from shared.model.schema_repair import RepairSource
from shared.scalar.repair_source import find_repair_source
from tests.unit.scalar.cluster import Cluster, release_named

KEY = {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "account", "key": "key"}}}


def found_in(app="scalardb-cluster", **install):
    cluster = Cluster()
    cluster.install(app, replicas=0, **install)
    return cluster, find_repair_source(cluster, release_named())


def test_it_is_found_while_the_release_has_no_pods_and_names_secrets_without_reading_them():
    _, source = found_in(container={"image": "ghcr.io/x/scalardb-cluster-node:3.16.1", "env": [KEY]})
    assert (source.config_map, source.key) == ("orders-scalardb-cluster-properties", "scalardb-cluster-node.properties")
    assert (source.container_image, source.environment) == ("ghcr.io/x/scalardb-cluster-node:3.16.1", (KEY,))
    assert (source.schema_type, source.is_template) == ("", False)
    assert from_record(to_record(source), RepairSource) == source


@pytest.mark.parametrize(("app", "schema_type"), [("ledger", "ledger"), ("auditor", "auditor")])
def test_scalardl_says_which_schema_it_has(app, schema_type):
    _, source = found_in(app, properties='scalar.db.password={{ default .Env.KEY "" }}\n')
    assert (source.schema_type, source.is_template) == (schema_type, True)


def test_properties_that_are_gone_are_told():
    cluster, _ = found_in()
    cluster.objects["configmaps"].clear()
    with pytest.raises(NotReady, match="does not exist"):
        find_repair_source(cluster, release_named())
