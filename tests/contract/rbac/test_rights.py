"""infra/kubernetes/rbac.yaml is enough and no more: a backup and a restore do everything they do to a cluster with its rights,
and with any single one of them taken out, something of theirs is refused."""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest

from infra.sandbox.cluster.api.resources import CONFIG_MAPS
from shared.clusters.api import KubernetesApi
from shared.clusters.applications import ApplicationsInClusters
from shared.model.checks import failures
from shared.model.errors import Conflict, Forbidden
from shared.model.plan import Release
from shared.model.restore import EndpointMove
from shared.model.secret_text import SecretText
from shared.model.stop_start import StopProgress
from shared.scalar import pod_watch
from shared.scalar.endpoint_rewrite import apply_rewrite
from shared.scalar.endpoint_sources import find_sources
from shared.scalar.endpoints import EndpointsInClusters
from shared.scalar.stoppable import find_stoppable
from shared.system_clock import SystemClock
from tests.contract.live_cluster import CONTROL_PLANES, NAMESPACE, PARTICIPANT, POD_COUNT, LiveCluster, live_cluster, rooms
from tests.contract.rbac.recorder import Recorder
from tests.contract.rbac.rights_file import apply, documents, rights, without

BACKUP, RESTORE, ENDPOINTS = "scalar-backup", "scalar-restore", "scalar-restore-endpoints"
LONGEST_WAIT_SECONDS = 30.0
_endpoints = itertools.count()


@pytest.fixture(scope="module", params=CONTROL_PLANES)
def cluster(request: pytest.FixtureRequest) -> Iterator[LiveCluster]:
    with live_cluster(request.param) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def backup_role(cluster: LiveCluster) -> KubernetesApi:
    return _member(cluster, BACKUP)


@pytest.fixture(scope="module")
def restore_role(cluster: LiveCluster) -> KubernetesApi:
    return _member(cluster, BACKUP, RESTORE)


def _member(cluster: LiveCluster, *groups: str) -> KubernetesApi:
    every = documents(cluster)
    api = cluster.sign_in(*groups)
    apply(cluster, every, max(rights(every, *groups)), api, granted=True)
    return api


@pytest.fixture(autouse=True)
def _quick_catch_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pod_watch, "CATCH_UP_SECONDS", 1)


def back_up(recorder: Recorder, cluster: LiveCluster) -> None:
    """Every call to the cluster that a backup makes. Raises Forbidden; a watch that is refused is in the recorder only."""
    releases, of_the_plan = rooms(recorder), [cluster.release, cluster.participant]
    before = releases.observe(of_the_plan)
    releases.storage(of_the_plan)
    with releases.watch(before) as watch:
        releases.catch_up(watch.report().positions, before)
    assert len(releases.living(before[0].targets)) == POD_COUNT


async def restore(recorder: Recorder, cluster: LiveCluster) -> None:
    """Every call to the cluster that a restore makes: looks, stops, leads to a new endpoint and new credentials, starts. Raises
    Forbidden, also for what the looks have found to be forbidden."""
    applications, endpoints = _rooms_of_a_restore(recorder)
    releases, moves = [cluster.release, cluster.participant], [_move(cluster)]
    found = [*applications.rivals(releases), *endpoints.find([cluster.release], moves)]
    if forbidden := [item for item in failures(found) if "not granted" in item.detail]:
        raise Forbidden(forbidden[0].detail)
    assert applications.replicas(releases) == {cluster.release.key: POD_COUNT, cluster.participant.key: 1}
    stopped = {release.key: _stopped(applications, release) for release in releases}
    for _ in _looks():
        try:
            endpoints.lead(cluster.release, moves)
            apply_rewrite(recorder, find_sources(recorder, cluster.release, _credentials()))
            break
        except Conflict:
            continue  # the Deployment's controller wrote its status in between: look again, as a restore does
    for release in releases:
        started = None
        for _ in _looks():
            started = await applications.start(release, stopped[release.key], started)
            if started.done:
                break


def _rooms_of_a_restore(recorder: Recorder) -> tuple[ApplicationsInClusters, EndpointsInClusters]:
    def find_deployment(release: Release) -> tuple[str, str]:
        metadata = find_stoppable(recorder, release)["metadata"]
        return metadata["namespace"], metadata["name"]

    clock = SystemClock()
    return (
        ApplicationsInClusters(lambda _: recorder, find_deployment, lambda _: _all_serve, clock),
        EndpointsInClusters(lambda _: recorder, clock),
    )


def _move(cluster: LiveCluster) -> EndpointMove:
    """From wherever the restore before has led it."""
    (text,) = cluster.admin.get(CONFIG_MAPS, NAMESPACE, cluster.config_map)["data"].values()
    host = re.findall(r"//([\w-]+):5432", text)[0]
    return EndpointMove(old=host, new=f"restored-{next(_endpoints)}", old_port=5432, new_port=5432)


def _credentials() -> dict[str, SecretText]:
    """Not what a restore on AWS changes, but what one on Azure does."""
    number = next(_endpoints)
    return {f"scalar.db.{name}": SecretText(f"{name}-{number}") for name in ("username", "password")}


def _stopped(applications: ApplicationsInClusters, release: Release) -> StopProgress:
    stopped = applications.stop(release, None)
    for _ in _looks():
        stopped = applications.stop(release, stopped)
        if stopped.done:
            break
    return stopped


async def _all_serve(_: Sequence[Any]) -> Mapping[str, str]:
    return {}


def _looks() -> Iterator[None]:
    ends = time.monotonic() + LONGEST_WAIT_SECONDS
    while time.monotonic() < ends:
        yield
        time.sleep(0.05)
    raise AssertionError(f"the Deployment is not there after {LONGEST_WAIT_SECONDS} s")


def put_back(cluster: LiveCluster) -> None:
    """The applications run again, whatever a refused restore left behind."""
    cluster.admin.scale(NAMESPACE, cluster.deployment, POD_COUNT)
    cluster.admin.scale(NAMESPACE, PARTICIPANT, 1)
    cluster.settle()
    cluster.admin.wait_until_ready(NAMESPACE, PARTICIPANT, 60)


def test_a_backup_is_refused_nothing_and_uses_every_right_it_has(cluster: LiveCluster, backup_role: KubernetesApi) -> None:
    recorder = Recorder(backup_role)
    back_up(recorder, cluster)
    assert recorder.refused == set()
    assert recorder.used == rights(documents(cluster), BACKUP)


def test_a_backup_cannot_do_without_any_of_its_rights(cluster: LiveCluster, backup_role: KubernetesApi) -> None:
    every = documents(cluster)
    to_spare = []
    for right in sorted(rights(every, BACKUP)):
        apply(cluster, without(every, right, BACKUP), right, backup_role, granted=False)
        recorder = Recorder(backup_role)
        try:
            back_up(recorder, cluster)
        except Forbidden as error:
            assert right[2] in error.message  # noqa: PT017  the watch raises nothing, so this is not always reached
        if right not in recorder.refused:
            to_spare.append(right)
        apply(cluster, every, right, backup_role, granted=True)
    assert to_spare == []


async def test_a_restore_is_refused_nothing_and_uses_every_right_it_has(
    cluster: LiveCluster, restore_role: KubernetesApi
) -> None:
    recorder = Recorder(restore_role)
    await restore(recorder, cluster)
    every = documents(cluster)
    assert recorder.refused == set()
    assert recorder.used <= rights(every, BACKUP, RESTORE, ENDPOINTS)
    assert recorder.used >= rights(every, RESTORE, ENDPOINTS)


async def test_a_restore_cannot_do_without_any_of_its_rights(cluster: LiveCluster, restore_role: KubernetesApi) -> None:
    every = documents(cluster)
    to_spare = []
    for right in sorted(rights(every, RESTORE, ENDPOINTS)):
        apply(cluster, without(every, right, RESTORE, ENDPOINTS), right, restore_role, granted=False)
        recorder = Recorder(restore_role)
        try:
            await restore(recorder, cluster)
        except Forbidden:
            put_back(cluster)
        if right not in recorder.refused:
            to_spare.append(right)
        apply(cluster, every, right, restore_role, granted=True)
    assert to_spare == []
