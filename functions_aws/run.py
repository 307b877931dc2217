"""Privilege class *run*: the catalog and the event bus, nothing else. Begins, judges and ends runs."""

from __future__ import annotations

from functions_aws.runtime import StepHandler
from shared.steps.begin import begin
from shared.steps.conclude import conclude
from shared.steps.ended import ended
from shared.steps.judge import judge
from shared.steps.publish import publish

handler = StepHandler({"begin": begin, "judge": judge, "publish": publish, "conclude": conclude, "ended": ended})
