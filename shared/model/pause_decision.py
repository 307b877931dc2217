"""Whether a backup has to pause the pods, and why.

Source: the vendor's guide *Back up and restore ScalarDB or ScalarDL data in a Kubernetes environment*: NoSQL or several
databases need a pause, a single relational database does not; and the ScalarDL guide: with Auditor, Ledger is always paused.
"""

from __future__ import annotations

from collections.abc import Sequence

from shared.model.plan import Database, Plan
from shared.model.products import AUDITOR
from shared.model.records import Value
from shared.model.storage import ReleaseStorage


class PauseDecision(Value):
    """`reason` is one sentence for people; `rule` names the line of the guide's decision table that applied."""

    needed: bool
    rule: str
    reason: str


def decide_pause(plan: Plan, products: Sequence[str] = (), storages: Sequence[ReleaseStorage] = ()) -> PauseDecision:
    """The first rule that applies decides. `products` and `storages` are what was found in the clusters, as far as it is known.

    A relational database restores all its tables to one transactionally consistent moment, so ScalarDB's records and its
    Coordinator table fit together at any moment. Anything else is cut at slightly different moments, and only a window
    without transactions makes the cuts fit.
    """
    if AUDITOR in products or any(storage.is_audited for storage in storages):
        return _needed("auditor", "ScalarDL with Auditor keeps one truth in two databases, so Ledger is always paused.")
    nosql = [database.key for database in plan.databases if not database.is_relational]
    if nosql:
        return _needed("nosql", f"{', '.join(nosql)} does not cut all tables at one consistent moment.")
    return _decide_relational(plan, plan.databases, storages)


def _decide_relational(plan: Plan, databases: tuple[Database, ...], storages: Sequence[ReleaseStorage]) -> PauseDecision:
    if len(databases) > 1:
        return _needed("several-databases", f"{len(databases)} databases are never cut at the same moment.")
    if plan.two_phase_commit:
        return _needed("two-phase-commit", "Transactions run through several releases (two_phase_commit in the plan).")
    if several := next((storage for storage in storages if storage.is_multi_storage), None):
        names = ", ".join(storage.name for storage in several.storages)
        return _needed("multi-storage", f"Transactions of {several.release} run over several storages ({names}).")
    return PauseDecision(
        needed=False,
        rule="single-relational",
        reason=f"{databases[0].key} alone restores to one consistent moment at any time.",
    )


def _needed(rule: str, reason: str) -> PauseDecision:
    return PauseDecision(needed=True, rule=rule, reason=reason)
