"""Privilege class *run*: the catalog and the event bus, nothing else. Begins, judges and ends runs."""

from __future__ import annotations

from functions_aws.runtime import StepHandler
from shared.steps.begin import begin
from shared.steps.conclude import conclude
from shared.steps.ended import ended
from shared.steps.judge import judge
from shared.steps.publish import publish
from shared.steps.restore.begin import restore_begin
from shared.steps.restore.conclude import restore_conclude
from shared.steps.restore.publish import restore_publish
from shared.steps.sweep import sweep

handler = StepHandler(
    {
        "begin": begin,
        "judge": judge,
        "publish": publish,
        "conclude": conclude,
        "ended": ended,
        "sweep": sweep,
        "restore_begin": restore_begin,
        "restore_publish": restore_publish,
        "restore_conclude": restore_conclude,
    }
)
