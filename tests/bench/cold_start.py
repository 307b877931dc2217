"""What a fresh process pays: importing each handler on top of boto3, and what the first cluster and the first pod add."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from statistics import median

from tests.bench.report import Section

HANDLERS = ("check", "run", "window", "watchdog", "protect")
ROUNDS = 7
LIMIT_MS = 150.0
_ENVIRONMENT = {"CATALOG_TABLE": "catalog", "EVENT_BUS": "bus", "AWS_REGION": "ap-northeast-1"}
_BARE = "import boto3"
_CLUSTER = "from kubernetes.client import Configuration; from kubernetes.client.rest import RESTClientObject"
_TYPED = "from kubernetes.client import CoreV1Api, AppsV1Api; CoreV1Api(); AppsV1Api()"
_PODS = "import shared.scalar.admin"


def measure() -> Section:
    programs = {"boto3 alone": _BARE}
    programs |= {f"handler {name}": f"{_BARE}, functions_aws.{name}" for name in HANDLERS}
    window = f"{_BARE}, functions_aws.window"
    programs["window + first pod (grpc.aio)"] = f"{window}; {_PODS}"
    programs["window + first cluster (kubernetes, lower half)"] = f"{window}; {_CLUSTER}"
    programs["window + both"] = f"{window}; {_PODS}; {_CLUSTER}"
    programs["for comparison: window + typed kubernetes API"] = f"{window}; {_TYPED}"
    times = _alternating(programs)
    bare = median(times["boto3 alone"])
    rows = [
        (name, f"{median(seconds) * 1000:.0f}", f"{(median(seconds) - bare) * 1000:.0f}") for name, seconds in times.items()
    ]
    slow = [name for name in HANDLERS if (median(times[f"handler {name}"]) - bare) * 1000 > LIMIT_MS]
    return Section(
        title="Cold start: a fresh interpreter, in milliseconds",
        columns=("imports", "whole process", "on top of boto3"),
        rows=rows,
        notes=[f"Median of {ROUNDS} fresh processes each, taken in turns; bytecode present, page cache warm."],
        failures=[f"handler {name} costs more than {LIMIT_MS:.0f} ms on top of boto3" for name in slow],
    )


def _alternating(programs: dict[str, str]) -> dict[str, list[float]]:
    """Seconds of each program, once per round, so that whatever else the machine does meets all of them alike."""
    times: dict[str, list[float]] = {name: [] for name in programs}
    for number in range(ROUNDS + 1):
        for name, program in programs.items():
            began = time.perf_counter()
            # Without a time-out: with one, subprocess looks for the end only every 50 ms.
            subprocess.run([sys.executable, "-c", program], env={**os.environ, **_ENVIRONMENT}, check=True)
            if number > 0:  # the first round writes bytecode and fills the page cache
                times[name].append(time.perf_counter() - began)
    return times
