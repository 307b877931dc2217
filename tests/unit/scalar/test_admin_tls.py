"""Whether a release's Admin ports speak TLS, where its CA comes from, and what is said when it cannot be had."""

from __future__ import annotations

import pytest

from shared.model.errors import Forbidden, NotReady
from shared.model.plan import AdminTls, TlsSettings
from shared.model.records import replace
from shared.scalar.products import SCALARDB_CLUSTER, SCALARDL_LEDGER
from shared.scalar.releases import ReleasesInClusters
from tests.unit.scalar.cluster import PROPERTIES, Cluster, FixedClock, release_named

CA = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
OTHER_CA = CA.replace("MIIB", "MIIC")
KEY = "-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\n"
TLS_ON = f"{PROPERTIES}{SCALARDB_CLUSTER.tls_property}=true\n"
DIRECTORY = "/tls/scalardb-cluster/certs"


@pytest.fixture
def cluster():
    return Cluster()


def tls_of(cluster, **settings):
    (snapshot,) = observed(cluster, **settings)
    (tls,) = {target.tls for target in snapshot.targets}
    return tls


def observed(cluster, **settings):
    release = replace(release_named(), tls=TlsSettings(**settings))
    return ReleasesInClusters(cluster, FixedClock()).observe([release])


def probe(*options):
    return {"exec": {"command": ["/usr/local/bin/grpc_health_probe", "-addr=localhost:60053", *options]}}


def install_with_tls(
    cluster, *, volume, properties=TLS_ON, options=("-tls", f"-tls-ca-cert={DIRECTORY}/ca.crt"), sub_path=None
):
    """As the charts do with tls.enabled: the health probe verifies the connection with the CA that is mounted."""
    cluster.install("scalardb-cluster", replicas=1, properties=properties)
    (deployment,) = cluster.objects["deployments"].values()
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    container["livenessProbe"] = probe(*options)
    mount = {"name": "tls-volume", "mountPath": DIRECTORY}
    container["volumeMounts"].append(mount if sub_path is None else mount | sub_path)
    pod["volumes"].append({"name": "tls-volume", **volume})


CERT_MANAGER = {"secret": {"secretName": "orders-tls-cert"}}


def test_a_release_without_tls_is_spoken_to_in_plain_text(cluster):
    cluster.install("scalardb-cluster")
    assert tls_of(cluster) is None
    assert not [kind for kind, _ in cluster.reads if kind == "secrets"]


def test_the_ca_of_cert_manager_and_the_name_in_the_certificate_are_found_through_the_health_probe(cluster):
    install_with_tls(cluster, volume=CERT_MANAGER)
    cluster.add_secret("orders-tls-cert", **{"ca.crt": CA, "tls.crt": OTHER_CA, "tls.key": KEY})
    assert tls_of(cluster) == AdminTls(ca_pem=CA, server_name="localhost")


def test_the_name_that_the_chart_gives_the_probe_wins_over_localhost(cluster):
    options = ("-tls", f"-tls-ca-cert={DIRECTORY}/ca.crt", "-tls-server-name=cluster.example.com")
    install_with_tls(cluster, volume=CERT_MANAGER, options=options)
    cluster.add_secret("orders-tls-cert", **{"ca.crt": CA})
    assert tls_of(cluster).server_name == "cluster.example.com"


def test_a_probe_that_verifies_nothing_says_no_name(cluster):
    options = ("-tls", "-tls-no-verify", f"-tls-ca-cert={DIRECTORY}/ca.crt")
    install_with_tls(cluster, volume=CERT_MANAGER, options=options)
    cluster.add_secret("orders-tls-cert", **{"ca.crt": CA})
    assert tls_of(cluster).server_name == ""


def test_secrets_named_in_the_values_are_read_through_their_projected_volume(cluster):
    sources = [{"secret": {"name": name}} for name in ("orders-ca", "orders-chain", "orders-key")]
    install_with_tls(cluster, volume={"projected": {"sources": sources}})
    cluster.add_secret("orders-ca", **{"ca.crt": CA})
    cluster.add_secret("orders-chain", **{"tls.crt": OTHER_CA})
    cluster.add_secret("orders-key", **{"tls.key": KEY})
    assert tls_of(cluster).ca_pem == CA


def test_of_two_sources_with_the_same_file_the_later_one_wins_as_in_the_container(cluster):
    sources = [{"secret": {"name": "first"}}, {"configMap": {"name": "second"}}]
    install_with_tls(cluster, volume={"projected": {"sources": sources}})
    cluster.add_secret("first", **{"ca.crt": CA})
    cluster.add("configmaps", {"metadata": {"name": "second"}, "data": {"ca.crt": OTHER_CA}})
    assert tls_of(cluster).ca_pem == OTHER_CA


def test_a_file_mounted_by_sub_path_or_under_another_name_is_followed_to_its_key(cluster):
    path = f"{DIRECTORY}/ca-root.pem"
    install_with_tls(
        cluster,
        volume={"secret": {"secretName": "orders-ca", "items": [{"key": "ca.crt", "path": "ca-root-cert"}]}},
        options=("-tls", f"-tls-ca-cert={path}"),
        sub_path={"mountPath": path, "subPath": "ca-root-cert"},
    )
    cluster.add_secret("orders-ca", **{"ca.crt": CA})
    assert tls_of(cluster).ca_pem == CA


def test_without_a_health_probe_the_servers_own_properties_say_where_and_who(cluster):
    properties = (
        f"{TLS_ON}{SCALARDB_CLUSTER.tls_ca_property}={DIRECTORY}/ca.crt\n"
        f"{SCALARDB_CLUSTER.tls_name_property}=cluster.example.com\n"
    )
    install_with_tls(cluster, volume=CERT_MANAGER, properties=properties, options=())
    cluster.add_secret("orders-tls-cert", **{"ca.crt": CA})
    assert tls_of(cluster) == AdminTls(ca_pem=CA, server_name="cluster.example.com")


def test_a_switch_that_only_a_secret_knows_is_read_off_the_health_probe(cluster):
    cluster.unreadable["secrets"] = Forbidden("secrets")
    properties = f"{PROPERTIES}{SCALARDB_CLUSTER.tls_property}=${{env:TLS}}\n"
    install_with_tls(cluster, volume={"configMap": {"name": "orders-ca"}}, properties=properties)
    (deployment,) = cluster.objects["deployments"].values()
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    container["envFrom"] = [{"secretRef": {"name": "orders-settings"}}]
    cluster.add("configmaps", {"metadata": {"name": "orders-ca"}, "data": {"ca.crt": CA}})
    assert tls_of(cluster) == AdminTls(ca_pem=CA, server_name="localhost")


@pytest.mark.parametrize("reference", ["ca_secret", "ca_config_map"])
def test_the_plan_names_where_the_ca_is(cluster, reference):
    install_with_tls(cluster, volume=CERT_MANAGER)
    cluster.add_secret("company-ca", **{"root.pem": CA})
    cluster.add("configmaps", {"metadata": {"name": "company-ca"}, "data": {"root.pem": CA}})
    found = tls_of(cluster, **{reference: "company-ca/root.pem"}, server_name="orders")
    assert found == AdminTls(ca_pem=CA, server_name="orders")
    assert ("secrets", "orders-tls-cert") not in cluster.reads


def test_a_ca_in_the_plan_needs_no_secret(cluster):
    cluster.unreadable["secrets"] = Forbidden("secrets")
    install_with_tls(cluster, volume=CERT_MANAGER)
    assert tls_of(cluster, ca_pem=CA) == AdminTls(ca_pem=CA, server_name="localhost")


def test_the_plan_can_switch_tls_on_and_off(cluster):
    cluster.install("scalardb")
    assert tls_of(cluster, enabled=True, ca_pem=CA, server_name="server") == AdminTls(ca_pem=CA, server_name="server")
    assert tls_of(cluster, enabled=False, ca_pem=CA) is None


def test_a_secret_that_may_not_be_read_is_answered_with_the_one_right_that_is_missing(cluster):
    cluster.unreadable["secrets"] = Forbidden("secrets is forbidden")
    install_with_tls(cluster, volume=CERT_MANAGER)
    with pytest.raises(Forbidden) as refused:
        observed(cluster)
    assert "the CA of its TLS is Secret orders-tls-cert, key ca.crt, which may not be read" in refused.value.message
    assert "--verb=get --resource=secrets --resource-name=orders-tls-cert" in refused.value.hint
    assert "tls.ca_config_map" in refused.value.hint


def not_ready(cluster, **settings):
    with pytest.raises(NotReady) as refused:
        observed(cluster, **settings)
    return refused.value


def test_a_ca_that_is_nowhere_is_told_with_the_place_where_it_was_expected(cluster):
    install_with_tls(cluster, volume={"emptyDir": {}})
    error = not_ready(cluster)
    assert f"expect it at {DIRECTORY}/ca.crt, where no Secret or ConfigMap has it" in error.message
    assert "tls.ca_secret" in error.hint


def test_tls_without_any_trace_of_a_ca_is_told(cluster):
    ledger = f"{PROPERTIES}{SCALARDL_LEDGER.tls_property}=true\n"
    cluster.install("ledger", replicas=1, properties=ledger)
    assert "the CA of its certificates was not found. Its Deployment names none." in not_ready(cluster).message


@pytest.mark.parametrize("reference", ["ca_secret", "ca_config_map"])
def test_a_reference_of_the_plan_that_leads_nowhere_is_told(cluster, reference):
    install_with_tls(cluster, volume=CERT_MANAGER)
    error = not_ready(cluster, **{reference: "company-ca/root.pem"})
    assert "company-ca, key root.pem, which does not exist in namespace scalar of cluster prod-tokyo" in error.message


def test_a_secret_without_a_certificate_is_told_and_its_content_is_not(cluster):
    install_with_tls(cluster, volume=CERT_MANAGER)
    cluster.add_secret("orders-tls-cert", **{"ca.crt": KEY})
    error = not_ready(cluster)
    assert "Secret orders-tls-cert, key ca.crt in namespace scalar holds no certificate in PEM form" in error.message
    assert "MIIE" not in str(error)


def test_a_private_key_beside_the_certificates_goes_no_further(cluster):
    install_with_tls(cluster, volume=CERT_MANAGER)
    cluster.add_secret("orders-tls-cert", **{"ca.crt": KEY + CA + OTHER_CA})
    assert tls_of(cluster).ca_pem == CA + OTHER_CA
