"""Plans as their owners write them: what is read, what is refused, and in which words."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from shared.model.errors import InvalidPlan
from shared.model.plan import (
    AksCluster,
    AuroraCluster,
    BackupSettings,
    CosmosAccount,
    CutOver,
    Database,
    DynamoDb,
    EksCluster,
    FlexibleServer,
    PauseSettings,
    Plan,
    RdsCluster,
    RdsInstance,
    Release,
    Retention,
    Schedule,
    TlsSettings,
)
from shared.model.plan_document import EXAMPLE, parse_plan, plan_document, plan_schema

MINIMAL: dict[str, Any] = {key: EXAMPLE[key] for key in ("name", "releases", "databases")}


KEYS = ("name", "releases", "participants", "databases", "two_phase_commit", "pause", "backup", "schedule", "retention")
PARTICIPANT: dict[str, Any] = {
    "name": "orders-api",
    "cluster": EXAMPLE["releases"][0]["cluster"],
    "namespace": "scalar",
    "selector": "app=orders-api",
    "admin_port": 60053,
}
AKS = {"aks": "prod", "resource_group": "rg", "subscription": "0f8fad5b-d9cb-469f-a165-70867728950e"}


def changed(**changes: Any) -> dict[str, Any]:
    return copy.deepcopy(EXAMPLE) | changes


def problems(document: Any) -> list[str]:
    with pytest.raises(InvalidPlan) as refused:
        parse_plan(document)
    return [line.strip() for line in refused.value.message.splitlines()[1:]]


def refusal(text: str) -> str:
    with pytest.raises(InvalidPlan) as refused:
        parse_plan(text)
    return str(refused.value)


def test_the_example_says_what_it_looks_like() -> None:
    plan = parse_plan(yaml.safe_dump(EXAMPLE))
    assert plan == Plan(
        name="orders-prod",
        releases=(
            Release(cluster=EksCluster(name="prod-tokyo", region="ap-northeast-1"), namespace="scalar", helm_release="orders"),
        ),
        databases=(DynamoDb(region="ap-northeast-1"),),
        pause=PauseSettings(hold_seconds=10, drain_seconds=65, max_pause_seconds=180, attempts=3),
        backup=BackupSettings(kept_copy=True),
        schedule=Schedule(cron="0 3 * * *", timezone="Asia/Tokyo"),
        retention=Retention(keep_days=35, keep_at_least=7),
    )


def test_what_is_left_out_has_the_defaults_of_the_model() -> None:
    plan = parse_plan(MINIMAL)
    assert (plan.pause, plan.backup, plan.retention) == (PauseSettings(), BackupSettings(), Retention())
    assert plan.schedule is None


def test_json_is_read_like_yaml() -> None:
    assert parse_plan(json.dumps(EXAMPLE)) == parse_plan(EXAMPLE)


names = st.from_regex(r"[a-z0-9-]{1,40}", fullmatch=True)
labels = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)
regions = st.sampled_from(["ap-northeast-1", "us-gov-west-1", "eu-central-2"])
clusters = st.builds(
    EksCluster, name=st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,20}", fullmatch=True), region=regions
) | st.builds(AksCluster, name=labels, resource_group=labels, subscription=st.uuids().map(str))
tls_settings = st.builds(
    TlsSettings,
    enabled=st.none() | st.booleans(),
    ca_secret=st.just("") | labels.map(lambda name: f"{name}/ca.crt"),
    server_name=st.just("") | labels,
) | st.builds(TlsSettings, ca_pem=st.just("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"))
releases = st.builds(
    Release, cluster=clusters, namespace=labels, helm_release=labels, admin_port=st.none() | st.integers(1, 65535),
    tls=tls_settings,
)  # fmt: skip
participants = st.builds(
    Release, cluster=clusters, namespace=st.just("apps"), helm_release=labels, admin_port=st.integers(1, 65535),
    selector=labels.map(lambda value: f"app.kubernetes.io/name={value}"),
)  # fmt: skip
tables = st.lists(st.from_regex(r"[a-zA-Z0-9_.-]{3,30}", fullmatch=True), max_size=3, unique=True).map(tuple)
databases = st.builds(DynamoDb, region=regions, tables=tables)
pauses = st.builds(
    PauseSettings,
    hold_seconds=st.integers(1, 100).map(float),
    drain_seconds=st.floats(1, 90).map(lambda value: round(value, 3)),
    max_pause_seconds=st.integers(215, 600).map(float),
    attempts=st.integers(1, 10),
    margin_seconds=st.floats(0, 10).map(lambda value: round(value, 2)),
    transport=st.sampled_from(["auto", "direct", "port-forward"]),
    strict=st.booleans(),
)
schedules = st.builds(
    Schedule, cron=st.sampled_from(["0 3 * * *", "*/5 * * * 1"]), timezone=st.sampled_from(["Asia/Tokyo", "Etc/UTC"])
)


@given(
    st.builds(
        Plan,
        name=names,
        releases=st.tuples(
            st.lists(releases, min_size=1, max_size=3, unique_by=lambda item: item.key),
            st.lists(participants, max_size=2, unique_by=lambda item: item.key),
        )
        .map(lambda both: (*both[0], *both[1]))
        .filter(lambda items: len({item.key for item in items}) == len(items)),
        two_phase_commit=st.booleans(),
        databases=st.lists(databases, min_size=1, max_size=3, unique_by=lambda item: item.key).map(tuple),
        pause=pauses,
        backup=st.builds(BackupSettings, kept_copy=st.booleans()),
        schedule=st.none() | schedules,
        retention=st.builds(Retention, keep_days=st.integers(1, 4000), keep_at_least=st.integers(1, 100)),
    )
)
def test_every_plan_survives_being_written_and_read(plan: Plan) -> None:
    assert parse_plan(plan_document(plan)) == plan
    assert parse_plan(yaml.safe_dump(plan_document(plan))) == plan


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (changed(retension={}), "retension: unknown key; did you mean 'retention'?"),
        (changed(pause={"hodl": "10s"}), "pause.hodl: unknown key; did you mean 'hold'?"),
        (changed(zebra=1), f"zebra: unknown key; known here: {', '.join(KEYS)}"),
        (
            changed(databases=[{"dynamodb": {"region": "eu-west-1", "table": ["a.b"]}}]),
            "databases[0].dynamodb.table: unknown key; did you mean 'tables'?",
        ),
        (
            changed(databases=[{"dynamdb": {"region": "eu-west-1"}}]),
            "databases[0].dynamdb: unknown key; did you mean 'dynamodb'?",
        ),
    ],
)
def test_an_unknown_key_is_answered_with_the_one_that_was_meant(document: dict[str, Any], said: str) -> None:
    assert problems(document) == [said]


def test_all_problems_are_told_at_once_with_path_and_example() -> None:
    found = problems(
        changed(
            name="Orders Prod",
            pause={"hold": "0s", "attempts": 11},
            schedule={"cron": "0 3 * *", "timezone": "Tokyo"},
            retention={"keep_days": 0, "keep_at_least": "7"},
        )
    )
    starts = [
        "name: 'Orders Prod' has characters or a length that are not allowed here",
        "pause.hold: '0s' is less than 1s (for example hold: 10s)",
        "pause.attempts: 11 is more than 10 (for example attempts: 3)",
        "schedule.cron: '0 3 * *' has 4 fields",
        "schedule.timezone: 'Tokyo' is not an IANA time zone such as Asia/Tokyo",
        "retention.keep_days: 0 is less than 1 (for example keep_days: 35)",
        "retention.keep_at_least: input should be a valid integer, not '7' (for example keep_at_least: 7)",
    ]
    assert [line[: len(start)] for line, start in zip(found, starts, strict=True)] == starts


def test_an_unknown_kind_of_database_is_refused_with_those_there_are() -> None:
    assert problems(changed(databases=[{"oracle": {"region": "eu-west-1"}}])) == [
        "databases[0].oracle: unknown key; known here: dynamodb, rds, aurora, cosmos, mysql, postgresql"
    ]


def test_an_entry_with_two_kinds_is_refused() -> None:
    entry = {"dynamodb": {"region": "eu-west-1"}, "aurora": {"cluster": "orders", "region": "eu-west-1"}}
    (said,) = problems(changed(databases=[entry]))
    assert said.startswith("databases[0]: an entry has dynamodb and aurora; each has exactly one of dynamodb, rds, aurora")


@pytest.mark.parametrize("keys", [{}, {"instance": "orders-db", "cluster": "orders-mazc"}])
def test_rds_is_an_instance_or_a_cluster(keys: dict[str, str]) -> None:
    (said,) = problems(changed(databases=[{"rds": {"region": "eu-west-1", **keys}}]))
    assert said.startswith("databases[0].rds: give one of instance (a DB instance) and cluster (a Multi-AZ DB cluster)")


@pytest.mark.parametrize("identifier", ["Orders", "1orders", "orders--db", "orders-", "o" * 64])
def test_an_identifier_that_rds_would_refuse_is_refused(identifier: str) -> None:
    (said,) = problems(changed(databases=[{"rds": {"region": "eu-west-1", "instance": identifier}}]))
    assert said.startswith("databases[0].rds.instance: ")


SUBSCRIPTION = "0f8fad5b-d9cb-469f-a165-70867728950e"
GROUP = {"resource_group": "rg", "subscription": SUBSCRIPTION}


@pytest.mark.parametrize(
    ("entry", "database"),
    [
        ({"rds": {"instance": "db", "region": "eu-west-1"}}, RdsInstance(region="eu-west-1", instance="db")),
        (
            {"rds": {"cluster": "mazc", "region": "eu-west-1", "snapshot": True}},
            RdsCluster(region="eu-west-1", cluster="mazc", snapshot=True),
        ),
        (
            {"aurora": {"cluster": "au", "region": "eu-west-1", "cut_over": "endpoint"}},
            AuroraCluster(region="eu-west-1", cluster="au", cut_over=CutOver.ENDPOINT),
        ),
        ({"cosmos": {"account": "acc", **GROUP}}, CosmosAccount(account="acc", **GROUP)),
        ({"mysql": {"server": "srv", **GROUP}}, FlexibleServer(engine="mysql", server="srv", **GROUP)),
        (
            {"postgresql": {"server": "srv", **GROUP, "snapshot": True}},
            FlexibleServer(engine="postgresql", server="srv", snapshot=True, **GROUP),
        ),
    ],
)
def test_every_kind_of_database_is_read_and_written_back(entry: dict[str, Any], database: Database) -> None:
    plan = parse_plan(changed(databases=[entry]))
    assert plan.databases == (database,)
    assert plan_document(plan)["databases"] == [entry]


def release_section(**changes: Any) -> dict[str, Any]:
    return copy.deepcopy(EXAMPLE["releases"][0]) | changes


def test_an_aks_cluster_is_named_by_its_resource_group_and_subscription() -> None:
    plan = parse_plan(changed(releases=[release_section(cluster=AKS)]))
    assert plan.releases[0].cluster == AksCluster(name="prod", resource_group="rg", subscription=AKS["subscription"])


@pytest.mark.parametrize(
    ("cluster", "said"),
    [
        ({"aks": "prod", "resource_group": "rg"}, "releases[0].cluster: subscription is missing beside aks and resource_group"),
        ({"eks": "prod"}, "releases[0].cluster: region is missing beside eks"),
        ({}, "releases[0].cluster: eks and region is missing"),
        (AKS | {"eks": "prod"}, "releases[0].cluster: names an EKS and an AKS cluster at once"),
        (AKS | {"subscription": "mine"}, "releases[0].cluster.subscription: 'mine' has characters or a length"),
    ],
)
def test_a_cluster_that_is_named_incompletely_is_told_what_is_missing(cluster: dict[str, Any], said: str) -> None:
    (found,) = problems(changed(releases=[release_section(cluster=cluster)]))
    assert found.startswith(said)


def test_a_participant_joins_the_releases_by_its_labels_and_port() -> None:
    plan = parse_plan(changed(participants=[PARTICIPANT]))
    assert [(item.helm_release, item.is_participant) for item in plan.releases] == [("orders", False), ("orders-api", True)]
    assert plan.releases[1].selector_labels == {"app": "orders-api"}
    assert plan.releases[1].admin_port == 60053


def test_a_participant_with_the_name_of_a_release_is_refused() -> None:
    (said,) = problems(changed(participants=[PARTICIPANT | {"name": "orders"}]))
    assert said.startswith("participants: release or participant named more than once: ap-northeast-1/prod-tokyo/scalar/orders")


@pytest.mark.parametrize("selector", ["app", "app in (a, b)", "app!=x", "", "app=a,", "=a"])
def test_a_selector_that_is_more_than_equality_is_refused(selector: str) -> None:
    (said,) = problems(changed(participants=[PARTICIPANT | {"selector": selector}]))
    assert said.startswith("participants[0].selector: ")


def test_a_participant_with_tls_needs_a_ca() -> None:
    (said,) = problems(changed(participants=[PARTICIPANT | {"tls": {"enabled": True}}]))
    assert said.startswith("participants[0]: tls needs ca_pem, ca_secret or ca_config_map")


def test_the_ca_of_a_release_comes_from_one_place() -> None:
    tls = {"ca_secret": "a/ca.crt", "ca_config_map": "b/ca.crt"}
    (said,) = problems(changed(releases=[release_section(tls=tls)]))
    assert said.startswith("releases[0].tls: ca_secret and ca_config_map are given; the CA comes from one of them")


def test_a_secret_is_named_with_its_key() -> None:
    (said,) = problems(changed(releases=[release_section(tls={"ca_secret": "orders-tls-cert"})]))
    assert said.startswith("releases[0].tls.ca_secret: 'orders-tls-cert' has characters or a length that are not allowed here")


def test_a_transport_that_does_not_exist_is_answered_with_those_that_do() -> None:
    (said,) = problems(changed(pause={"transport": "tunnel"}))
    assert said.startswith("pause.transport: 'tunnel' is not known here; known are 'auto', 'direct' or 'port-forward'")


@pytest.mark.parametrize("pause", [{"hold": "91s"}, {"max_pause": "99s"}])
def test_hold_and_drain_must_fit_into_the_longest_pause(pause: dict[str, str]) -> None:
    (said,) = problems(changed(pause=pause))
    assert said.startswith("pause: hold ")
    assert "is more than max_pause" in said


def test_hold_and_drain_may_fill_the_longest_pause_exactly() -> None:
    assert parse_plan(changed(pause={"hold": "90s"})).pause.hold_seconds == 90


def test_no_drain_may_outlast_what_a_silent_connection_survives() -> None:
    (said,) = problems(changed(pause={"drain": "121s", "max_pause": "10m"}))
    assert said.startswith("pause.drain: '121s' is more than 2m")


def test_no_pause_may_be_longer_than_ten_minutes() -> None:
    assert problems(changed(pause={"max_pause": "601s"})) == [
        "pause.max_pause: '601s' is more than 10m (for example max_pause: 3m)"
    ]


@pytest.mark.parametrize("key", ["releases", "databases"])
def test_a_plan_without_releases_or_databases_is_refused(key: str) -> None:
    (said,) = problems(changed(**{key: []}))
    assert said.startswith(f"{key}: needs at least one entry (for example")


def test_a_release_named_twice_is_refused() -> None:
    (said,) = problems(changed(releases=EXAMPLE["releases"] * 2))
    assert said.startswith("releases: release named more than once: ap-northeast-1/prod-tokyo/scalar/orders")


def test_a_database_named_twice_is_refused() -> None:
    (said,) = problems(changed(databases=EXAMPLE["databases"] * 2))
    assert said.startswith("databases: database named more than once: dynamodb:ap-northeast-1")


def test_a_table_named_twice_is_refused() -> None:
    (said,) = problems(changed(databases=[{"dynamodb": {"region": "eu-west-1", "tables": ["a.b", "a.b"]}}]))
    assert said.startswith("databases[0].dynamodb.tables: table named more than once: a.b")


@pytest.mark.parametrize("name", ["", "a" * 41, "Orders", "orders_prod", "orders prod", "orders\n"])
def test_a_name_that_the_catalog_cannot_carry_is_refused(name: str) -> None:
    assert len(problems(changed(name=name))) == 1


def test_a_value_that_yaml_reads_as_something_else_is_refused_with_the_remedy() -> None:
    text = yaml.safe_dump(EXAMPLE).replace("namespace: scalar", "namespace: 123")
    assert "releases[0].namespace: must be a text, not 123; put it in quotes (for example namespace: scalar)" in refusal(text)


@pytest.mark.parametrize("value", [None, "text", 3, ["list"]])
def test_a_section_that_is_no_mapping_is_refused(value: object) -> None:
    (said,) = problems(changed(pause=value))
    assert said.startswith(f"pause: must be a mapping of keys, not {value!r}")


@pytest.mark.parametrize("value", [{"a": 1}, "text", 3])
def test_releases_that_are_no_list_are_refused(value: object) -> None:
    (said,) = problems(changed(releases=value))
    assert said.startswith("releases: must be a list, not")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name: a\nname: b\n", "line 2, column 1: key 'name' is written twice"),
        ("pause: {hold: 1s, hold: 2s}", "line 1, column 19: key 'hold' is written twice"),
        ("name: [a,\n b", "line 2, column 3: "),
        ("a: &x {b: 1}\nc: *x\n", "line 2, column 4: a text that begins with * needs quotes"),
        ("schedule:\n  cron: * 3 * * *\n", "line 2, column 10: a text that begins with * needs quotes"),
        ("? [a, b]\n: 1\n", "line 1, column 3: a key must be plain text"),
        ("a: 1\n---\nb: 2\n", "line 2, column 1: "),
        ("day: 2026-02-30", "day is out of range for month"),
        ("[" * 5000, "nested too deeply"),
        ("a: \x00", "special characters are not allowed"),
        ("a: !!python/object:os.system {}", "could not determine a constructor"),
        ("", "The plan is empty."),
        ("- a", "The plan is a list, not a mapping."),
        ("orders", "The plan is a text, not a mapping."),
        ("#" * 1_000_001, "is it the right file?"),
    ],
)
def test_a_file_that_is_no_plan_is_refused_with_its_line(text: str, said: str) -> None:
    assert said in refusal(text)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_whatever_is_given_is_refused_as_an_invalid_plan(document: Any) -> None:
    with pytest.raises(InvalidPlan):
        parse_plan({"name": "x", "releases": document, "databases": document, "pause": document})


def test_the_schema_describes_every_key_with_an_example() -> None:
    schema = plan_schema()
    sections = [schema, *schema["$defs"].values()]
    for section in sections:
        assert section["additionalProperties"] is False
        for key, described in section["properties"].items():
            assert "examples" in described, key
            assert "description" in described or "$ref" in described, key


def test_the_schemas_defaults_are_those_of_the_model() -> None:
    pause = plan_schema()["$defs"]["PauseSection"]["properties"]
    document = plan_document(parse_plan(MINIMAL))
    assert {key: described["default"] for key, described in pause.items()} == document["pause"]
