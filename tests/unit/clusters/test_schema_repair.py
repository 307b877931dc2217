"""The Schema Loader as a Job beside a release: what it runs with, waited for, its log kept, a failure told and tried again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from shared.clusters.schema_repair import NAME, SchemaRepairInClusters
from shared.clusters.schema_repair_job import LABELS, image_of, job_document, job_name
from shared.model.checks import CheckStatus
from shared.model.errors import Forbidden, NotReady, Unreachable
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


IMAGE = {"reason": "ImagePullBackOff", "message": 'Back-off pulling image "ghcr.io/x:1"'}
NO_NODE = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes are available."}
DEADLINE = {"reason": "DeadlineExceeded", "message": "Job was active longer than specified deadline"}


class Jobs:
    """A cluster that runs one Job: it ends when told to, as told to. `log` may be the error of whoever reads it."""

    def __init__(self, source: RepairSource = SOURCE) -> None:
        self.source, self.moment = source, NOW
        self.job: dict[str, Any] | None = None
        self.log, self.made, self.denied = "", 0, set()
        self.pods: list[dict[str, Any]] = []
        self.config_maps = {"orders-schema": {"data": {"schema.json": "{}"}}}
        self.repair = SchemaRepairInClusters(lambda _: self, lambda _: self.source, self)

    def now(self):
        return self.moment

    def get(self, kind, namespace, name):
        assert namespace == NAMESPACE
        if kind == "configmaps":
            return self.config_maps.get(name)
        assert kind == "jobs"
        return self.job if self.job and self.job["metadata"]["name"] == name else None

    def list(self, kind, namespace, labels):
        assert labels == {"job-name": job_name(RELEASE.key, RUN)}
        return ObjectList(items=tuple(self.pods), resource_version="1")

    def create(self, kind, namespace, document):
        self.made, self.job = self.made + 1, document
        self.pods = [{"metadata": {"name": "pod-1", "creationTimestamp": "1"}, "spec": {}, "status": {}}]
        return document

    def delete(self, kind, namespace, name):
        self.job, self.pods = None, []

    def pod_log(self, namespace, pod, lines):
        if isinstance(self.log, Exception):
            raise self.log
        return self.log

    def can_i(self, verb, resource, namespace, *, name=""):
        return f"{verb} {resource}" not in self.denied

    def pod_waits(self, waiting=None, *conditions):
        statuses = [{"name": "schema-loader", "state": {"waiting": waiting} if waiting else {"running": {}}}]
        self.pods[0]["status"] = {"conditions": [*conditions], **({} if conditions else {"containerStatuses": statuses})}

    def pod_is_deleted_at_the_deadline(self):
        self.pods, self.job["status"] = [], {"failed": 1}
        self.job["status"]["conditions"] = [{"type": "Failed", "status": "True", **DEADLINE}]

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


@pytest.mark.parametrize(
    ("waits", "said"),
    [
        ((IMAGE,), 'container schema-loader of pod pod-1 waits: ImagePullBackOff: Back-off pulling image "ghcr.io/x:1"'),
        (({"reason": "ContainerCreating"},), "waits: ContainerCreating (kubectl -n scalar describe pod pod-1 says more)"),
        ((None, NO_NODE), "pod pod-1 has no node: 0/3 nodes are available"),
    ],
)
def test_what_holds_up_its_pod_is_told_while_it_waits_and_when_the_deadline_has_taken_the_pod_away(waits, said):
    jobs = Jobs()
    reached = jobs.advance()
    jobs.pod_waits(*waits)
    waiting = jobs.advance(reached)
    assert waiting.message == f"{RELEASE.key}: the Schema Loader has not been started yet: {waiting.waits_for}."
    assert said in waiting.message
    jobs.pods[0] = {"metadata": {**jobs.pods[0]["metadata"], "deletionTimestamp": "2"}, "spec": {}, "status": {}}
    waiting = jobs.advance(waiting)
    jobs.pod_is_deleted_at_the_deadline()
    failed = jobs.advance(waiting)
    assert "(DeadlineExceeded: Job was active longer than specified deadline)" in failed.problem
    assert f"It was never started: {waiting.waits_for}." in failed.problem
    assert said in failed.problem
    anew = jobs.advance(jobs.advance(failed))
    assert (anew.problem, anew.waits_for) == ("", "")


def test_what_has_held_it_up_is_forgotten_once_it_runs():
    jobs = Jobs()
    reached = jobs.advance()
    jobs.pod_waits(IMAGE)
    reached = jobs.advance(reached)
    jobs.pod_waits()
    running = jobs.advance(reached)
    assert (running.waits_for, running.message) == ("", f"{RELEASE.key}: the Schema Loader repairs the tables.")
    jobs.pod_is_deleted_at_the_deadline()
    assert "Its last lines: nothing." in jobs.advance(running).problem


def test_a_job_that_may_not_make_a_pod_says_where_to_look():
    jobs = Jobs()
    reached = jobs.advance()
    jobs.pods = []
    waiting = jobs.advance(reached)
    assert f"its Job has made no pod (kubectl -n scalar describe job {reached.job} says why)" in waiting.message
    jobs.end("Failed", **DEADLINE)
    assert "It was never started: its Job has made no pod" in jobs.advance(waiting).problem


@pytest.mark.parametrize("refusal", [NotReady("it waits"), Forbidden("it waits"), Unreachable("it waits")])
@pytest.mark.parametrize("end", ["Complete", "Failed"])
def test_a_log_that_cannot_be_read_does_not_keep_the_end_from_being_told(refusal, end):
    jobs = Jobs()
    reached = jobs.advance()
    jobs.pod_waits()
    jobs.end(end, log=refusal)
    ended = jobs.advance(reached)
    assert (ended.done, bool(ended.problem)) == (end == "Complete", end == "Failed")
    assert ended.log == ("(its log cannot be read: it waits)",)


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


@pytest.mark.parametrize(
    ("config_maps", "said"),
    [
        ({}, "ConfigMap orders-schema does not exist in namespace scalar"),
        ({"orders-schema": {}}, "ConfigMap orders-schema has no key schema.json, but nothing"),
        ({"orders-schema": {"data": {"b.json": "", "a.json": ""}}}, "has no key schema.json, but a.json, b.json"),
    ],
)
def test_a_schema_file_that_is_not_there_is_a_failed_check(config_maps, said):
    jobs = Jobs()
    jobs.config_maps = config_maps
    (check,) = jobs.repair.check([RELEASE])
    assert (check.status, said in check.detail) == (CheckStatus.FAILED, True), check.detail
    assert "kubectl -n scalar create configmap orders-schema --from-file=schema.json=" in check.hint


def test_scalardl_needs_no_schema_file_in_the_cluster():
    jobs = Jobs(LEDGER)
    jobs.config_maps = {}
    (check,) = jobs.repair.check([replace(RELEASE, schema_loader=SchemaLoader())])
    assert check.status == CheckStatus.OK


def test_a_schema_file_that_is_no_text_counts_as_there():
    jobs = Jobs()
    jobs.config_maps = {"orders-schema": {"binaryData": {"schema.json": "e30="}}}
    assert [check.status for check in jobs.repair.check([RELEASE])] == [CheckStatus.OK]


def test_progress_survives_the_catalog():
    progress = Jobs().advance()
    assert from_record(to_record(progress), RepairProgress) == progress
