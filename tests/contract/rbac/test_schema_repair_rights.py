"""infra/kubernetes/schema-repair.yaml, beside rbac.yaml, is enough and no more for a repair of a schema: made, failed, removed,
made again and ended well."""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.sandbox.cluster.api.resources import JOBS, PODS
from shared.clusters.api import KubernetesApi
from shared.clusters.schema_repair import SchemaRepairInClusters
from shared.model.checks import CheckStatus
from shared.model.errors import Forbidden
from shared.model.plan import Release, SchemaLoader
from shared.model.records import replace
from shared.model.schema_repair import RepairProgress, RepairSource
from shared.scalar.repair_source import find_repair_source
from shared.system_clock import SystemClock
from tests.contract.live_cluster import CONTROL_PLANES, NAMESPACE, LiveCluster, live_cluster
from tests.contract.rbac.recorder import Recorder, Right
from tests.contract.rbac.rights_file import apply, documents, rights, without

BACKUP, RESTORE, REPAIR = "scalar-backup", "scalar-restore", "scalar-schema-repair"
FILE = Path(__file__).parents[3] / "infra" / "kubernetes" / "schema-repair.yaml"
SCHEMA = "orders-schema"
UNDER_TEST = SchemaLoader(schema=f"{SCHEMA}/schema.json")
LONGEST_SECONDS = 30.0
_runs = itertools.count()


@pytest.fixture(scope="module", params=CONTROL_PLANES)
def cluster(request: pytest.FixtureRequest) -> Iterator[LiveCluster]:
    with live_cluster(request.param) as cluster:
        metadata = {"name": SCHEMA, "namespace": NAMESPACE}
        cluster.admin.apply([{"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"schema.json": "{}"}}])
        yield cluster


@pytest.fixture(scope="module")
def role(cluster: LiveCluster) -> KubernetesApi:
    cluster.admin.apply(documents(cluster))
    api, every = cluster.sign_in(BACKUP, RESTORE), file()
    apply(cluster, every, max(rights(every, REPAIR)), api, granted=True)
    return api


def file() -> list[dict[str, Any]]:
    return [*yaml.safe_load_all(FILE.read_text())]


class Repair:
    """The product's own, whose Schema Loader is the tests' program: it fails in the first Job and ends well in the second."""

    def __init__(self, recorder: Recorder, cluster: LiveCluster, **of_the_source: Any) -> None:
        self._recorder, self._made, self._of_the_source = recorder, 0, of_the_source
        self.release = replace(cluster.release, schema_loader=UNDER_TEST)
        self.room = SchemaRepairInClusters(lambda _: recorder, self._source, SystemClock())
        self._run = f"run-{next(_runs)}"

    def _source(self, release: Release) -> RepairSource:
        self._made += 1
        source = find_repair_source(self._recorder, release)
        ends = {"SAY": f"Job {self._made}", "EXIT_AFTER": "0.05", "EXIT_CODE": "1" if self._made == 1 else "0"}
        more = tuple({"name": name, "value": value} for name, value in ends.items())
        return replace(source, environment=(*source.environment, *more), **self._of_the_source)

    def until(self, is_so: Callable[[RepairProgress], object], reached: RepairProgress | None = None) -> RepairProgress:
        """Raises Forbidden."""
        ends = time.monotonic() + LONGEST_SECONDS
        while True:
            reached = self.room.advance(self.release, self._run, reached)
            if is_so(reached):
                return reached
            assert time.monotonic() < ends, reached.message
            time.sleep(0.05)


def repair(recorder: Recorder, cluster: LiveCluster) -> tuple[RepairProgress, RepairProgress]:
    """How it failed, and how it ended. Raises Forbidden."""
    work = Repair(recorder, cluster)
    failed = work.until(lambda reached: reached.problem)
    return failed, work.until(lambda reached: reached.done, failed)


def test_a_repair_is_refused_nothing_and_uses_every_right_it_has(cluster: LiveCluster, role: KubernetesApi) -> None:
    recorder = Recorder(role)
    failed, done = repair(recorder, cluster)
    assert recorder.refused == set()
    assert recorder.used - rights(documents(cluster), BACKUP) == rights(file(), REPAIR)
    assert "BackoffLimitExceeded: Job has reached the specified backoff limit" in failed.problem
    # What the Schema Loader is called with comes after its own line.
    options = ("--config", "/scalar-backup/database.properties", "-f", "/scalar-backup-schema/schema.json")
    assert failed.log == ("Job 1", *options, "--coordinator", "--repair-all")
    assert done.log[0] == "Job 2"
    assert [job["metadata"]["name"] for job in cluster.admin.list_objects(JOBS, NAMESPACE)].count(done.job) == 1


def test_a_repair_cannot_do_without_any_of_its_rights_and_the_check_names_what_is_missing(
    cluster: LiveCluster, role: KubernetesApi
) -> None:
    every = file()
    to_spare: list[Right] = []
    for right in sorted(rights(every, REPAIR)):
        apply(cluster, without(every, right, REPAIR), right, role, granted=False)
        recorder = Recorder(role)
        try:
            repair(recorder, cluster)
        except Forbidden as error:
            assert right[2] in error.message  # noqa: PT017  a log that is refused is told in the progress, and raises nothing
        if right not in recorder.refused:
            to_spare.append(right)
        (check,) = Repair(Recorder(role), cluster).room.check([replace(cluster.release, schema_loader=UNDER_TEST)])
        assert (check.status, f"{right[2]} {right[1]}" in check.detail) == (CheckStatus.FAILED, True), check.detail
        apply(cluster, every, right, role, granted=True)
    assert to_spare == []


def test_a_schema_file_that_is_not_there_holds_the_job_and_nothing_is_repaired(
    cluster: LiveCluster, role: KubernetesApi
) -> None:
    work = Repair(Recorder(role), cluster)
    work.release = replace(work.release, schema_loader=SchemaLoader(schema="missing/schema.json"))
    reached = work.until(lambda reached: reached.job)

    def holds(pods: list[dict[str, Any]]) -> bool:
        states = [pod["status"].get("containerStatuses", [{}])[0].get("state", {}) for pod in pods if is_of(pod)]
        return any('configmap "missing" not found' in state.get("waiting", {}).get("message", "") for state in states)

    def is_of(pod: dict[str, Any]) -> bool:
        return bool(pod["metadata"]["labels"].get("job-name") == reached.job)

    cluster.admin.wait_until(PODS, NAMESPACE, holds, "the pod waits for its ConfigMap")
    held = work.until(lambda reached: True, reached)
    assert not held.done
    assert 'configmap "missing" not found' in held.message
    (check,) = work.room.check([work.release])
    assert (check.status, "ConfigMap missing does not exist" in check.detail) == (CheckStatus.FAILED, True), check.detail
    cluster.admin.delete(JOBS, NAMESPACE, reached.job)


class LateClock:
    """Of whoever looks long after the Job's deadline, which nobody has enforced."""

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(hours=1)


@pytest.mark.parametrize(
    ("of_the_source", "held_up_by"),
    [
        ({"container_image": "registry.invalid/node:3.19.0"}, "ErrImagePull|ImagePullBackOff"),
        ({"node_selector": {"no": "node"}}, "has no node: 0/"),
    ],
)
def test_a_job_that_nobody_ends_has_failed_past_its_deadline_although_its_pod_has_no_log(
    cluster: LiveCluster, role: KubernetesApi, of_the_source: dict[str, Any], held_up_by: str
) -> None:
    work = Repair(Recorder(role), cluster, **of_the_source)
    reached = work.until(lambda reached: re.search(held_up_by, reached.waits_for))
    work.room = SchemaRepairInClusters(lambda _: role, lambda _: pytest.fail("it is there"), LateClock())
    failed = work.until(lambda reached: True, reached)
    assert "it has not ended by its deadline" in failed.problem
    assert re.search(f"It was never started: .*({held_up_by})", failed.problem)
    cluster.admin.delete(JOBS, NAMESPACE, reached.job)


def test_an_image_that_cannot_be_pulled_fails_the_repair_at_its_deadline(cluster: LiveCluster, role: KubernetesApi) -> None:
    work = Repair(Recorder(role), cluster)
    image = "registry.invalid/scalardb-schema-loader:3.19.0"
    work.release = replace(work.release, schema_loader=replace(UNDER_TEST, image=image))
    reached = work.until(lambda reached: "pull" in reached.waits_for.lower())
    cluster.admin.patch(JOBS, NAMESPACE, reached.job, {"spec": {"activeDeadlineSeconds": 1}})
    failed = work.until(lambda reached: reached.problem, reached)
    assert "DeadlineExceeded: Job was active longer than specified deadline" in failed.problem
    assert "It was never started: container schema-loader of pod" in failed.problem
    assert "registry.invalid" in failed.problem
    assert not failed.done
    cluster.admin.delete(JOBS, NAMESPACE, reached.job)
