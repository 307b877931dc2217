"""The Schema Loader as a Job beside a release: what it runs with, waited for, its log kept, a failure told and tried again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from shared.clusters.schema_repair import NAME, SchemaRepairInClusters
from shared.clusters.schema_repair_job import LABELS, image_of, job_document, job_name
from shared.model.checks import CheckStatus
from shared.model.errors import NotReady
from shared.model.kubernetes import ObjectList
from shared.model.plan import EksCluster, Release, SchemaLoader
from shared.model.records import from_record, replace, to_record
from shared.model.schema_repair import RepairProgress, RepairSource
from tests.unit.clusters.one_deployment import NAMESPACE, NOW

RUN = "orders-20261124T040000Z-1f2e3d4c"
RELEASE = Release(
    cluster=EksCluster(name="prod-tokyo", region="ap-northeast-1"),
    namespace=NAMESPACE,
    helm_release="orders",
    schema_loader=SchemaLoader(schema="orders-schema/schema.json"),
)
SOURCE = RepairSource(
    namespace=NAMESPACE,
    title="ScalarDB Cluster",
    schema_type="",
    config_map="orders-properties",
    key="scalardb-cluster-node.properties",
    container_image="ghcr.io/scalar-labs/scalardb-cluster-node-byol-premium:3.16.1",
    environment=({"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "account", "key": "key"}}},),
    environment_from=({"secretRef": {"name": "more"}},),
    pull_secrets=("reg-docker-secrets",),
)
LEDGER = replace(
    SOURCE,
    title="ScalarDL Ledger",
    schema_type="ledger",
    key="ledger.properties.tmpl",
    is_template=True,
    container_image="ghcr.io/scalar-labs/scalardl-ledger:3.10.0",
)


class Jobs:
    """A cluster that runs one Job: it ends when told to, as told to."""

    def __init__(self, source: RepairSource = SOURCE) -> None:
        self.source, self.moment = source, NOW
        self.job: dict[str, Any] | None = None
        self.log, self.made, self.denied = "", 0, set()
        self.repair = SchemaRepairInClusters(lambda _: self, lambda _: self.source, self)

    def now(self):
        return self.moment

    def get(self, kind, namespace, name):
        assert (kind, namespace) == ("jobs", NAMESPACE)
        return self.job if self.job and self.job["metadata"]["name"] == name else None

    def list(self, kind, namespace, labels):
        assert labels == {"job-name": job_name(RELEASE.key, RUN)}
        pods = ({"metadata": {"name": "pod-1", "creationTimestamp": "1"}},) if self.job else ()
        return ObjectList(items=pods, resource_version="1")

    def create(self, kind, namespace, document):
        self.made, self.job = self.made + 1, document
        return document

    def delete(self, kind, namespace, name):
        self.job = None

    def pod_log(self, namespace, pod, lines):
        return self.log

    def can_i(self, verb, resource, namespace, *, name=""):
        return f"{verb} {resource}" not in self.denied

    def end(self, type_, log="", **more):
        self.log = log
        self.job["status"] = {"conditions": [{"type": type_, "status": "True", **more}]}

    def advance(self, previous=None):
        return self.repair.advance(RELEASE, RUN, previous)


def test_the_job_is_made_once_waited_for_and_its_log_is_kept():
    jobs = Jobs()
    first = jobs.advance()
    assert (first.done, first.wait_seconds, jobs.made) == (False, 3.0, 1)
    # The answer of the call that made it was lost.
    again = jobs.advance(None)
    assert (again.done, jobs.made) == (False, 1)
    jobs.end("Complete", "Repairing bank.account\nscalar.db.password=hunter2\ndone\n")
    done = jobs.advance(again)
    assert (done.done, done.log) == (True, ("Repairing bank.account", "scalar.db.password=…", "done"))
    jobs.job = None
    assert jobs.advance(done) == done


def test_a_failure_is_told_with_its_last_lines_and_the_call_after_that_tries_again():
    jobs = Jobs()
    reached = jobs.advance()
    jobs.end("Failed", "starting\nThe table bank.account does not exist\n", reason="BackoffLimitExceeded")
    failed = jobs.advance(reached)
    assert not failed.done
    assert "BackoffLimitExceeded" in failed.problem
    assert "Its last lines: starting | The table bank.account does not exist." in failed.problem
    removing = jobs.advance(failed)
    assert (removing.done, jobs.job, removing.wait_seconds) == (False, None, 3.0)
    anew = jobs.advance(removing)
    assert (anew.problem, jobs.made) == ("", 2)
    jobs.end("Complete")
    assert jobs.advance(anew).done


def test_a_job_that_never_ends_is_a_failure_after_its_deadline():
    jobs = Jobs()
    reached = jobs.advance()
    jobs.moment += timedelta(hours=1)
    assert "has not ended by its deadline" in jobs.advance(reached).problem


def test_the_job_reads_what_the_release_reads_and_is_not_taken_for_one_of_its_pods():
    spec = job_document(RELEASE.key, RUN, SOURCE, RELEASE.schema_loader)
    pod = spec["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["image"] == "ghcr.io/scalar-labs/scalardb-schema-loader:3.16.1"
    assert container["args"][-2:] == ["--coordinator", "--repair-all"]
    assert (container["env"], container["envFrom"]) == ([*SOURCE.environment], [*SOURCE.environment_from])
    mounted = {volume["configMap"]["name"]: volume["configMap"]["items"] for volume in pod["volumes"]}
    assert mounted == {
        "orders-properties": [{"key": "scalardb-cluster-node.properties", "path": "database.properties"}],
        "orders-schema": [{"key": "schema.json", "path": "schema.json"}],
    }
    assert (spec["spec"]["backoffLimit"], pod["restartPolicy"], pod["securityContext"]["runAsNonRoot"]) == (0, "Never", True)
    labels = {**spec["metadata"]["labels"], **spec["spec"]["template"]["metadata"]["labels"]}
    assert labels == LABELS
    assert not {"app.kubernetes.io/app", "app.kubernetes.io/instance"} & set(labels)
    assert pod["imagePullSecrets"] == [{"name": "reg-docker-secrets"}]


@pytest.mark.parametrize(("schema_type", "coordinator"), [("ledger", True), ("auditor", False)])
def test_scalardl_has_its_schema_in_the_image_and_renders_its_own_properties(schema_type, coordinator):
    document = job_document(RELEASE.key, RUN, replace(LEDGER, schema_type=schema_type), SchemaLoader())
    (container,) = document["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "ghcr.io/scalar-labs/scalardl-schema-loader:3.10.0"
    assert {"name": "SCHEMA_TYPE", "value": schema_type} in container["env"]
    assert ("--coordinator" in container["args"], container["args"][-1]) == (coordinator, "--repair-all")
    assert container["volumeMounts"][0]["mountPath"] == "/scalardl-schema-loader/database.properties.tmpl"


def test_the_plan_may_name_the_image_and_has_to_where_none_can_be_derived():
    assert image_of(SOURCE, SchemaLoader(image="mirror/loader:1")) == "mirror/loader:1"
    assert image_of(replace(SOURCE, container_image="localhost:5000/node:3.9"), SchemaLoader()) == (
        "localhost:5000/scalardb-schema-loader:3.9"
    )
    for image in ("", "node", "node:latest", "node@sha256:abc"):
        with pytest.raises(NotReady, match="does not name a version"):
            image_of(replace(SOURCE, container_image=image), SchemaLoader())


def test_before_a_restore_each_reason_why_it_could_not_be_run_is_a_failed_check():
    jobs = Jobs()
    assert [check.status for check in jobs.repair.check([RELEASE])] == [CheckStatus.OK]
    assert jobs.made == 0
    (check,) = jobs.repair.check([replace(RELEASE, schema_loader=SchemaLoader())])
    assert (check.name, "does not say where the schema file is" in check.detail) == (NAME, True)
    jobs.denied = {"create jobs", "get pods/log"}
    (check,) = jobs.repair.check([RELEASE])
    assert "create jobs, get pods/log" in check.detail
    assert "infra/kubernetes/schema-repair.yaml" in check.hint
    jobs.source = replace(SOURCE, is_template=True)
    (check,) = jobs.repair.check([RELEASE])
    assert "are a template" in check.detail


def test_progress_survives_the_catalog():
    progress = Jobs().advance()
    assert from_record(to_record(progress), RepairProgress) == progress
