"""Privilege class *check*: reads clusters and databases, writes the run's record."""

from __future__ import annotations

from functions_aws.runtime import StepHandler
from shared.steps.check import check

handler = StepHandler({"check": check})
