"""The pause journal: which pods a run is about to pause, written before the first Pause is sent and closed when every pod was
shown to be running again. Whoever finds an open entry knows what to resume, also when everything else has crashed."""

from __future__ import annotations

from shared.model.plan import Cluster
from shared.model.pods import AdminTarget
from shared.model.records import Value
from shared.model.times import Instant


class JournalRelease(Value):
    """One release of the entry. All releases of a `stage` are paused at once; stage 0 is the first (see `pause_order`)."""

    key: str
    cluster: Cluster
    namespace: str
    helm_release: str
    product: str
    targets: tuple[AdminTarget, ...]
    stage: int = 0


class PauseJournal(Value):
    """`resume_by` is when the watchdog steps in. `not_ours` are the uids of pods that are never resumed for this entry: their
    pause belongs to somebody else, or they were never sent one.

    `settles_at` is when a Pause whose answer was lost can no longer take effect on a server.

    `closed_by` is `run`, `watchdog` or `operator`, and empty while the entry is open.
    """

    plan: str
    run: str
    attempt: int
    token: int
    opened_at: Instant
    resume_by: Instant
    settles_at: Instant | None = None
    releases: tuple[JournalRelease, ...]
    not_ours: tuple[str, ...] = ()
    closed_at: Instant | None = None
    closed_by: str = ""

    @property
    def is_open(self) -> bool:
        return self.closed_at is None

    @property
    def pause_stages(self) -> tuple[tuple[AdminTarget, ...], ...]:
        """The pods stage by stage, in the order in which the stages are paused."""
        numbers = sorted({release.stage for release in self.releases})
        return tuple(
            tuple(target for release in self.releases if release.stage == number for target in release.targets)
            for number in numbers
        )

    @property
    def resume_stages(self) -> tuple[tuple[AdminTarget, ...], ...]:
        """The pods that are ours to resume, stage by stage, in the opposite order of the pause."""
        ours = (tuple(target for target in stage if target.uid not in self.not_ours) for stage in reversed(self.pause_stages))
        return tuple(stage for stage in ours if stage)

    @property
    def left_alone(self) -> tuple[str, ...]:
        """The names of the pods that are not ours."""
        return tuple(target.pod for stage in self.pause_stages for target in stage if target.uid in self.not_ours)

    @property
    def to_resume(self) -> tuple[AdminTarget, ...]:
        """All of `resume_stages`, in that order."""
        return tuple(target for stage in self.resume_stages for target in stage)
