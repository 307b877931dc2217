"""Privilege class *restore request*: the one function for people in a console. Looks at everything that a restore touches and
starts its execution, and changes nothing itself."""

from __future__ import annotations

from functions_aws.runtime import StepHandler
from shared.steps.restore.check import restore_check
from shared.steps.restore.request import restore_request

handler = StepHandler({"restore": restore_request, "restore_check": restore_check}, entry="restore")
