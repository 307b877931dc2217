"""The parts of a restore that take long, advanced until done: one half of it in one database, and pods that stop or start.

The state machine moves pods in loops of its own; here that is a child too, because only a child can begin a new history. Each
listens to the event `cancel`, which its parent hands on to it before the cut-over.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import azure.durable_functions as df

from functions_azure.calling import Cancel, Steps
from functions_azure.orchestrators.children import advance_until_done
from functions_azure.retries import MOVING_PODS, RESTORING_DATABASE

blueprint = df.Blueprint()
LONGEST = timedelta(hours=72)
"""Of each child, as for a database on every engine; the restore as a whole has no limit, where the state machine has a week."""


@blueprint.orchestration_trigger(context_name="context", orchestration="restore_database")
def restore_database(context: df.DurableOrchestrationContext) -> Steps[Any]:
    """Input: `step` (which half), `run`, `plan`, `token`, `database`."""
    step = context.get_input()["step"]
    return (yield from advance_until_done(context, "databases", step, RESTORING_DATABASE, LONGEST, Cancel(context)))


@blueprint.orchestration_trigger(context_name="context", orchestration="restore_pods")
def restore_pods(context: df.DurableOrchestrationContext) -> Steps[Any]:
    """Input: `step` (`restore_stop` or `restore_start`), `run`, `plan`, `token`, and for a stop `before`."""
    step = context.get_input()["step"]
    return (yield from advance_until_done(context, "applications", step, MOVING_PODS, LONGEST, Cancel(context)))
