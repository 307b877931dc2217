"""The watch on the pods: what it sees, where it goes on, and when it says that it cannot vouch for the whole time."""

from __future__ import annotations

import threading
import time

import pytest

from shared.model.errors import Forbidden, HistoryExpired, Throttled, Unreachable
from shared.model.kubernetes import WatchEvent
from shared.model.records import replace
from shared.scalar import pod_watch
from shared.scalar.releases import ReleasesInClusters
from tests.unit.scalar.cluster import Cluster, FixedClock, Stream, bookmark, event, release_named

KEY = "ap-northeast-1/prod-tokyo/scalar/orders"


@pytest.fixture(autouse=True)
def _quick_retries(monkeypatch):
    monkeypatch.setattr(pod_watch, "FIRST_BACKOFF_SECONDS", 0.001)
    monkeypatch.setattr(pod_watch, "BETWEEN_STREAMS_SECONDS", 0.001)


@pytest.fixture
def cluster():
    found = Cluster()
    found.install("scalardb-cluster", replicas=1)
    return found


@pytest.fixture
def releases(cluster):
    return ReleasesInClusters(cluster, FixedClock())


@pytest.fixture
def snapshots(releases):
    return releases.observe([release_named()])


@pytest.fixture
def pod(cluster):
    return next(iter(cluster.objects["pods"].values()))


def until(condition, seconds=10):
    """Waits for what another thread does."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.001)


def test_events_are_reported_while_the_watch_runs(cluster, releases, snapshots, pod):
    stream = Stream(event("MODIFIED", pod, "201"))
    cluster.streams = [stream]
    with releases.watch(snapshots) as watch:
        until(lambda: watch.report().events)
        stream.feed(event("DELETED", pod, "202"))
        until(lambda: len(watch.report().events) == 2)
        report = watch.report()
    assert [(item.release, item.type) for item in report.events] == [(KEY, "MODIFIED"), (KEY, "DELETED")]
    assert report.events[0].pod == replace(snapshots[0].pods[0], resource_version="201")
    assert (report.positions, report.broken) == ({KEY: "202"}, "")


def test_the_watch_begins_at_the_snapshot_and_sees_only_the_products_pods(cluster, releases, snapshots):
    cluster.streams = [Stream()]
    with releases.watch(snapshots):
        until(lambda: cluster.watched)
    labels = {"app.kubernetes.io/instance": "orders", "app.kubernetes.io/app": "scalardb-cluster"}
    assert cluster.watched[0] == (labels, snapshots[0].resource_version, pod_watch.SERVER_TIMEOUT_SECONDS)


def test_a_report_never_waits_for_the_stream(releases, snapshots):
    with releases.watch(snapshots) as watch:
        report = watch.report()
    assert (report.events, report.broken) == ((), "")


def test_leaving_the_context_closes_the_stream_and_ends_the_thread(cluster, releases, snapshots):
    stream = Stream()
    cluster.streams = [stream]
    with releases.watch(snapshots) as watch:
        until(lambda: cluster.watched)
    assert stream.closed
    assert not [thread for thread in threading.enumerate() if thread.name == f"watch {KEY}"]
    assert watch.report().broken == ""


def test_a_stream_that_the_server_ended_goes_on_from_the_last_position_bookmarks_included(cluster, releases, snapshots, pod):
    cluster.streams = [Stream(bookmark("300"), None), Stream(event("ADDED", pod, "301"), None), Stream()]
    with releases.watch(snapshots) as watch:
        until(lambda: len(cluster.watched) == 3)
        report = watch.report()
    assert [version for _, version, _ in cluster.watched] == [snapshots[0].resource_version, "300", "301"]
    assert (len(report.events), report.broken) == (1, "")


@pytest.mark.parametrize("error", [Unreachable("cut"), Throttled("slow down")], ids=lambda error: error.code)
def test_a_broken_stream_that_can_be_continued_is_no_gap(cluster, releases, snapshots, pod, error):
    cluster.streams = [Stream(event("ADDED", pod, "301"), error), error, Stream(event("DELETED", pod, "302"))]
    with releases.watch(snapshots) as watch:
        until(lambda: len(watch.report().events) == 2)
        assert watch.report().broken == ""
    assert [version for _, version, _ in cluster.watched] == [snapshots[0].resource_version, "301", "301"]


def test_a_stream_that_cannot_be_continued_is_broken_with_the_reason(cluster, releases, snapshots):
    cluster.streams = [Unreachable("api.example did not answer") for _ in range(pod_watch.TRIES)]
    with releases.watch(snapshots) as watch:
        until(lambda: watch.report().broken)
        assert watch.report().broken == f"{KEY}: Unreachable: api.example did not answer"
    assert len(cluster.watched) == pod_watch.TRIES


@pytest.mark.parametrize("error", [HistoryExpired("too old"), Forbidden("pods")], ids=lambda error: error.code)
@pytest.mark.parametrize("is_in_stream", [True, False])
def test_what_no_retry_can_heal_breaks_the_watch_at_once(cluster, releases, snapshots, error, is_in_stream):
    cluster.streams = [Stream(error) if is_in_stream else error]
    with releases.watch(snapshots) as watch:
        until(lambda: watch.report().broken)
        assert error.code in watch.report().broken
    assert len(cluster.watched) == 1


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_event_that_nobody_understands_breaks_the_watch_instead_of_being_lost(cluster, releases, snapshots, pod):
    cluster.streams = [Stream(WatchEvent("ERROR", pod))]
    with releases.watch(snapshots) as watch:
        until(lambda: watch.report().broken)
        assert "error of its own" in watch.report().broken


def test_a_connection_that_breaks_because_we_close_it_is_not_a_gap(cluster, releases, snapshots):
    class Breaks(Stream):
        def close(self):
            self.feed(Unreachable("closed under us"))

    cluster.streams = [Breaks()]
    with releases.watch(snapshots) as watch:
        until(lambda: cluster.watched)
    assert watch.report().broken == ""


def test_catching_up_gives_what_happened_since_the_positions(cluster, releases, snapshots, pod):
    cluster.streams = [Stream(event("DELETED", pod, "401"), bookmark("405"), None)]
    report = releases.catch_up({KEY: "400"}, snapshots)
    assert cluster.watched[0][1:] == ("400", pod_watch.CATCH_UP_SECONDS)
    assert ([item.type for item in report.events], report.positions, report.broken) == (["DELETED"], {KEY: "405"}, "")


def test_catching_up_without_a_position_begins_at_the_snapshot(cluster, releases, snapshots):
    cluster.streams = [Stream(None)]
    report = releases.catch_up({}, snapshots)
    assert report.positions == {KEY: snapshots[0].resource_version}


def test_catching_up_with_a_history_that_expired_is_broken_and_not_silent(cluster, releases, snapshots):
    cluster.streams = [HistoryExpired("too old resource version")]
    assert releases.catch_up({}, snapshots).broken == f"{KEY}: HistoryExpired: too old resource version"


def test_catching_up_tries_a_broken_stream_once_more_from_where_it_was(cluster, releases, snapshots, pod):
    cluster.streams = [Stream(event("ADDED", pod, "401"), Unreachable("cut")), Stream(event("DELETED", pod, "402"), None)]
    report = releases.catch_up({}, snapshots)
    assert ([item.type for item in report.events], report.broken) == (["ADDED", "DELETED"], "")
    cluster.streams = [Unreachable("cut"), Unreachable("cut")]
    assert "Unreachable" in releases.catch_up({}, snapshots).broken


def test_releases_are_followed_side_by_side_and_one_gap_is_enough(cluster, releases, pod):
    cluster.install("ledger", "ledger", replicas=1)
    both = releases.observe([release_named(), release_named("ledger")])
    cluster.streams = [Stream(event("MODIFIED", pod, "401"), None), HistoryExpired("too old")]
    report = releases.catch_up({}, both)
    assert len(report.events) == 1
    assert len(report.positions) == 2
    assert "HistoryExpired" in report.broken
