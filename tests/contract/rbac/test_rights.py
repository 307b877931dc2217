"""infra/kubernetes/rbac.yaml is enough and no more: a backup and a restore do everything they do to a cluster with its rights,
and with any single one of them taken out, something of theirs is refused."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from shared.clusters.api import KubernetesApi
from shared.clusters.deployments import advance_start, advance_stop
from shared.clusters.rivals import find_rivals
from shared.model.errors import Conflict, Forbidden
from shared.model.secret_text import SecretText
from shared.scalar import pod_watch
from shared.scalar.endpoint_rewrite import apply_rewrite
from shared.scalar.endpoint_sources import find_sources
from tests.contract.live_cluster import CONTROL_PLANES, NAMESPACE, POD_COUNT, LiveCluster, live_cluster, rooms
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
    """Every call to the cluster that a restore makes: rivals, stop, new endpoint and credentials, start. Raises Forbidden."""
    deployment = recorder.get("deployments", NAMESPACE, cluster.deployment)
    find_rivals(recorder, deployment)
    stopped = None
    for _ in _looks():
        stopped = advance_stop(recorder, NAMESPACE, cluster.deployment, datetime.now(UTC), stopped)
        if stopped.done:
            break
    assert stopped is not None
    number = next(_endpoints)
    wanted = {
        "scalar.db.contact_points": SecretText(f"jdbc:postgresql://restored-{number}:5432/orders"),
        "scalar.db.username": SecretText(f"app-{number}"),
        "scalar.db.password": SecretText(f"secret-{number}"),
    }
    for _ in _looks():
        try:
            apply_rewrite(recorder, find_sources(recorder, cluster.release, wanted))
            break
        except Conflict:
            continue  # the Deployment's controller wrote its status in between: look again, as a restore does
    started = None
    for _ in _looks():
        started = await advance_start(recorder, stopped, _all_serve, started)
        if started.done:
            break


async def _all_serve(_: Sequence[Any]) -> Mapping[str, str]:
    return {}


def _looks() -> Iterator[None]:
    ends = time.monotonic() + LONGEST_WAIT_SECONDS
    while time.monotonic() < ends:
        yield
        time.sleep(0.05)
    raise AssertionError(f"the Deployment is not there after {LONGEST_WAIT_SECONDS} s")


def put_back(cluster: LiveCluster) -> None:
    """The release runs again, whatever a refused restore left behind."""
    cluster.admin.scale(NAMESPACE, cluster.deployment, POD_COUNT)
    cluster.settle()


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
