"""The catalog as one table of Azure Table storage.

    entity            PartitionKey     RowKey                   properties besides the record
    ────────────────  ───────────────  ───────────────────────  ─────────────────────────────────────────────────
    lease             pauses           lease:<plan>             token, and while it is held: run, expires_at
    open pause        pauses           open:<run>:<attempt>     run, attempt
    closed pause      pauses           closed:<run>:<attempt>   run, attempt
    paused release    pauses           release:<release>        run, attempt; exists while the pause is open
    plan              plans            <plan>                   revision
    run               plan:<plan>      run:<run backwards>      id, token
    restore point     plan:<plan>      point:<point backwards>  id, phase
    document          run:<run>        document:<name>
    part of a record  body:<version>   <number>                 packed_00, packed_01 …

What one transaction has to change together shares the partition `pauses`, because Table storage has no transaction beyond a
partition; docs/adr/0011 has the reasoning. Every other write is one entity, conditional on the etag that was read or on there
being none, and decided anew when somebody else was faster.

A record is JSON: readable text in `record`; from 16 KiB on zlib-compressed in binary properties; and when that does not fit
into an entity either, cut into the entities of a new `body:<version>`, which exist before the entity that points to them is
written and are removed after it points elsewhere, so that a reader never sees two versions mixed. A writer that dies in between
leaves parts nobody points to: harmless, and rare, because it takes megabytes of JSON to need parts at all.

Queries answer in ascending order only, so the ids of runs and points are written backwards into their keys (see `keys`).
"""

from shared.catalog.azure_table.catalog import AzureTableCatalog
from shared.catalog.azure_table.errors import ROLE
from shared.catalog.azure_table.table import open_table

__all__ = ["ROLE", "AzureTableCatalog", "open_table"]
