"""Endpoints and credentials, found where they really live and changed there: on a cluster in memory that keeps versions."""

from __future__ import annotations

import base64
import json
import pickle
from dataclasses import replace

import pytest

from infra.sandbox.cluster.api.patches import json_patch, merge_patch
from shared.model.errors import Conflict, Forbidden, InvalidRequest, NotReady
from shared.model.records import to_record
from shared.model.secret_text import SecretText
from shared.scalar.endpoint_rewrite import JSON_PATCH, apply_rewrite
from shared.scalar.endpoint_sources import find_sources
from shared.scalar.mounted_properties import read_mounted_properties
from shared.scalar.products import APP_LABEL, INSTANCE_LABEL
from shared.scalar.workload import find_deployment
from tests.unit.scalar.cluster import NAMESPACE, Cluster, release_named

URL, USER, PASSWORD = (f"scalar.db.{name}" for name in ("contact_points", "username", "password"))
NEW_URL, NEW_PASSWORD = "jdbc:postgresql://restored:5432/db?x=1", "n3w\\pass #=$(HOME) {{word}}"


class WritableCluster(Cluster):
    """Patches as the API server does: 409 for another version, 422 for an immutable object."""

    def __init__(self):
        super().__init__()
        self.patched = []

    def patch(self, kind, namespace, name, patch, *, content_type, resource_version=None):
        assert namespace == NAMESPACE
        item = self.objects[kind][name]
        if resource_version != item["metadata"]["resourceVersion"]:
            raise Conflict(f"{name} was changed by helm")
        if item.get("immutable"):
            raise InvalidRequest("field is immutable when `immutable` is set")
        self.patched.append((kind, name))
        after = json_patch(item, patch) if content_type == JSON_PATCH else merge_patch(item, patch)
        return self.add(kind, after)

    def secret(self, name):
        return {key: base64.b64decode(text).decode() for key, text in self.objects["secrets"][name]["data"].items()}


def stopped(app="scalardb-cluster", **install):
    cluster = WritableCluster()
    cluster.install(app, replicas=0, **install)
    return cluster


def wanting(**values):
    return {f"scalar.db.{name}": SecretText(value) for name, value in values.items()}


def find(cluster, **values):
    return find_sources(cluster, release_named(), wanting(**values))


def live(cluster):
    """The properties as the pods will read them."""
    product, deployment = find_deployment(cluster, release_named())
    return read_mounted_properties(cluster, deployment, product).properties


def text_of(cluster):
    (config_map,) = cluster.objects["configmaps"].values()
    (text,) = config_map["data"].values()
    return text


def test_a_literal_is_changed_in_its_line_of_the_config_map_and_nowhere_else():
    text = f"# the database\n{URL} = jdbc:old\r\n{USER}=me\n# {URL}=no\n{PASSWORD}=a\\\n  b\n"
    cluster = stopped(properties=text)
    plan = find(cluster, contact_points=NEW_URL)
    apply_rewrite(cluster, plan)
    assert text_of(cluster) == text.replace("jdbc:old", NEW_URL)
    assert cluster.patched == [("configmaps", "orders-scalardb-cluster-properties")]


@pytest.mark.parametrize("dialect", ["${env:V}", "${env:V:-jdbc:default}", '{{ default .Env.V "" }}'])
def test_a_literal_of_the_pod_template_is_changed_in_the_deployment(dialect):
    container = {"env": [{"name": "A", "value": "1"}, {"name": "V", "value": "jdbc:old"}]}
    cluster = stopped(properties=f"{URL}={dialect}\n", container=container)
    apply_rewrite(cluster, find(cluster, contact_points=NEW_URL))
    (deployment,) = cluster.objects["deployments"].values()
    (server,) = deployment["spec"]["template"]["spec"]["containers"]
    assert server["env"] == [{"name": "A", "value": "1"}, {"name": "V", "value": NEW_URL}]
    assert cluster.patched == [("deployments", "orders-scalardb-cluster-node")]
    assert live(cluster)[URL] == NEW_URL


def test_of_two_variables_with_one_name_the_one_that_counts_is_changed():
    container = {"env": [{"name": "V", "value": "first"}, {"name": "V", "value": "second"}]}
    cluster = stopped(properties=f"{URL}=${{env:V}}\n", container=container)
    apply_rewrite(cluster, find(cluster, contact_points=NEW_URL))
    (deployment,) = cluster.objects["deployments"].values()
    assert [entry["value"] for entry in deployment["spec"]["template"]["spec"]["containers"][0]["env"]] == ["first", NEW_URL]


def test_what_the_kubelet_would_replace_in_a_pod_template_is_escaped():
    cluster = stopped(properties=f"{PASSWORD}=${{env:V}}\n", container={"env": [{"name": "V", "value": "old"}]})
    apply_rewrite(cluster, find(cluster, password="a$(HOME)$$b$c"))
    (deployment,) = cluster.objects["deployments"].values()
    assert deployment["spec"]["template"]["spec"]["containers"][0]["env"][0]["value"] == "a$$(HOME)$$$$b$$c"


KEY_REF = {"env": [{"name": "V", "valueFrom": {"secretKeyRef": {"name": "credentials", "key": "word"}}}]}
WHOLE = {"envFrom": [{"secretRef": {"name": "credentials"}}]}
PREFIXED = {"envFrom": [{"secretRef": {"name": "credentials"}, "prefix": "DB_"}]}


@pytest.mark.parametrize(
    ("container", "variable", "key"), [(KEY_REF, "V", "word"), (WHOLE, "word", "word"), (PREFIXED, "DB_word", "word")]
)
@pytest.mark.parametrize("dialect", ["${env:NAME}", '{{ default .Env.NAME "" }}'])
def test_a_key_of_a_secret_is_changed_however_the_pods_take_it(container, variable, key, dialect):
    cluster = stopped(properties=f"{PASSWORD}={dialect.replace('NAME', variable)}\n", container=container)
    cluster.add_secret("credentials", word="old", other="untouched")
    apply_rewrite(cluster, find(cluster, password=NEW_PASSWORD))
    assert cluster.patched == [("secrets", "credentials")]
    assert cluster.secret("credentials").keys() == {"word", "other"}
    assert cluster.secret("credentials")["other"] == "untouched"
    assert live(cluster)[PASSWORD] == NEW_PASSWORD


def test_of_several_sources_the_one_that_counts_is_changed():
    sources = [{"secretRef": {"name": name}} for name in ("first", "second", "third")]
    cluster = stopped(properties=f"{PASSWORD}=${{env:word}}\n", container={"envFrom": sources})
    cluster.add_secret("first", word="1")
    cluster.add_secret("second", word="2")
    cluster.add_secret("third", other="3")
    apply_rewrite(cluster, find(cluster, password="new"))
    assert [cluster.secret(name).get("word") for name in ("first", "second", "third")] == ["1", "new", None]


def test_a_key_of_another_config_map_is_changed_there():
    container = {"env": [{"name": "V", "valueFrom": {"configMapKeyRef": {"name": "endpoints", "key": "url"}}}]}
    cluster = stopped(properties=f"{URL}=${{env:V}}\n", container=container)
    cluster.add("configmaps", {"metadata": {"name": "endpoints"}, "data": {"url": "jdbc:old", "other": "1"}})
    apply_rewrite(cluster, find(cluster, contact_points=NEW_URL))
    assert cluster.objects["configmaps"]["endpoints"]["data"] == {"url": NEW_URL, "other": "1"}


def test_a_variable_that_gives_a_part_of_the_value_gets_the_new_part():
    container = {"env": [{"name": "HOST", "value": "old"}]}
    cluster = stopped(properties=f"{URL}=jdbc\\:mysql\\://${{env:HOST}}\\:3306/db\n", container=container)
    plan = find(cluster, contact_points="jdbc:mysql://restored:3306/db")
    apply_rewrite(cluster, plan)
    assert cluster.patched == [("deployments", "orders-scalardb-cluster-node")]
    assert live(cluster)[URL] == "jdbc:mysql://restored:3306/db"


def test_a_value_that_does_not_fit_around_its_variable_replaces_the_line_and_says_so():
    cluster = stopped(
        properties=f"{URL}=jdbc:mysql://${{env:HOST}}:3306/db\n", container={"env": [{"name": "HOST", "value": "old"}]}
    )
    plan = find(cluster, contact_points=NEW_URL)
    apply_rewrite(cluster, plan)
    assert text_of(cluster) == f"{URL}={NEW_URL}\n"
    assert len(plan.notes) == 1
    assert "${env:HOST}" in plan.notes[0]


def test_a_variable_that_is_set_nowhere_has_its_line_replaced():
    cluster = stopped(properties=f"{URL}=${{env:V:-jdbc:old}}\n")
    apply_rewrite(cluster, find(cluster, contact_points=NEW_URL))
    assert text_of(cluster) == f"{URL}={NEW_URL}\n"


def test_a_secret_is_never_moved_into_the_config_map():
    cluster = stopped(properties=f"{PASSWORD}=a${{env:word}}b\n", container=WHOLE)
    cluster.add_secret("credentials", word="old")
    with pytest.raises(NotReady, match="word is secret and would end up in ConfigMap"):
        find(cluster, password="new")


MULTI = """scalar.db.storage=multi-storage
scalar.db.multi_storage.storages=a,b
scalar.db.multi_storage.storages.a.contact_points=jdbc:a
scalar.db.multi_storage.storages.b.contact_points=jdbc:b
scalar.db.multi_storage.storages.a.password=${env:word}
scalar.db.multi_storage.storages.b.password=${env:other}
"""


def test_storages_of_several_are_changed_one_by_one():
    cluster = stopped(properties=MULTI, container=WHOLE)
    cluster.add_secret("credentials", word="1", other="2")
    wanted = {"multi_storage.storages.b.contact_points": "jdbc:restored", "multi_storage.storages.b.password": "new"}
    plan = find_sources(cluster, release_named(), {f"scalar.db.{name}": SecretText(value) for name, value in wanted.items()})
    apply_rewrite(cluster, plan)
    assert text_of(cluster) == MULTI.replace("jdbc:b", "jdbc:restored")
    assert cluster.secret("credentials") == {"word": "1", "other": "new"}


def test_several_edits_of_one_object_are_one_patch():
    cluster = stopped(properties=f"{URL}=jdbc:old\n{USER}=me\n{PASSWORD}=word\n")
    apply_rewrite(cluster, find(cluster, contact_points=NEW_URL, username="you", password="new"))
    assert text_of(cluster) == f"{URL}={NEW_URL}\n{USER}=you\n{PASSWORD}=new\n"
    assert len(cluster.patched) == 1


def test_a_variable_that_also_feeds_another_property_is_refused():
    cluster = stopped(properties=MULTI.replace("other", "word"), container=WHOLE)
    cluster.add_secret("credentials", word="1")
    with pytest.raises(NotReady, match=r"key word of Secret credentials, which also gives .*storages\.b\.password"):
        find(cluster, **{"multi_storage.storages.a.password": "new"})


def test_a_key_that_feeds_another_property_by_another_variable_is_refused():
    reference = {"secretKeyRef": {"name": "credentials", "key": "word"}}
    container = {"env": [{"name": name, "valueFrom": reference} for name in ("word", "other")]}
    cluster = stopped(properties=MULTI, container=container)
    cluster.add_secret("credentials", word="1")
    with pytest.raises(NotReady, match=r"which also gives .*storages\.b\.password"):
        find(cluster, **{"multi_storage.storages.a.password": "new"})


@pytest.mark.parametrize("first", ["1", "new"])
def test_two_properties_of_one_variable_get_one_value_or_none(first):
    cluster = stopped(properties=MULTI.replace("other", "word"), container=WHOLE)
    cluster.add_secret("credentials", word="1")
    names = ("multi_storage.storages.a.password", "multi_storage.storages.b.password")
    with pytest.raises(NotReady, match="are to get different ones"):
        find(cluster, **dict(zip(names, (first, "other"), strict=True)))
    apply_rewrite(cluster, find(cluster, **dict.fromkeys(names, "same")))
    assert cluster.secret("credentials") == {"word": "same"}


def test_a_property_that_is_not_there_is_named_with_what_to_do():
    cluster = stopped(properties=f"{URL}=jdbc:old\n")
    with pytest.raises(NotReady, match=r"has no property scalar\.db\.password.*Add it to the properties"):
        find(cluster, password="new")


@pytest.mark.parametrize("value", ["${env:HOME}", "jdbc:\0", " jdbc:x", "jdbc:x\n"])
def test_a_value_that_servers_would_read_as_another_is_refused_without_being_shown(value):
    with pytest.raises(InvalidRequest) as raised:
        find(stopped(), contact_points=value)
    assert value.strip() not in str(raised.value)


def test_a_field_of_the_pod_cannot_be_rewritten():
    field = {"env": [{"name": "V", "valueFrom": {"fieldRef": {"fieldPath": "status.hostIP"}}}]}
    with pytest.raises(NotReady, match="takes V from fieldRef"):
        find(stopped(properties=f"{URL}=${{env:V}}\n", container=field), contact_points="x")


def test_a_missing_secret_is_named_with_its_key():
    with pytest.raises(NotReady, match="from key word of Secret credentials, which does not exist"):
        find(stopped(properties=f"{PASSWORD}=${{env:V}}\n", container=KEY_REF), password="x")


def test_a_secret_that_may_not_be_read_is_told():
    cluster = stopped(properties=f"{PASSWORD}=${{env:V}}\n", container=KEY_REF)
    cluster.unreadable["secrets"] = Forbidden("no right to Secrets")
    with pytest.raises(Forbidden):
        find(cluster, password="x")


@pytest.mark.parametrize("kind", ["configmaps", "secrets"])
def test_an_immutable_object_is_told_before_anything_is_written(kind):
    cluster = stopped(properties=f"{URL}=jdbc:old\n{PASSWORD}=${{env:word}}\n", container=WHOLE)
    cluster.add_secret("credentials", word="1")
    for item in cluster.objects[kind].values():
        item["immutable"] = True
    with pytest.raises(NotReady, match="is immutable"):
        find(cluster, contact_points=NEW_URL, password="new")


def test_an_object_that_became_immutable_meanwhile_is_told_as_what_it_is():
    cluster = stopped(properties=f"{URL}=jdbc:old\n")
    plan = find(cluster, contact_points=NEW_URL)
    next(iter(cluster.objects["configmaps"].values()))["immutable"] = True
    with pytest.raises(InvalidRequest, match="is replaced by helm upgrade"):
        apply_rewrite(cluster, plan)


def test_a_release_that_runs_is_not_rewritten():
    cluster = stopped(properties=f"{URL}=jdbc:old\n")
    plan = find(cluster, contact_points=NEW_URL)
    cluster.objects["deployments"][plan.deployment]["spec"]["replicas"] = 1
    with pytest.raises(NotReady, match="must be stopped"):
        apply_rewrite(cluster, plan)
    assert cluster.patched == []


def test_what_somebody_else_changed_meanwhile_is_a_conflict_and_stays():
    cluster = stopped(properties=f"{URL}=jdbc:old\n")
    plan = find(cluster, contact_points=NEW_URL)
    theirs = cluster.objects["configmaps"]["orders-scalardb-cluster-properties"]
    theirs["data"] = dict.fromkeys(theirs["data"], f"{URL}=jdbc:theirs\n")
    cluster.add("configmaps", theirs)
    with pytest.raises(Conflict):
        apply_rewrite(cluster, plan)
    assert text_of(cluster) == f"{URL}=jdbc:theirs\n"


@pytest.mark.parametrize("change", ["container", "variable"])
def test_a_pod_template_that_lost_the_variable_meanwhile_is_a_conflict(change):
    cluster = stopped(properties=f"{URL}=${{env:V}}\n", container={"env": [{"name": "V", "value": "old"}]})
    plan = find(cluster, contact_points=NEW_URL)
    (deployment,) = cluster.objects["deployments"].values()
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    container.update({"name": "renamed"} if change == "container" else {"env": []})
    with pytest.raises(Conflict, match="somebody changed it in the meantime"):
        apply_rewrite(cluster, plan)


def test_undo_brings_every_byte_back():
    text = f"{URL} = jdbc\\:old \\\n   and more\n{PASSWORD}=${{env:word}}\n{USER}=${{env:V}}"
    container = {**WHOLE, "env": [{"name": "V", "value": "me"}]}
    cluster = stopped(properties=text, container=container)
    cluster.add_secret("credentials", word="old")
    rewritten = apply_rewrite(cluster, find(cluster, contact_points=NEW_URL, password="new", username="you"))
    assert (live(cluster)[URL], live(cluster)[PASSWORD], live(cluster)[USER]) == (NEW_URL, "new", "you")
    apply_rewrite(cluster, rewritten.undo)
    assert text_of(cluster) == text
    assert (live(cluster)[PASSWORD], live(cluster)[USER]) == ("old", "me")


def test_a_rewrite_that_broke_off_is_finished_by_finding_the_sources_again():
    cluster = stopped(properties=f"{URL}=jdbc:old\n{PASSWORD}=${{env:word}}\n", container=WHOLE)
    cluster.add_secret("credentials", word="old")
    plan = find(cluster, contact_points=NEW_URL, password="new")
    apply_rewrite(cluster, replace(plan, objects=plan.objects[:1]))
    again = find(cluster, contact_points=NEW_URL, password="new")
    assert [item.kind for item in again.objects] == ["secrets"]
    apply_rewrite(cluster, again)
    assert find(cluster, contact_points=NEW_URL, password="new").objects == ()


def test_who_made_an_object_and_who_else_reads_it_is_told():
    cluster = stopped(properties=f"{URL}=jdbc:old\n{PASSWORD}=${{env:word}}\n", container=WHOLE)
    cluster.add_secret("credentials", word="1")
    other = {"name": "ledger", "env": [{"name": "W", "valueFrom": {"secretKeyRef": {"name": "credentials", "key": "word"}}}]}
    template = {"spec": {"containers": [other]}}
    labels = {INSTANCE_LABEL: "ledger", APP_LABEL: "ledger"}
    cluster.add("deployments", {"metadata": {"name": "ledger-node", "labels": labels}, "spec": {"template": template}})
    config_map = cluster.objects["configmaps"]["orders-scalardb-cluster-properties"]["metadata"]
    config_map["labels"] = {"app.kubernetes.io/managed-by": "Helm", "kustomize.toolkit.fluxcd.io/name": "apps"}
    config_map["annotations"] = {
        "meta.helm.sh/release-name": "orders",
        "argocd.argoproj.io/tracking-id": "shop:/ConfigMap:scalar/orders",
    }
    config, secret = find(cluster, contact_points=NEW_URL, password="new").objects
    assert config.owners == ("Helm release orders", "Argo CD application shop", "Flux Kustomization apps")
    assert (config.also_used_by, secret.owners, secret.also_used_by) == ((), (), ("ledger-node",))


def test_no_value_old_or_new_is_shown_or_written_by_accident():
    cluster = stopped(properties=f"{PASSWORD}=old-word\n")
    plan = find(cluster, password="new-word")
    (edit,) = plan.objects[0].edits
    for shown in (repr(plan), str(plan), f"{edit.old} {edit.new!r}"):
        assert "word" not in shown.replace("scalar.db.password", "")
    for write in (to_record, json.dumps, pickle.dumps):
        with pytest.raises(TypeError):
            write(edit.new)
    assert edit.new.reveal() == "new-word"
    assert edit.new == SecretText("new-word")
    assert len({edit.new, SecretText("new-word"), edit.old}) == 2
