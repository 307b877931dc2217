"""Privilege class *applications*: stops and starts releases, leads their properties to another endpoint; knows no database."""

from __future__ import annotations

from functions_aws.runtime import StepHandler
from shared.steps.restore.applications import restore_lead, restore_start, restore_stop
from shared.steps.restore.pods import restore_look

handler = StepHandler(
    {
        "restore_stop": restore_stop,
        "restore_look": restore_look,
        "restore_lead": restore_lead,
        "restore_start": restore_start,
    }
)
