"""Follows what happens to the pods of several releases, one thread each, and says when it cannot vouch for the whole time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from types import TracebackType

from shared.model.errors import BackupError, HistoryExpired, Temporary
from shared.model.kubernetes import WatchEvent
from shared.model.plan import Cluster
from shared.model.pods import PodEvent, PodEventType, ReleaseSnapshot, WatchReport
from shared.scalar.cluster_reader import ClusterReader, WatchStream
from shared.scalar.pod_state import pod_state
from shared.scalar.workload import pod_labels

SERVER_TIMEOUT_SECONDS = 60
"""How long the API server keeps one watch open. A stream that ends is continued from where it was."""
CATCH_UP_SECONDS = 2
"""How long a catch-up listens: everything that has already happened is delivered at once."""
TRIES = 4
"""How often in a row a stream may fail before the watch counts as broken."""
TRIES_CATCHING_UP = 2
BETWEEN_STREAMS_SECONDS = 0.1
"""Against a server that ends every stream at once."""
FIRST_BACKOFF_SECONDS = 0.2
CLOSE_SECONDS = 2.0
BOOKMARK = "BOOKMARK"


class Follower:
    """One release's events from a resourceVersion on. `run` is a thread's work; the rest may be called from any thread."""

    def __init__(self, snapshot: ReleaseSnapshot, position: str, open_cluster: Callable[[Cluster], ClusterReader]) -> None:
        self.key = snapshot.release.key
        self._snapshot = snapshot
        self._open_cluster = open_cluster
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._stream: WatchStream | None = None
        self._events: list[PodEvent] = []
        self._position = position
        self._broken = ""

    def run(self, server_timeout_seconds: int, *, once: bool = False) -> None:
        """Follows until `close`; with `once` until one stream has come to its regular end, and with less patience."""
        is_regular_end = False
        try:
            self._follow(server_timeout_seconds, once)
            is_regular_end = True
        except BackupError as error:
            self._break(f"{error.code}: {error.message}")
            is_regular_end = True
        finally:
            if not is_regular_end:
                self._break("the watching thread ended with an error of its own; its traceback is in the log")

    def close(self) -> None:
        self._stop.set()
        with self._lock:
            stream = self._stream
        if stream is not None:
            stream.close()

    def report(self) -> WatchReport:
        """What was seen so far. Never blocks: the lock is held only to copy."""
        with self._lock:
            broken = f"{self.key}: {self._broken}" if self._broken else ""
            return WatchReport(events=tuple(self._events), positions={self.key: self._position}, broken=broken)

    def _follow(self, server_timeout_seconds: int, once: bool) -> None:
        failures = 0
        while not self._stop.is_set():
            before = self._position
            try:
                self._follow_one_stream(server_timeout_seconds)
            except HistoryExpired:
                raise
            except Temporary:
                # A watch that goes on from the last position misses nothing; one that got further begins counting anew.
                failures = failures + 1 if self._position == before else 1
                if failures >= (TRIES_CATCHING_UP if once else TRIES):
                    raise
                self._stop.wait(FIRST_BACKOFF_SECONDS * 2 ** (failures - 1))
                continue
            failures = 0
            if once:
                return
            self._stop.wait(BETWEEN_STREAMS_SECONDS)

    def _follow_one_stream(self, server_timeout_seconds: int) -> None:
        release = self._snapshot.release
        labels = pod_labels(release, self._snapshot.product)
        stream = self._open_cluster(release.cluster).watch(
            "pods", release.namespace, labels, self._position, server_timeout_seconds
        )
        with self._lock:
            self._stream = stream
        try:
            if not self._stop.is_set():
                for event in stream:
                    self._take(event)
        except Temporary:
            # Closing our own end may look like a broken connection.
            if not self._stop.is_set():
                raise
        finally:
            stream.close()

    def _take(self, event: WatchEvent) -> None:
        position = event.object["metadata"]["resourceVersion"]
        found = None
        if event.type != BOOKMARK:
            found = PodEvent(release=self.key, type=PodEventType(event.type), pod=pod_state(event.object))
        with self._lock:
            self._position = position
            if found:
                self._events.append(found)

    def _break(self, why: str) -> None:
        with self._lock:
            self._broken = why


class ReleasesWatch:
    """A running watch (the port `PodWatch`), and the context that ends it."""

    def __init__(self, followers: Iterable[Follower]) -> None:
        self._followers = list(followers)
        self._threads = [
            threading.Thread(
                target=follower.run, args=(SERVER_TIMEOUT_SECONDS,), name=f"watch {follower.key}", daemon=True
            )
            for follower in self._followers
        ]  # fmt: skip

    def __enter__(self) -> ReleasesWatch:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        for follower in self._followers:
            follower.close()
        for thread in self._threads:
            thread.join(CLOSE_SECONDS)

    def report(self) -> WatchReport:
        return merge(follower.report() for follower in self._followers)


def catch_up(followers: Iterable[Follower]) -> WatchReport:
    """What happened since each follower's position, after one short stream each."""
    running = list(followers)
    threads = [
        threading.Thread(
            target=follower.run, args=(CATCH_UP_SECONDS,), kwargs={"once": True}, name=f"catch up {follower.key}", daemon=True
        )
        for follower in running
    ]  # fmt: skip
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return merge(follower.report() for follower in running)


def merge(reports: Iterable[WatchReport]) -> WatchReport:
    found = list(reports)
    positions: dict[str, str] = {}
    for report in found:
        positions |= dict(report.positions)
    events = tuple(event for report in found for event in report.events)
    return WatchReport(events=events, positions=positions, broken="; ".join(report.broken for report in found if report.broken))
