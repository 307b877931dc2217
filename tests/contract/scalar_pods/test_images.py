"""Which product and which Admin behaviour an image stands for."""

from __future__ import annotations

import pytest

from infra.sandbox.pods import generations
from infra.sandbox.pods.generations import Generation
from infra.sandbox.pods.images import UnknownImage, product_of


@pytest.mark.parametrize(
    ("image", "generation", "admin_port"),
    [
        ("ghcr.io/scalar-labs/scalardb-cluster-node:3.14.0", generations.CLUSTER, 60053),
        ("ghcr.io/scalar-labs/scalardb-cluster-node:3.15.8", generations.CLUSTER, 60053),
        ("ghcr.io/scalar-labs/scalardb-cluster-node:3.15.9", generations.CLUSTER_RACE_FIXED, 60053),
        ("ghcr.io/scalar-labs/scalardb-cluster-node:3.18.0", generations.CLUSTER, 60053),
        ("ghcr.io/scalar-labs/scalardb-cluster-node:3.18.1", generations.CLUSTER_RACE_FIXED, 60053),
        ("ghcr.io/scalar-labs/scalardb-cluster-node:3.19.0", generations.CLUSTER_3_19, 60053),
        ("ghcr.io/scalar-labs/scalardb-cluster-node-byol-premium:4.0.0", generations.CLUSTER_3_19, 60053),
        ("registry.example.com:5000/scalardb-server:3.9.7", generations.SERVER, 60051),
        ("scalardb-server:3.5.1", generations.SERVER_BEFORE_CHECK_PAUSED, 60051),
        ("ghcr.io/scalar-labs/scalar-ledger:3.13.0", generations.LEDGER, 50053),
        ("ghcr.io/scalar-labs/scalar-ledger:3.14.0", generations.LEDGER_3_14, 50053),
        ("ghcr.io/scalar-labs/scalar-auditor:3.13.0", generations.LEDGER, 40053),
        ("ghcr.io/scalar-labs/scalar-auditor:3.14.2", generations.LEDGER_3_14, 40053),
        ("scalar-ledger:3.4.0", generations.LEDGER_BEFORE_CHECK_PAUSED, 50053),
    ],
)
def test_the_tag_decides_the_admin_behaviour(image: str, generation: Generation, admin_port: int) -> None:
    product = product_of(image)
    assert product.generation is generation
    assert product.admin is not None
    assert product.admin.number == admin_port


def test_an_envoy_has_no_admin_service() -> None:
    assert product_of("ghcr.io/scalar-labs/scalar-envoy:1.3.0").admin is None


def test_a_dedicated_admin_port_exists_from_scalardb_cluster_3_18_on() -> None:
    assert product_of("scalardb-cluster-node:3.17.9").dedicated_admin_property is None
    assert product_of("scalardb-cluster-node:3.18.0").dedicated_admin_property == "scalar.db.cluster.node.admin.port"


@pytest.mark.parametrize("image", ["nginx:1.27.0", "scalardb-clusters:3.19.0", ""])
def test_an_image_that_is_no_scalar_product_is_refused_by_name(image: str) -> None:
    with pytest.raises(UnknownImage, match="No Scalar product known for image"):
        product_of(image)


@pytest.mark.parametrize("image", ["scalardb-cluster-node", "scalardb-cluster-node:latest", "scalar-ledger:3"])
def test_a_tag_that_is_no_version_is_refused(image: str) -> None:
    with pytest.raises(UnknownImage, match="not a version"):
        product_of(image)
