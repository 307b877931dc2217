"""The four products that can be paused, as data: what their Helm charts call things and which properties matter here.

Source: the templates of Scalar's Helm charts (scalardb-cluster, scalardb, scalardl, scalardl-audit) of 2023 to 2026. Names made
from the release name are not here on purpose: charts shorten and override them, so everything is found by labels and mounts.
"""

from __future__ import annotations

from enum import StrEnum

from shared.model.products import AUDITOR, LEDGER
from shared.model.records import Value

INSTANCE_LABEL = "app.kubernetes.io/instance"
"""Its value is the Helm release's name. Envoy pods of the same release carry it too."""
APP_LABEL = "app.kubernetes.io/app"
"""Tells the products apart, and from everything else that a release brings along."""


class Templating(StrEnum):
    """How a value of the pod's environment gets into the properties file."""

    PLACEHOLDERS = "${env:V:-default}"
    """Replaced by the server itself, when it reads a property."""
    TEMPLATE = '{{ default .Env.V "" }}'
    """Rendered when the container starts; newer servers understand the placeholders as well."""


class Product(Value):
    """One product. `app` is the value of `APP_LABEL`; it also names the product in snapshots and in evidence.

    `admin_port_name` is the port's name in the headless Service, `admin_port` the number when nothing else is said.
    `admin_port_property` is empty where no property moves the Admin service to another port, `tls_property` where the chart
    knows no TLS; `tls_ca_property` and `tls_name_property` say where the CA lies in the container and which name its
    certificate has, where the server's own file says so. `properties_keys` are the ConfigMap's keys, the present one first.
    `grace_seconds` is the chart's terminationGracePeriodSeconds.
    """

    app: str
    title: str
    container: str
    admin_port_name: str
    admin_port: int
    admin_port_property: str
    tls_property: str
    properties_keys: tuple[str, ...]
    templating: Templating
    grace_seconds: int
    tls_ca_property: str = ""
    tls_name_property: str = ""


SCALARDB_CLUSTER = Product(
    app="scalardb-cluster",
    title="ScalarDB Cluster",
    container="scalardb-cluster-node",
    admin_port_name="scalardb-cluster",
    admin_port=60053,
    # Since 3.18. When it is set, Pause, Unpause and CheckPaused exist on that port only.
    admin_port_property="scalar.db.cluster.node.admin.port",
    tls_property="scalar.db.cluster.tls.enabled",
    properties_keys=("scalardb-cluster-node.properties",),
    templating=Templating.PLACEHOLDERS,
    grace_seconds=90,
    tls_ca_property="scalar.db.cluster.tls.ca_root_cert_path",
    tls_name_property="scalar.db.cluster.tls.override_authority",
)
SCALARDB_SERVER = Product(
    app="scalardb",
    title="ScalarDB Server",
    container="scalardb",
    admin_port_name="scalardb",
    admin_port=60051,
    admin_port_property="",
    tls_property="",
    properties_keys=("database.properties.tmpl", "database.properties"),
    templating=Templating.TEMPLATE,
    grace_seconds=60,
)
SCALARDL_LEDGER = Product(
    app=LEDGER,
    title="ScalarDL Ledger",
    container="scalardl-ledger",
    admin_port_name="scalardl-admin",
    admin_port=50053,
    admin_port_property="scalar.dl.ledger.server.admin_port",
    tls_property="scalar.dl.ledger.server.tls.enabled",
    properties_keys=("ledger.properties.tmpl", "ledger.properties"),
    templating=Templating.TEMPLATE,
    grace_seconds=60,
)
SCALARDL_AUDITOR = Product(
    app=AUDITOR,
    title="ScalarDL Auditor",
    container="scalardl-audit-auditor",
    admin_port_name="scalardl-auditor-admin",
    admin_port=40053,
    admin_port_property="scalar.dl.auditor.server.admin_port",
    tls_property="scalar.dl.auditor.server.tls.enabled",
    properties_keys=("auditor.properties.tmpl", "auditor.properties"),
    templating=Templating.TEMPLATE,
    grace_seconds=60,
)

AUDITED_PROPERTY = "scalar.dl.ledger.auditor.enabled"
"""In Ledger's properties: it works together with an Auditor."""

PRODUCTS = {product.app: product for product in (SCALARDB_CLUSTER, SCALARDB_SERVER, SCALARDL_LEDGER, SCALARDL_AUDITOR)}
"""By the value of `APP_LABEL`."""
