"""The steps of a restore, each `(request, rooms) -> Answer` like every step. This package's modules, and the steps in them:

    request        restore_request      the entry for people: restore, undo, continue, abandon, status
    begin          restore_begin        lease, run, record
    check          restore_check        is the world still as it was when the plan was confirmed
    applications   restore_stop, restore_lead, restore_start
    pods           restore_look         are the pods still gone, during a cut-over of hours
    databases      restore_prepare, restore_cut_over, restore_verify
    publish        restore_publish      the end of a restore that succeeded
    conclude       restore_conclude     the way out of one that did not
    clean_up       restore_clean_up     what was kept for an undo, when its time is over
    status         restore_status       how far a restore is

A step inside the machine is given `run`, `plan` and `token` (the one that `restore_begin` answered with), those of a database
also `database` (its key). Steps that are repeated until `done` answer `done`, `wait_seconds` (a whole number) and `message`.
What is kept about a restore, and under which names, is in `record`.
"""

from __future__ import annotations

from shared.steps.restore.applications import restore_lead, restore_start, restore_stop
from shared.steps.restore.begin import restore_begin
from shared.steps.restore.check import restore_check
from shared.steps.restore.clean_up import restore_clean_up
from shared.steps.restore.conclude import restore_conclude
from shared.steps.restore.databases import restore_cut_over, restore_prepare, restore_verify
from shared.steps.restore.pods import restore_look
from shared.steps.restore.publish import restore_publish
from shared.steps.restore.request import restore_request
from shared.steps.restore.status import restore_status

__all__ = [
    "restore_begin",
    "restore_check",
    "restore_clean_up",
    "restore_conclude",
    "restore_cut_over",
    "restore_lead",
    "restore_look",
    "restore_prepare",
    "restore_publish",
    "restore_request",
    "restore_start",
    "restore_status",
    "restore_stop",
    "restore_verify",
]
