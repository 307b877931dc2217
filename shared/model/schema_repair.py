"""The Schema Loader's `--repair-all`, which brings back what a restored database lacks: what it runs with, how far it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.model.records import Value
from shared.model.times import Instant


class RepairSource(Value):
    """What the Job takes over from a release, as its Deployment has it. `schema_type` is `ledger` or `auditor` for ScalarDL,
    empty for ScalarDB. `config_map` and `key` hold the properties; `is_template`: they are rendered when a container starts.
    `environment` and `environment_from` are the container's own `env` and `envFrom`: references to Secrets, not their values.
    `container_image` is that of the product; `pull_secrets`, `tolerations` and `node_selector` are the pod's.
    """

    namespace: str
    title: str
    schema_type: str
    config_map: str
    key: str
    container_image: str
    is_template: bool = False
    environment: tuple[Mapping[str, Any], ...] = ()
    environment_from: tuple[Mapping[str, Any], ...] = ()
    pull_secrets: tuple[str, ...] = ()
    tolerations: tuple[Mapping[str, Any], ...] = ()
    node_selector: Mapping[str, str] = {}


class RepairProgress(Value):
    """`job` is the Job's name; `log` its last lines, once it has ended; `problem` says in a sentence why it has failed.
    `waits_for` is what keeps its pod from being started; empty once it has been.
    """

    release: str
    job: str = ""
    began_at: Instant | None = None
    waits_for: str = ""
    done: bool = False
    problem: str = ""
    log: tuple[str, ...] = ()
    wait_seconds: float = 0.0
    message: str = ""
