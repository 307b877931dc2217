"""The lease on a plan: who may run a backup or restore of it right now."""

from __future__ import annotations

from shared.model.records import Value
from shared.model.times import Instant


class Lease(Value):
    """`token` grows with every new holder and fences what a holder writes; `expires_at` lets a crashed holder's lease go."""

    plan: str
    run: str
    token: int
    expires_at: Instant
