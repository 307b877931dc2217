"""Whether the world has heard of how a restore ended. Recording an end and telling it are two things, and a process may die in
between."""

from __future__ import annotations

from shared.model.run import Run
from shared.model.times import iso
from shared.steps.ports import Catalog

TOLD = "restore-told"
"""Beside the run: when the end was that was told last. A restore that is continued may end again."""


def note_told(run: Run, catalog: Catalog) -> None:
    if run.ended_at is not None:
        catalog.put_document(run.id, TOLD, iso(run.ended_at))


def is_told(run: Run, catalog: Catalog) -> bool:
    return run.ended_at is not None and catalog.document(run.id, TOLD) == iso(run.ended_at)
