"""The watch on a release's pods, on API servers that are busy, forgetful, cut off or away: what it has not seen is never
*unchanged*."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from infra.sandbox.cluster.api.resources import PODS
from infra.sandbox.cluster.process import STAND_IN
from shared.clusters.api import KubernetesApi
from shared.model.pods import ReleaseSnapshot, WatchReport, judge_events
from shared.scalar import pod_watch
from shared.scalar.releases import ReleasesInClusters
from tests.contract.live_cluster import NAMESPACE, LiveCluster, rooms

_versions = itertools.count()


@pytest.fixture
def api(cluster: LiveCluster) -> KubernetesApi:
    cluster.settle()
    return cluster.sign_in("system:masters")


@pytest.fixture
def releases(api: KubernetesApi) -> ReleasesInClusters:
    return rooms(api)


@pytest.fixture
def before(cluster: LiveCluster, releases: ReleasesInClusters) -> tuple[ReleaseSnapshot, ...]:
    return releases.observe([cluster.release])


def eventually(is_so: Callable[[], Any], what: str, seconds: float = 20.0) -> None:
    ends = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < ends, f"not so within {seconds:.0f} s: {what}"
        time.sleep(0.01)


def annotate(cluster: LiveCluster, pod: str) -> None:
    cluster.admin.annotate(PODS, NAMESPACE, pod, {"seen": str(next(_versions))})


def create_pod(cluster: LiveCluster, name: str, labels: dict[str, str]) -> None:
    """One that no node runs."""
    spec = {"nodeName": "elsewhere", "containers": [{"name": "c", "image": "x:1"}]}
    metadata = {"name": name, "namespace": NAMESPACE, "labels": labels}
    cluster.admin.create({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})


def let_history_go_on(cluster: LiveCluster) -> None:
    """Beyond the position of a watch on the release, which is not told of this."""
    name = f"of-another-release-{next(_versions)}"
    create_pod(cluster, name, {"app": "other"})
    cluster.admin.delete_pod(NAMESPACE, name, grace_seconds=0)


def codes(before: tuple[ReleaseSnapshot, ...], report: WatchReport) -> set[str]:
    return {change.code for change in judge_events(before, report)}


def test_a_storm_of_events_is_seen_to_the_last_one_and_a_pod_that_came_and_went_stands_out(
    cluster: LiveCluster, releases: ReleasesInClusters, before: tuple[ReleaseSnapshot, ...]
) -> None:
    pods = [pod.name for pod in before[0].pods]
    labels = cluster.pods()[0]["metadata"]["labels"]
    with releases.watch(before) as watch:
        with ThreadPoolExecutor(4) as threads:
            storm = [threads.submit(annotate, cluster, pods[number % len(pods)]) for number in range(400)]
            create_pod(cluster, "stranger", labels)
            cluster.admin.delete_pod(NAMESPACE, "stranger", grace_seconds=0)
            for each in storm:
                each.result()
        eventually(lambda: len(modified(watch.report(), pods)) == 400, "all 400 changes are reported")
        report = watch.report()
    assert codes(before, report) == {"pod-added", "pod-removed"}
    assert report.broken == ""


def modified(report: WatchReport, pods: list[str]) -> list[str]:
    return [event.pod.resource_version for event in report.events if event.type == "MODIFIED" and event.pod.name in pods]


def test_a_bookmark_moves_a_quiet_release_along_so_that_its_position_does_not_expire(
    cluster: LiveCluster,
    releases: ReleasesInClusters,
    before: tuple[ReleaseSnapshot, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # A real API server sends one two seconds before a stream ends, give or take a second of its own timer.
    monkeypatch.setattr(pod_watch, "SERVER_TIMEOUT_SECONDS", 6)
    key, first = cluster.release.key, before[0].resource_version
    with releases.watch(before) as watch:
        let_history_go_on(cluster)
        eventually(lambda: watch.report().positions[key] != first, "a bookmark has come", 100)
        assert codes(before, watch.report()) == set()


def test_a_watch_that_is_cut_goes_on_from_where_it_was_and_misses_nothing(
    cluster: LiveCluster, releases: ReleasesInClusters, before: tuple[ReleaseSnapshot, ...]
) -> None:
    victim = before[0].pods[0].name
    with releases.watch(before) as watch:
        annotate(cluster, victim)
        eventually(lambda: watch.report().events, "the watch is under way")
        cluster.admin.cut_watches()
        cluster.admin.delete_pod(NAMESPACE, victim, grace_seconds=0)
        eventually(lambda: "pod-removed" in codes(before, watch.report()), "the deletion after the cut is seen")
        assert watch.report().broken == ""


def test_a_history_that_is_forgotten_in_the_middle_is_unknown_and_voids_the_window(
    cluster: LiveCluster, releases: ReleasesInClusters, before: tuple[ReleaseSnapshot, ...]
) -> None:
    with releases.watch(before) as watch:
        annotate(cluster, before[0].pods[0].name)
        eventually(lambda: watch.report().events, "the watch is under way")
        let_history_go_on(cluster)
        cluster.admin.compact()  # a real API server restarts for it, and is away meanwhile
        cluster.admin.cut_watches()
        eventually(lambda: watch.report().broken, "the watch says that it has lost sight")
        assert "watch-broken" in codes(before, watch.report())
    later = releases.catch_up({}, before)
    assert later.broken.startswith(f"{cluster.release.key}: HistoryExpired")
    assert codes(before, later) == {"watch-broken"}


@pytest.mark.parametrize("cluster", [STAND_IN], indirect=True, scope="module")  # a real one cannot be told to fail
def test_an_api_server_that_stays_away_is_unknown_and_voids_the_window(
    cluster: LiveCluster, releases: ReleasesInClusters, before: tuple[ReleaseSnapshot, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pod_watch, "FIRST_BACKOFF_SECONDS", 0.01)
    with releases.watch(before) as watch:
        annotate(cluster, before[0].pods[0].name)
        eventually(lambda: watch.report().events, "the watch is under way")
        cluster.admin.add_fault(verb="watch", resource="pods", namespace=NAMESPACE, status=503, times=100)
        cluster.admin.cut_watches()
        eventually(lambda: watch.report().broken, "the watch says that it has lost sight")
        cluster.admin.clear_faults()
        assert "watch-broken" in codes(before, watch.report())
