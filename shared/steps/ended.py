"""The end of an execution that nobody could catch: stopped from the console, timed out, or failed in its engine.

The engine's own event about it (EventBridge: "Step Functions Execution Status Change") leads here, so that such a run is
recorded and told like any other failure. Pods are not this step's business: the watchdog is armed for them. A restore that has
touched anything is halted, and waits for a person.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime

from shared.model.errors import InvalidRequest
from shared.model.times import iso
from shared.steps.conclude import conclude
from shared.steps.ports import Rooms
from shared.steps.request import Answer, Execution, Request, mapping, number, text
from shared.steps.restore.ended import is_restore, restore_ended


async def ended(request: Request, rooms: Rooms) -> Answer:
    """Request: `detail` of the event: `executionArn`, `startDate` (milliseconds since the epoch), `status`, `input` (JSON).

    A run that has concluded by itself is left as it is and not told again.
    """
    detail = mapping(request.get("detail"), "'detail'")
    status, given = text(detail, "status"), _parsed(text(detail, "input", ""))
    within = Execution(text(detail, "executionArn"), datetime.fromtimestamp(number(detail, "startDate") / 1000, UTC))
    if is_restore(given):
        return await restore_ended(mapping(given, "The input"), within, status, rooms)
    return await conclude(
        {
            "execution": {"id": within.id, "started_at": iso(within.started_at)},
            "input": given,
            "error": {"Error": f"Execution.{status}", "Cause": f"The execution ended as {status} without concluding its run."},
            "only_running": True,
        },
        rooms,
    )


def _parsed(given: str) -> object:
    try:
        return json.loads(given)
    except ValueError as error:
        raise InvalidRequest(f"The execution's input is not JSON: {given[:100]!r}.") from error
