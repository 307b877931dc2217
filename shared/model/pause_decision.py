"""Whether a backup has to pause the pods, and why.

Source: the vendor's guide *Back up and restore ScalarDB or ScalarDL data in a Kubernetes environment*: NoSQL or several
databases need a pause, a single relational database does not.
"""

from __future__ import annotations

from shared.model.plan import Database, Plan
from shared.model.records import Value


class PauseDecision(Value):
    """`reason` is one sentence for people; `rule` names the line of the guide's decision table that applied."""

    needed: bool
    rule: str
    reason: str


def decide_pause(plan: Plan) -> PauseDecision:
    """The first rule that applies decides.

    A relational database restores all its tables to one transactionally consistent moment, so ScalarDB's records and its
    Coordinator table fit together at any moment. Anything else is cut at slightly different moments, and only a window
    without transactions makes the cuts fit.
    """
    nosql = [database.key for database in plan.databases if not database.is_relational]
    if nosql:
        return PauseDecision(
            needed=True, rule="nosql", reason=f"{', '.join(nosql)} does not cut all tables at one consistent moment."
        )
    return _decide_relational(plan.databases)


def _decide_relational(databases: tuple[Database, ...]) -> PauseDecision:
    if len(databases) > 1:
        return PauseDecision(
            needed=True,
            rule="several-databases",
            reason=f"{len(databases)} databases are never cut at the same moment.",
        )
    return PauseDecision(
        needed=False,
        rule="single-relational",
        reason=f"{databases[0].key} alone restores to one consistent moment at any time.",
    )
