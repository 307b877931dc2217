"""A process that may open only so many files, and pauses and resumes pods by port-forward: JSON in, JSON out.

Input: `url`, `ca_pem`, `token`, `files` (the limit) and `targets`.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import threading
from pathlib import Path
from typing import Any

from shared.clusters.api import KubernetesApi
from shared.clusters.port_forward import PortForwards
from shared.model.pods import AdminTarget
from shared.model.records import from_record
from shared.scalar.admin import AdminClient
from shared.system_clock import SystemClock
from tests.contract.clusters.conftest import FixedToken


async def pause_and_resume(asked: dict[str, Any]) -> dict[str, Any]:
    api = KubernetesApi(asked["url"], asked["ca_pem"], FixedToken(asked["token"]), name="cluster")
    targets = from_record(asked["targets"], tuple[AdminTarget, ...])
    client = AdminClient(SystemClock(), call_timeout_seconds=30, open_forward=PortForwards(lambda _: api).open)
    await client.check_paused(targets)
    acknowledged = await client.pause(targets, drain_seconds=5)
    sample = await client.check_paused(targets)
    files, threads = len(list(Path("/proc/self/fd").iterdir())), threading.active_count()
    resumed = await client.resume(targets, budget_seconds=30)
    await client.close()
    return {
        "outcomes": [item.outcome for item in acknowledged],
        "proves_pause": sample.proves_pause,
        "problems": [item.problem for item in resumed],
        "files": files,
        "threads": threads,
        "files_after_close": len(list(Path("/proc/self/fd").iterdir())),
    }


if __name__ == "__main__":
    asked = json.load(sys.stdin)
    resource.setrlimit(resource.RLIMIT_NOFILE, (asked["files"], asked["files"]))
    json.dump(asyncio.run(pause_and_resume(asked)), sys.stdout)
