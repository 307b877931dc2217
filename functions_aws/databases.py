"""Privilege class *databases*: restores them, cuts over, and deletes old copies when their time is over. The only one that can
destroy data."""

from __future__ import annotations

from functions_aws.runtime import StepHandler
from shared.steps.restore.clean_up import restore_clean_up
from shared.steps.restore.databases import restore_cut_over, restore_prepare, restore_verify

handler = StepHandler(
    {
        "restore_prepare": restore_prepare,
        "restore_cut_over": restore_cut_over,
        "restore_verify": restore_verify,
        "restore_clean_up": restore_clean_up,
    }
)
