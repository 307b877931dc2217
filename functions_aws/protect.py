"""Privilege class *protect*: makes kept copies of restore points, and removes the side tables made for them."""

from __future__ import annotations

from functions_aws.runtime import StepHandler
from shared.steps.protect import protect

handler = StepHandler({"protect": protect})
