"""Builds the package of one Lambda function: our code, the libraries its rooms need, and bytecode for the runtime's Python.

`sam build` calls it through the Makefile beside it. It needs the standard library, pip, and a package index within reach.
"""

from __future__ import annotations

import argparse
import compileall
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from importlib.metadata import Distribution, distributions
from pathlib import Path
from py_compile import PycInvalidationMode

ROOT = Path(__file__).resolve().parents[2]
RUNTIME_PYTHON = (3, 13)
"""The template's Runtime. Bytecode is good for exactly this Python, so it is this Python that has to compile it."""
TASK_ROOT = "/var/task"
"""Where Lambda unpacks a package; tracebacks name files below it."""

ROOMS = {
    "check": ("catalog", "clusters", "databases", "scalar"),
    "run": ("catalog", "signals"),
    "window": ("catalog", "clusters", "databases", "scalar"),
    "watchdog": ("catalog", "clusters", "scalar", "signals"),
    "protect": ("catalog", "databases"),
    "restore": ("catalog", "clusters", "databases", "executions", "scalar"),
    "applications": ("catalog", "clusters", "scalar"),
    "databases": ("catalog", "databases"),
}
"""Which rooms of `shared` each function has. The versions of what they need are those of pyproject.toml."""
LIBRARIES_OF_EVERY = ("aws-lambda-powertools", "msgspec")
LIBRARIES_OF_ROOM = {"clusters": ("kubernetes", "websockets"), "scalar": ("grpcio",)}
PRODUCT_IN_EVERY = ("__init__.py", "model", "steps", "system_clock.py", "wiring")

IN_THE_RUNTIME = ("boto3", "botocore", "s3transfer")
"""Lambda's Python brings them. They are resolved together with the rest, so that what both sides use fits both, and then left
out: with them a package would be 25 MB larger."""
NEVER_IMPORTED = (
    "aiohappyeyeballs",
    "aiohttp",
    "aiohttp-retry",
    "aiosignal",
    "attrs",
    "frozenlist",
    "multidict",
    "propcache",
    "yarl",
)
"""What only the asyncio half of the kubernetes package uses."""
UNUSED_FILES = (
    "bin",
    "kubernetes/aio",  # its asyncio half
    "kubernetes/client/api",  # the typed API, see docs/adr/0003
    "kubernetes/client/models/[!_]*.py",  # the typed objects; the package around them stays, it is imported
    "kubernetes/e2e_test",
)
PLATFORMS = {"arm64": "aarch64", "x86_64": "x86_64"}
"""Lambda's names of its architectures, and the wheels' names for them."""

ONLY_FOR_OTHERS = (
    "plan_document", "state_machines",
    "aks", "azure.py", "azure_errors.py", "azure_table", "cosmos", "durable.py", "eventgrid.py", "flexible_servers",
)  # fmt: skip
"""Of our own packages: what the command line and SAM need, and what is about Azure."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="package.py", description=__doc__)
    parser.add_argument("function", choices=ROOMS)
    parser.add_argument("target", type=Path, help="an empty folder, or one that is yet to be made")
    parser.add_argument("--architecture", choices=PLATFORMS, default="arm64")
    arguments = parser.parse_args()
    if sys.version_info[:2] != RUNTIME_PYTHON:
        wanted = ".".join(map(str, RUNTIME_PYTHON))
        sys.stderr.write(
            f"The functions run on Python {wanted}, and their bytecode must be made by it; this is {sys.version.split()[0]} "
            f"({sys.executable}). Install Python {wanted} and build with PYTHON=<path to it> sam build.\n"
        )
        return 1
    build(arguments.function, arguments.target, arguments.architecture)
    return 0


def build(function: str, target: Path, architecture: str) -> None:
    """Fills `target` with the package of `function`. Raises CalledProcessError when pip fails; it has said why."""
    target.mkdir(parents=True, exist_ok=True)
    install(function, target, architecture)
    trim(target)
    copy_product(function, target)
    compile_all(target)
    size, sources = megabytes(target), megabytes(target, bytecode=False)
    sys.stdout.write(f"{function}: {size:.1f} MB, without bytecode {sources:.1f} MB\n")


def libraries(function: str) -> tuple[str, ...]:
    """The names of the distributions that a function needs itself; what these need comes with them."""
    return (*LIBRARIES_OF_EVERY, *(name for room in ROOMS[function] for name in LIBRARIES_OF_ROOM.get(room, ())))


def requirements(names: Iterable[str]) -> list[str]:
    """The lines of pyproject.toml for these distributions. KeyError: it does not have one."""
    lines = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    by_name = {re.split(r"[^\w.-]", line, maxsplit=1)[0]: line for line in lines}
    return [by_name[name] for name in names]


def install(function: str, target: Path, architecture: str) -> None:
    machine = PLATFORMS[architecture]
    command = [
        sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile",
        "--target", str(target), "--implementation", "cp", "--python-version", ".".join(map(str, RUNTIME_PYTHON)),
        "--only-binary", ":all:",
        # Amazon Linux 2023 has glibc 2.34; wheels are published for these two older ones.
        "--platform", f"manylinux2014_{machine}", "--platform", f"manylinux_2_28_{machine}",
    ]  # fmt: skip
    subprocess.run([*command, *requirements((*libraries(function), "boto3"))], check=True)  # noqa: S603 - a fixed command


def trim(target: Path) -> None:
    """Removes what no function imports, and what the runtime has."""
    unwanted = {*IN_THE_RUNTIME, *NEVER_IMPORTED}
    for distribution in list(distributions(path=[str(target)])):
        if distribution.name.lower().replace("_", "-") in unwanted:
            _remove_distribution(distribution)
    for pattern in UNUSED_FILES:
        for path in list(target.glob(pattern)):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    _remove_empty_folders(target)


def copy_product(function: str, target: Path) -> None:
    ignore = shutil.ignore_patterns("__pycache__", *ONLY_FOR_OTHERS)
    for name in (*PRODUCT_IN_EVERY, *ROOMS[function]):
        source, copy = ROOT / "shared" / name, target / "shared" / name
        if source.is_dir():
            shutil.copytree(source, copy, ignore=ignore)
        else:
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, copy)
    shutil.copytree(ROOT / "functions_aws", target / "functions_aws", ignore=ignore)


def compile_all(target: Path) -> None:
    """Bytecode that is never held against its source: the package is read-only, and unpacking it changes the files' times."""
    compiled = compileall.compile_dir(
        target, quiet=1, stripdir=target, prependdir=TASK_ROOT, invalidation_mode=PycInvalidationMode.UNCHECKED_HASH
    )
    if not compiled:
        raise SyntaxError(f"Not every file below {target} could be compiled; the lines above name them.")


def megabytes(folder: Path, *, bytecode: bool = True) -> float:
    """The size of all files below a folder, in units of a million bytes, as Lambda's limit of 250 MB counts them."""
    files = (path for path in folder.rglob("*") if path.is_file() and (bytecode or path.suffix != ".pyc"))
    return sum(path.stat().st_size for path in files) / 1e6


def _remove_distribution(distribution: Distribution) -> None:
    """Also its metadata: what reads a package's contents, a vulnerability scanner for one, takes it for installed otherwise."""
    for file in distribution.files or ():
        Path(str(distribution.locate_file(file))).unlink(missing_ok=True)


def _remove_empty_folders(target: Path) -> None:
    for path in sorted(target.rglob("*"), reverse=True):
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()


if __name__ == "__main__":
    sys.exit(main())
