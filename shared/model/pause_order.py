"""In which order the releases of a plan are paused together, so that each can drain while what it calls still answers.

A paused Ledger holds the requests of its Auditor, and both hold those of whatever stands in front of them. Pausing the called
one first would let the caller wait in vain until its drain is over. Resuming goes the opposite way.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from shared.model.checks import CheckResult, failed, warned
from shared.model.plan import PauseSettings
from shared.model.pods import MOST_NAMED, ReleaseSnapshot
from shared.model.products import AUDITOR, LEDGER, PARTICIPANT
from shared.model.storage import ReleaseStorage

_CALLERS_FIRST = (PARTICIPANT, AUDITOR)
"""Everything else is called by these, and is paused last, all at once."""


def stages(products: Sequence[str]) -> tuple[int, ...]:
    """The stage of each product, from 0 without gaps: all of a stage are paused at once, when the stage before is confirmed."""
    ranks = [_CALLERS_FIRST.index(item) if item in _CALLERS_FIRST else len(_CALLERS_FIRST) for item in products]
    used = sorted(set(ranks))
    return tuple(used.index(rank) for rank in ranks)


def stage_count(products: Sequence[str]) -> int:
    return max(stages(products), default=0) + 1


def longest_seconds(settings: PauseSettings, stages_to_pause: int) -> float:
    """What pausing and holding may take: each stage drains on its own, because requests still arrive while another one does."""
    return stages_to_pause * settings.drain_seconds + settings.hold_seconds


def check_overlap(snapshots: Sequence[ReleaseSnapshot]) -> tuple[CheckResult, ...]:
    """Pods that two entries of the plan both name: the second Pause of a pod would look like somebody else's."""
    owners: dict[str, str] = {}
    results = []
    for snapshot in snapshots:
        key = snapshot.release.key
        if shared := [pod for pod in snapshot.pods if owners.setdefault(pod.uid, key) != key]:
            named = ", ".join(pod.name for pod in shared[:MOST_NAMED])
            detail = f"{len(shared)} of {len(snapshot.pods)} pods also belong to {owners[shared[0].uid]}: {named}."
            hint = "Change a selector, so that each pod belongs to one release or participant."
            results.append(failed("pods-apart", key, detail, hint))
    return tuple(results)


def check_group(products: Sequence[str], storages: Iterable[ReleaseStorage] = ()) -> tuple[CheckResult, ...]:
    """What is missing beside the products of a plan: the Ledger of an Auditor, or the Auditor of a Ledger.

    Source: the vendor's guide for ScalarDL with Auditor: Ledger is paused always, and both are restored to the same period.
    """
    if AUDITOR in products and LEDGER not in products:
        return (
            failed(
                "ledger-included",
                "plan",
                "The plan has a ScalarDL Auditor and no Ledger. With Auditor, Ledger is always paused: their databases fit "
                "together only at a moment at which Ledger stands still.",
                "Add the Helm release of ScalarDL Ledger and its databases to the plan.",
            ),
        )
    if AUDITOR not in products and (audited := [item.release for item in storages if item.is_audited]):
        return (
            warned(
                "auditor-included",
                ", ".join(audited),
                "works together with a ScalarDL Auditor, which the plan does not have.",
                "Add Auditor's Helm release and databases: Ledger and Auditor have to be restored to the same point.",
            ),
        )
    return ()
