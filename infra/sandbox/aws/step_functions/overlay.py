"""Puts the repairs onto moto's Step Functions, once per process."""

from __future__ import annotations

from moto.core.config import default_user_config

from infra.sandbox.aws.functions import Clients
from infra.sandbox.aws.step_functions import cloudformation, definitions, errors, executions, tasks, times


def install(clients: Clients) -> None:
    """`clients` reaches this sandbox: tasks of state machines call services through it."""
    default_user_config["stepfunctions"] = {"execute_state_machine": True}
    definitions.install()
    executions.install()
    tasks.install(clients)
    errors.install()
    times.install()
    cloudformation.install()
