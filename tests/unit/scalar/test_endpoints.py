"""Releases are led to the new endpoints of their databases, wherever they keep them; on a cluster in memory."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field

import pytest

from infra.sandbox.cluster.api.patches import json_patch, merge_patch
from shared.model.checks import CheckStatus
from shared.model.endpoint_change import check_drift
from shared.model.errors import Conflict, Forbidden, Misconfigured, NotReady
from shared.model.records import replace
from shared.model.restore import EndpointMove
from shared.model.secret_text import SecretText
from shared.scalar.endpoint_rewrite import JSON_PATCH
from shared.scalar.endpoints import EndpointsInClusters
from shared.scalar.releases import ReleasesInClusters
from tests.unit.scalar.cluster import NAMESPACE, NOW, Cluster, FixedClock, release_named

OLD, NEW = "orders.abc.ap-northeast-1.rds.amazonaws.com", "orders-r1.abc.ap-northeast-1.rds.amazonaws.com"
MOVES = (EndpointMove(old=OLD, new=NEW, old_port=3306, new_port=3306),)
URL = f"jdbc:mysql://{OLD}:3306/orders?useSSL=true"
PROPERTIES = f"# ours\nscalar.db.storage=jdbc\nscalar.db.contact_points = {URL}\nscalar.db.username=app\n"


class Stopped(Cluster):
    """At 0 replicas; patches as the API server does. `busy` is how many patches somebody else comes before; `denied` are the
    names of objects that may not be patched; `dies_after` patches, the process is gone."""

    def __init__(self, app="scalardb-cluster", **install):
        super().__init__()
        self.busy, self.denied, self.dies_after, self.patched = 0, set(), None, []
        self.install(app, replicas=0, **install)

    def patch(self, kind, namespace, name, patch, *, content_type, resource_version=None):
        if len(self.patched) == self.dies_after:
            raise SystemExit
        item = self.objects[kind][name]
        if self.busy:
            self.busy -= 1
            self.add(kind, item)
        if resource_version != self.objects[kind][name]["metadata"]["resourceVersion"]:
            raise Conflict(f"{name} was changed in the meantime, last by deployment-controller.")
        self.patched.append(name)
        return self.add(kind, json_patch(item, patch) if content_type == JSON_PATCH else merge_patch(item, patch))

    def can_i(self, verb, resource, namespace, *, name=""):
        assert (verb, namespace) == ("patch", NAMESPACE)
        return name not in self.denied

    def text(self):
        (config_map,) = self.objects["configmaps"].values()
        (text,) = config_map["data"].values()
        return text


def variable(name, **value):
    return {"env": [{"name": name, **value}]}


def from_secret(secret, key):
    return {"valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}


@dataclass
class Hands:
    cluster: Stopped
    endpoints: EndpointsInClusters = field(init=False)

    def __post_init__(self):
        self.endpoints = EndpointsInClusters(self.cluster, FixedClock())

    def find(self, *releases, moves=MOVES):
        return self.endpoints.find(releases or [release_named()], moves)

    def lead(self, moves=MOVES):
        return self.endpoints.lead(release_named(), moves)


def test_a_url_in_the_properties_is_led_and_nothing_else_is_touched():
    hands = Hands(Stopped(properties=PROPERTIES))
    (found,) = hands.find()
    assert (found.status, found.subject) == (CheckStatus.OK, release_named().key)
    assert "ConfigMap orders-scalardb-cluster-properties is rewritten for scalar.db.contact_points" in found.detail
    assert hands.cluster.patched == []
    ((change,), values) = hands.lead()
    assert hands.cluster.text() == PROPERTIES.replace(OLD, NEW)
    assert (change.release, change.storage, change.old, change.new) == (
        release_named().key,
        "default",
        URL,
        URL.replace(OLD, NEW),
    )
    assert (change.run, change.changed_at) == ("", NOW)
    assert f"scalar.db.contact_points = jdbc:mysql://{NEW}:3306/orders?useSSL=true" in values
    assert "helm upgrade" in values


def test_a_repeated_call_changes_nothing_more_and_answers_the_same():
    hands = Hands(Stopped(properties=PROPERTIES))
    first = hands.lead()
    assert hands.lead() == first
    assert len(hands.cluster.patched) == 1
    (found,) = hands.find()
    assert (found.status, "leads to the new endpoint already" in found.detail) == (CheckStatus.OK, True)


def test_what_was_led_is_led_back_to_the_same_bytes():
    hands = Hands(Stopped(properties=PROPERTIES))
    hands.lead()
    ((change,), _) = hands.lead(moves=(EndpointMove(old=NEW, new=OLD, old_port=3306, new_port=3306),))
    assert hands.cluster.text() == PROPERTIES
    assert (change.old, change.new) == (URL.replace(OLD, NEW), URL)


def test_every_storage_that_names_the_endpoint_is_led_and_recorded_under_its_name():
    multi = "scalar.db.multi_storage."
    text = (
        f"scalar.db.storage=multi-storage\n{multi}storages=a,b,c\n{multi}default_storage=a\n"
        f"{multi}namespace_mapping=x:b,y:c\n"
        f"{multi}storages.a.storage=dynamo\n{multi}storages.a.contact_points=ap-northeast-1\n"
        f"{multi}storages.b.storage=jdbc\n{multi}storages.b.contact_points={URL}\n"
        f"{multi}storages.c.storage=jdbc\n{multi}storages.c.contact_points=jdbc:mysql://app:secret@{OLD}/other\n"
    )
    hands = Hands(Stopped(properties=text))
    changes, values = hands.lead()
    assert hands.cluster.text() == text.replace(OLD, NEW)
    assert [change.storage for change in changes] == ["b", "c"]
    assert "secret@" not in repr(changes) + values


def test_the_recorded_changes_are_those_that_the_check_for_drift_looks_for():
    hands = Hands(Stopped(properties=PROPERTIES))
    changes, _ = hands.lead()
    storage = ReleasesInClusters(hands.cluster, FixedClock()).storage([release_named()])
    assert [result.status for result in check_drift(changes, storage)] == [CheckStatus.OK]


@pytest.mark.parametrize(("app", "said"), [("scalardb-cluster", "variable HELM_SCALAR"), ("scalardb", f"mysql://{NEW}:3306")])
def test_an_endpoint_in_the_environment_is_led_there(app, said):
    name = "HELM_SCALAR_DB_CONTACT_POINTS"
    text = f'scalar.db.storage=jdbc\nscalar.db.contact_points={{{{ default .Env.{name} "" }}}}\n'
    cluster = Stopped(app, properties=text, container=variable(name, value=URL))
    _, values = Hands(cluster).lead()
    (deployment,) = cluster.objects["deployments"].values()
    (entry,) = deployment["spec"]["template"]["spec"]["containers"][0]["env"]
    assert entry == {"name": name, "value": URL.replace(OLD, NEW)}
    assert cluster.text() == text
    assert said in values


def test_an_endpoint_in_a_secret_is_led_there_and_shown_nowhere():
    text = "scalar.db.storage=jdbc\nscalar.db.contact_points=${env:DB_URL}\n"
    cluster = Stopped(properties=text, container=variable("DB_URL", **from_secret("db", "url")))
    cluster.add_secret("db", url=f"jdbc:mysql://app:secret@{OLD}:3306/orders")
    ((change,), values) = Hands(cluster).lead()
    data = cluster.objects["secrets"]["db"]["data"]
    assert base64.b64decode(data["url"]).decode() == f"jdbc:mysql://app:secret@{NEW}:3306/orders"
    assert change.new == f"jdbc:mysql://{NEW}:3306/orders"
    assert "app:secret" not in values


def test_a_secret_that_may_not_be_read_fails_the_check_and_the_leading():
    text = "scalar.db.storage=jdbc\nscalar.db.contact_points=${env:DB_URL}\n"
    cluster = Stopped(properties=text, container=variable("DB_URL", **from_secret("db", "url")))
    cluster.unreadable["secrets"] = Forbidden("cannot get secret db.")
    (found,) = Hands(cluster).find()
    assert (found.status, "scalar.db.contact_points from where it cannot be read" in found.detail) == (CheckStatus.FAILED, True)
    assert "by name" in found.hint
    with pytest.raises(NotReady, match="cannot be led elsewhere"):
        Hands(cluster).lead()


def test_passwords_are_not_looked_up():
    text = PROPERTIES + "scalar.db.password=${env:DB_PASSWORD}\n"
    cluster = Stopped(properties=text, container=variable("DB_PASSWORD", **from_secret("db", "password")))
    Hands(cluster).lead()
    assert not [read for read in cluster.reads if read[0] == "secrets"]


def test_a_right_that_is_missing_is_seen_before_anything_is_stopped():
    cluster = Stopped(properties=PROPERTIES)
    cluster.denied = {"orders-scalardb-cluster-properties"}
    (found,) = Hands(cluster).find()
    assert (found.status, "patch ConfigMap orders-scalardb-cluster-properties" in found.detail) == (CheckStatus.FAILED, True)


def test_a_config_map_that_others_read_is_a_warning():
    cluster = Stopped(properties=PROPERTIES)
    volume = {"name": "v", "configMap": {"name": "orders-scalardb-cluster-properties"}}
    reader = {"metadata": {"name": "reports"}, "spec": {"template": {"spec": {"containers": [], "volumes": [volume]}}}}
    cluster.add("deployments", reader)
    (found,) = Hands(cluster).find()
    assert (found.status, "is read by reports, too" in found.detail) == (CheckStatus.WARNING, True)


def test_a_release_that_names_none_of_the_endpoints_is_left_alone_beside_one_that_does():
    cluster = Stopped(properties=PROPERTIES)
    cluster.install("scalardb-cluster", "other", replicas=0)
    found = Hands(cluster).find(release_named(), release_named("other"))
    assert [result.status for result in found] == [CheckStatus.OK, CheckStatus.OK]
    assert OLD in found[1].detail


def test_endpoints_that_nobody_names_fail_the_check():
    hands = Hands(Stopped())
    (found,) = hands.find()
    assert (found.status, "reaches the database by another name" in found.detail) == (CheckStatus.FAILED, True)
    assert hands.lead() == ((), "")
    (found,) = hands.find(moves=())
    assert (found.status, "No release of the plan names an endpoint" in found.detail) == (CheckStatus.FAILED, True)


def test_a_participant_is_refused_with_another_way():
    participant = replace(release_named("api", 60053), selector="app=api")
    hands = Hands(Stopped(properties=PROPERTIES))
    found = hands.find(release_named(), participant)
    assert [result.status for result in found] == [CheckStatus.OK, CheckStatus.FAILED]
    assert "cut_over: identifier" in found[1].hint
    with pytest.raises(NotReady, match="it is a participant"):
        hands.endpoints.lead(participant, MOVES)


def test_a_release_that_is_not_found_is_a_failed_check():
    (found,) = Hands(Stopped()).find(release_named("payments"))
    assert (found.status, "payments" in found.detail) == (CheckStatus.FAILED, True)


def test_a_release_that_is_not_stopped_is_not_led():
    cluster = Stopped(properties=PROPERTIES)
    (deployment,) = cluster.objects["deployments"].values()
    deployment["spec"]["replicas"] = 2
    with pytest.raises(NotReady, match="must be stopped"):
        Hands(cluster).lead()
    assert cluster.patched == []


def test_a_write_that_came_in_between_is_a_conflict_after_which_a_later_call_succeeds():
    cluster = Stopped(properties=PROPERTIES)
    cluster.busy = 1
    with pytest.raises(Conflict, match="deployment-controller"):
        Hands(cluster).lead()
    Hands(cluster).lead()
    assert cluster.text() == PROPERTIES.replace(OLD, NEW)


@pytest.mark.parametrize("dies_after", [0, 1])
def test_killed_between_two_patches_a_later_call_finishes_and_answers_for_both(dies_after):
    multi = "scalar.db.multi_storage."
    text = (
        f"scalar.db.storage=multi-storage\n{multi}storages=a,b\n{multi}default_storage=a\n{multi}namespace_mapping=x:b\n"
        f"{multi}storages.a.storage=jdbc\n{multi}storages.a.contact_points={URL}\n"
        f"{multi}storages.b.storage=jdbc\n{multi}storages.b.contact_points=${{env:DB_URL}}\n"
    )

    def world():
        return Stopped(properties=text, container=variable("DB_URL", value=URL))

    undisturbed = Hands(world()).lead()
    cluster = world()
    cluster.dies_after = dies_after
    with pytest.raises(SystemExit):
        Hands(cluster).lead()
    cluster.dies_after = None
    answer = Hands(cluster).lead()
    assert answer == undisturbed
    assert sorted(cluster.patched) == ["orders-scalardb-cluster-node", "orders-scalardb-cluster-properties"]


COSMOS_OLD, COSMOS_NEW = "bank.documents.azure.com", "bank-r1.documents.azure.com"
COSMOS_MOVES = (EndpointMove(old=COSMOS_OLD, new=COSMOS_NEW, old_port=443, new_port=443, credential_source="id of bank-r1"),)
COSMOS_BACK = (EndpointMove(old=COSMOS_NEW, new=COSMOS_OLD, old_port=443, new_port=443, credential_source="id of bank"),)
COSMOS_PROPERTIES = (
    f"scalar.db.storage=cosmos\nscalar.db.contact_points=https://{COSMOS_OLD}:443/\nscalar.db.password=${{env:KEY}}\n"
)
KEYS = {"id of bank": "old-key==", "id of bank-r1": "new-key=="}


def with_key_in_a_secret(**more):
    cluster = Stopped(properties=COSMOS_PROPERTIES, container=variable("KEY", **from_secret("account", "key")), **more)
    cluster.add_secret("account", key="old-key==")
    return cluster


def led_with_keys(cluster, read=lambda source: SecretText(KEYS[source])):
    hands = Hands(cluster)
    hands.endpoints = EndpointsInClusters(cluster, FixedClock(), read_credential=read)
    return hands


def key_of(cluster):
    return base64.b64decode(cluster.objects["secrets"]["account"]["data"]["key"]).decode()


def test_where_the_key_changes_with_the_endpoint_both_are_led_and_the_key_is_shown_nowhere():
    hands = led_with_keys(with_key_in_a_secret())
    (found,) = hands.find(moves=COSMOS_MOVES)
    assert "Secret account is rewritten for scalar.db.password" in found.detail
    assert hands.cluster.patched == []
    answer = hands.lead(COSMOS_MOVES)
    assert COSMOS_NEW in hands.cluster.text()
    assert key_of(hands.cluster) == "new-key=="
    ((change,), values) = answer
    assert (change.old, change.new) == (f"https://{COSMOS_OLD}:443/", f"https://{COSMOS_NEW}:443/")
    assert "Secret account, key key (scalar.db.password) was changed in the cluster" in values
    assert not any(key in repr(answer) for key in KEYS.values())
    assert hands.lead(COSMOS_MOVES) == answer
    assert len(hands.cluster.patched) == 2


def test_a_way_back_brings_the_old_key_back_too():
    hands = led_with_keys(with_key_in_a_secret())
    hands.lead(COSMOS_MOVES)
    hands.lead(COSMOS_BACK)
    assert (hands.cluster.text(), key_of(hands.cluster)) == (COSMOS_PROPERTIES, "old-key==")


def test_a_process_that_dies_between_endpoint_and_key_is_made_good_by_the_next_call():
    cluster = with_key_in_a_secret()
    cluster.dies_after = 1
    hands = led_with_keys(cluster)
    with pytest.raises(SystemExit):
        hands.lead(COSMOS_MOVES)
    cluster.dies_after = None
    hands.lead(COSMOS_MOVES)
    assert COSMOS_NEW in cluster.text()
    assert key_of(cluster) == "new-key=="


def test_without_a_way_to_ask_for_the_key_nothing_is_led():
    hands = led_with_keys(with_key_in_a_secret(), read=None)
    with pytest.raises(Misconfigured, match=r"scalar\.db\.password changes with the endpoint"):
        hands.lead(COSMOS_MOVES)
    assert hands.cluster.patched == []


def test_a_key_in_the_properties_themselves_is_led_and_the_values_change_hides_it():
    properties = COSMOS_PROPERTIES.replace("${env:KEY}", "old-key==")
    hands = led_with_keys(Stopped(properties=properties))
    (_, values) = hands.lead(COSMOS_MOVES)
    assert "new-key==" in hands.cluster.text().replace("\\=", "=")
    assert "key==" not in values
    assert "scalar.db.password=<secret>" in values
