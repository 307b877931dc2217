"""What a fresh process pays: importing each handler on top of boto3, and what the first cluster and the first pod add."""

from __future__ import annotations

import os
import sys
import time
from statistics import median
from typing import NamedTuple

from tests.bench.report import Section

HANDLERS = ("check", "run", "window", "watchdog", "protect", "restore", "applications", "databases")
ROUNDS = 7
LIMIT_MS = 150.0
_ENVIRONMENT = {"CATALOG_TABLE": "catalog", "EVENT_BUS": "bus", "AWS_REGION": "ap-northeast-1"}
_BARE = "import boto3"
_CLUSTER = "from kubernetes.client import Configuration; from kubernetes.client.rest import RESTClientObject"
_TYPED = "from kubernetes.client import CoreV1Api, AppsV1Api; CoreV1Api(); AppsV1Api()"
_PODS = "import shared.scalar.admin"


class Cost(NamedTuple):
    """Seconds of one process: by the clock, and of CPU, which a busy machine changes less."""

    wall: float
    cpu: float


def measure() -> Section:
    programs = {"boto3 alone": _BARE}
    programs |= {f"handler {name}": f"{_BARE}, functions_aws.{name}" for name in HANDLERS}
    window = f"{_BARE}, functions_aws.window"
    programs["window + first pod (grpc.aio)"] = f"{window}; {_PODS}"
    programs["window + first cluster (kubernetes, lower half)"] = f"{window}; {_CLUSTER}"
    programs["window + both"] = f"{window}; {_PODS}; {_CLUSTER}"
    programs["for comparison: window + typed kubernetes API"] = f"{window}; {_TYPED}"
    costs = _alternating(programs)
    bare = costs["boto3 alone"]
    on_top = {name: Cost(cost.wall - bare.wall, cost.cpu - bare.cpu) for name, cost in costs.items()}
    rows = [(name, *map(_ms, (costs[name].wall, on_top[name].wall, on_top[name].cpu))) for name in programs]
    slow = [name for name in HANDLERS if on_top[f"handler {name}"].cpu * 1000 > LIMIT_MS]
    return Section(
        title="Cold start: a fresh interpreter, in milliseconds",
        columns=("imports", "whole process", "on top of boto3", "CPU on top of boto3"),
        rows=rows,
        notes=[f"Median of {ROUNDS} fresh processes each, taken in turns; bytecode present, page cache warm."],
        failures=[f"handler {name} costs more than {LIMIT_MS:.0f} ms of CPU on top of boto3" for name in slow],
    )


def _alternating(programs: dict[str, str]) -> dict[str, Cost]:
    """Medians. Each program once per round, so that whatever else the machine does meets all of them alike."""
    costs: dict[str, list[Cost]] = {name: [] for name in programs}
    for number in range(ROUNDS + 1):
        for name, program in programs.items():
            cost = _run(program)
            if number > 0:  # the first round writes bytecode and fills the page cache
                costs[name].append(cost)
    return {name: Cost(median(cost.wall for cost in each), median(cost.cpu for cost in each)) for name, each in costs.items()}


def _run(program: str) -> Cost:
    began = time.perf_counter()
    child = os.posix_spawn(sys.executable, [sys.executable, "-c", program], {**os.environ, **_ENVIRONMENT})
    _, status, usage = os.wait4(child, 0)
    if status != 0:
        raise RuntimeError(f"This did not run; its error is above: {program}")
    return Cost(time.perf_counter() - began, usage.ru_utime + usage.ru_stime)


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f}"
