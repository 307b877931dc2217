"""Measures everything and compares within the one run, so that the ratios hold on any machine.

Fails when a limit of a section is missed.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from collections.abc import Callable

from tests.bench import cold_start, fan_out, packages, pod_snapshot, port_forward, restore_makespan, transitions, window
from tests.bench.report import Section, show

SECTIONS: dict[str, Callable[[], Section]] = {
    "fan-out": fan_out.measure,
    "window": window.measure,
    "cold-start": cold_start.measure,
    "packages": packages.measure,
    "pod-snapshot": pod_snapshot.measure,
    "port-forward": port_forward.measure,
    "restore": restore_makespan.measure,
    "transitions": transitions.measure,
}
"""In the order in which they run and are printed. A new section is a module with a `measure` of its own."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=f"of {', '.join(SECTIONS)} (default: all)")
    chosen = parser.parse_args().sections or list(SECTIONS)
    if unknown := [name for name in chosen if name not in SECTIONS]:
        parser.error(f"no section {', '.join(unknown)}; the sections are {', '.join(SECTIONS)}")
    _say(f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, {platform.system()}")
    failures = []
    for name in chosen:
        began = time.monotonic()
        section = SECTIONS[name]()
        _say(show(section))
        _say(f"({name}: {time.monotonic() - began:.0f} s)")
        failures += section.failures
    return 1 if failures else 0


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
