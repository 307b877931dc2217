"""Privilege class *watchdog*: resumes pods from the journal, and can do nothing else. A function of its own, so that whatever
keeps the window's function from running does not keep this one."""

from __future__ import annotations

from functions_aws.runtime import StepHandler
from shared.steps.watchdog import unpause, watchdog

handler = StepHandler({"watchdog": watchdog, "unpause": unpause})
