"""The words by which snapshots and the journal name what is paused: the charts' label `app.kubernetes.io/app`."""

from __future__ import annotations

LEDGER = "ledger"
AUDITOR = "auditor"
PARTICIPANT = "participant"
"""No product of a Helm chart, but something that joins a plan by label selector and port."""
