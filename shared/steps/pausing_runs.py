"""Whose pause it is that a check found: a pod can only say that it is paused, the journal knows by which run."""

from __future__ import annotations

from collections.abc import Iterable

from shared.model.checks import CheckResult, CheckStatus, failed
from shared.model.journal import PauseJournal
from shared.model.times import iso
from shared.steps.ports import Catalog

NOT_PAUSED = "not-paused"
"""The check of the port `Admin` that fails for a paused pod; its subject is the pod's name."""


def name_pausing_runs(results: Iterable[CheckResult], catalog: Catalog) -> tuple[CheckResult, ...]:
    """The same results; a pod that one of our runs has paused fails with that run's name instead of an unknown somebody's."""
    checked = tuple(results)
    if not any(_is_paused(result) for result in checked):
        return checked
    pausing = {target.pod: journal for journal in catalog.open_pauses() for target in journal.to_resume}
    return tuple(
        _paused_by(pausing[result.subject], result.subject) if _is_paused(result) and result.subject in pausing else result
        for result in checked
    )


def _is_paused(result: CheckResult) -> bool:
    return result.name == NOT_PAUSED and result.status is CheckStatus.FAILED


def _paused_by(journal: PauseJournal, pod: str) -> CheckResult:
    return failed(
        NOT_PAUSED,
        pod,
        f"is paused by run {journal.run} of plan {journal.plan}, whose watchdog resumes it at {iso(journal.resume_by)}.",
        f"Wait for its end. If its execution has died, `scalar-backup unpause --run {journal.run}` resumes it now.",
    )
