"""The catalog as one DynamoDB table with the string keys `pk` and `sk`.

    entity            pk               sk                       attributes besides the record
    ────────────────  ───────────────  ───────────────────────  ───────────────────────────────────────────
    plan              plans            <plan>                   revision
    lease             plan#<plan>      lease                    token, and while it is held: run, expires_at
    run               plan#<plan>      run#<run>                token
    restore point     plan#<plan>      point#<point>            phase
    document          run#<run>        document#<name>
    open pause        open-pauses      <run>#<attempt>          run, attempt, revision, not_ours
    closed pause      run#<run>        pause#<attempt>          the same, closed_at, closed_by
    paused release    paused#<release> lock                     run, attempt; exists while the pause is open
    part of a record  body#<version>   <number>                 packed

A record is JSON: readable text in `record`; from 16 KiB on zlib-compressed in `packed`; and when that does not fit into an item
either, cut into the items of a new `body#<version>`, which exist before the item that points to them is written and are removed
after it points elsewhere, so that a reader never sees two versions mixed. A writer that dies in between leaves parts nobody
points to: harmless, and rare, because it takes megabytes of JSON to need parts at all.

Every read is strongly consistent, every list is a Query. The ids of runs and points sort by time, so newest first is the
sort key backwards.
"""

from shared.catalog.dynamodb.catalog import DynamoDbCatalog
from shared.catalog.dynamodb.table import ACTIONS, table_definition

__all__ = ["ACTIONS", "DynamoDbCatalog", "table_definition"]
