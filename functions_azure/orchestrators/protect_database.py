"""Protects the restore point in one database: advance until done."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import azure.durable_functions as df

from functions_azure.calling import Steps
from functions_azure.orchestrators.children import advance_until_done
from functions_azure.retries import PROTECTING

blueprint = df.Blueprint()
LONGEST = timedelta(hours=48)


@blueprint.orchestration_trigger(context_name="context", orchestration="protect_database")
def protect_database(context: df.DurableOrchestrationContext) -> Steps[Any]:
    """Input: `run`, `plan`, `database`."""
    return (yield from advance_until_done(context, "protect", "protect", PROTECTING, LONGEST))
