"""Privilege class *window*: the cluster and its pods. Pauses, holds, resumes; knows no database's data."""

from __future__ import annotations

from functions_aws.runtime import StepHandler
from shared.steps.capture import capture
from shared.steps.pause import pause
from shared.steps.resume import resume

handler = StepHandler({"pause": pause, "capture": capture, "resume": resume})
