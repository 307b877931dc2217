"""Three hundred pods through one process, within the 1,024 files that Lambda and most shells allow."""

from __future__ import annotations

import asyncio
import json
import sys

from shared.model.records import to_record
from tests.contract.port_forward.clusters import ForwardingCluster, forwarded
from tests.contract.scalar_admin.pods import ScriptedPod

PODS = 300
FILES = 1024


async def test_three_hundred_pods_are_paused_and_resumed_with_a_thousand_files(stand_in: ForwardingCluster) -> None:
    pods = [ScriptedPod(f"pod-{number}") for number in range(PODS)]
    async with forwarded(stand_in, *pods) as targets:
        asked = {
            "url": stand_in.running.url,
            "ca_pem": stand_in.running.ca_pem,
            "token": stand_in.running.admin_token,
            "files": FILES,
            "targets": to_record(targets),
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.contract.port_forward.limited_process",
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        output, _ = await process.communicate(json.dumps(asked).encode())
        told = json.loads(output)
    assert told["outcomes"] == ["paused"] * PODS
    assert told["proves_pause"]
    assert told["problems"] == [""] * PODS
    assert 3 * PODS < told["files"] < FILES
    assert told["files_after_close"] < 100, "nothing is left open"
    assert told["threads"] < 20, "one event loop, whatever the number of pods"
    assert not any(pod.closed for pod in pods)
