"""The pause journal: which pods a run is about to pause, written before the first Pause is sent and closed when every pod was
shown to be running again. Whoever finds an open entry knows what to resume, also when everything else has crashed."""

from __future__ import annotations

from shared.model.plan import Cluster
from shared.model.pods import AdminTarget
from shared.model.records import Value
from shared.model.times import Instant


class JournalRelease(Value):
    """One release of the entry, in the order in which its pods are paused."""

    key: str
    cluster: Cluster
    namespace: str
    helm_release: str
    product: str
    targets: tuple[AdminTarget, ...]


class PauseJournal(Value):
    """`resume_by` is when the watchdog steps in. `not_ours` names pods whose pause belongs to somebody else: never resumed.

    `closed_by` is `run`, `watchdog` or `operator`, and empty while the entry is open.
    """

    plan: str
    run: str
    attempt: int
    token: int
    opened_at: Instant
    resume_by: Instant
    releases: tuple[JournalRelease, ...]
    not_ours: tuple[str, ...] = ()
    closed_at: Instant | None = None
    closed_by: str = ""

    @property
    def is_open(self) -> bool:
        return self.closed_at is None

    @property
    def to_resume(self) -> tuple[AdminTarget, ...]:
        """In the opposite order of the pause."""
        return tuple(
            target for release in reversed(self.releases) for target in release.targets if target.pod not in self.not_ours
        )
