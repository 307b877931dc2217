"""The app as the Functions worker indexes it: triggers, orchestrators, activities. In a package it stands at the root."""

from __future__ import annotations

import azure.durable_functions as df
import azure.functions as func

from functions_azure import activities
from functions_azure.orchestrators import backup, protect_database, restore, restore_database, single_steps, watchdog
from functions_azure.triggers import event_grid, http, timers

app = df.DFApp(http_auth_level=func.AuthLevel.FUNCTION)
for part in (http, event_grid, timers, backup, watchdog, protect_database, restore, restore_database, single_steps, activities):
    app.register_functions(part.blueprint)
