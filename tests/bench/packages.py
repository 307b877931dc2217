"""How large the package of each function is, unzipped: built as `sam build` does, for the architecture of the template."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.bench.report import Section

ROOT = Path(__file__).parents[2]
FUNCTIONS = ("check", "run", "window", "watchdog", "protect", "restore", "applications", "databases")
LIMIT_MB = 250.0
"""Lambda's own: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""


def measure() -> Section:
    columns = ("function", "MB", "MB without bytecode", "of Lambda's 250 MB")
    title = "Packages, unzipped"
    python = _runtime_python()
    if python is None:
        return Section(title, columns, [], [f"Not measured: no python3.13 on this machine ({', '.join(FUNCTIONS)})."])
    rows = []
    for function in FUNCTIONS:
        whole, sources = _build(python, function)
        rows.append((function, f"{whole:.1f}", f"{sources:.1f}", f"{whole / LIMIT_MB:.0%}"))
    return Section(title, columns, rows, ["Without boto3, which the runtime brings. arm64."])


def _runtime_python() -> str | None:
    """A python3.13 that starts; what a version manager puts on the path may be an empty promise."""
    candidates = [shutil.which("python3.13"), *Path.home().glob(".pyenv/versions/3.13*/bin/python3.13")]
    for candidate in filter(None, candidates):
        if subprocess.run([candidate, "--version"], capture_output=True, check=False).returncode == 0:
            return str(candidate)
    return None


def _build(python: str, function: str) -> tuple[float, float]:
    """MB with and without bytecode, as package.py says at its end."""
    with tempfile.TemporaryDirectory() as folder:
        command = [python, str(ROOT / "infra" / "aws" / "package.py"), function, folder]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = re.search(r"([\d.]+) MB, without bytecode ([\d.]+) MB", done.stdout)
    if found is None:
        raise RuntimeError(f"The package of {function} could not be built: {done.stderr[-2000:]}")
    return float(found[1]), float(found[2])
