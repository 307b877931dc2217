"""Builds the package of the function app: our code, its libraries, and bytecode for the runtime's Python.

Run from the root of the repository: `python3.12 -m infra.azure.package build/azure`, then publish the folder as
docs/deploy-azure.md says. It needs the standard library, pip, and a package index within reach.
"""

from __future__ import annotations

import argparse
import compileall
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from py_compile import PycInvalidationMode

from infra.aws import package as lambda_package

ROOT = Path(__file__).resolve().parents[2]
RUNTIME_PYTHON = (3, 12)
"""The template's pythonVersion. Bytecode is good for exactly this Python. azure-functions 1.x ends here: from Python 3.13 on it
is 2.x, for which the durable package is still a preview."""
APP_ROOT = "/home/site/wwwroot"
"""Where the host unpacks a package; tracebacks name files below it."""
SITE_PACKAGES = Path(".python_packages/lib/site-packages")
"""Where the Python worker looks for libraries."""
LIBRARIES = ("grpcio", "kubernetes", "msgspec", "websockets")
"""Of the project's own dependencies; the extra `azure` comes whole."""
NOT_PACKAGED = ("__pycache__", "plan_document", "cli", "dynamodb", "rds", "eks*.py", "eventbridge.py", "step_functions.py")
"""What only the command line and AWS need."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="infra.azure.package", description=__doc__)
    parser.add_argument("target", type=Path, help="an empty folder, or one that is yet to be made")
    arguments = parser.parse_args()
    if sys.version_info[:2] != RUNTIME_PYTHON:
        wanted = ".".join(map(str, RUNTIME_PYTHON))
        sys.stderr.write(
            f"The app runs on Python {wanted}, and its bytecode must be made by it; this is {sys.version.split()[0]} "
            f"({sys.executable}). Install Python {wanted} and run this with it.\n"
        )
        return 1
    build(arguments.target)
    return 0


def build(target: Path) -> None:
    """Fills `target`. Raises CalledProcessError when pip fails; it has said why."""
    target.mkdir(parents=True, exist_ok=True)
    install(target / SITE_PACKAGES)
    trim(target / SITE_PACKAGES)
    copy_product(target)
    compile_all(target)
    size, sources = lambda_package.megabytes(target), lambda_package.megabytes(target, bytecode=False)
    sys.stdout.write(f"app: {size:.1f} MB, without bytecode {sources:.1f} MB\n")


def requirements() -> list[str]:
    """The lines of pyproject.toml. KeyError: it does not have one of them."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return [*lambda_package.requirements(LIBRARIES), *project["optional-dependencies"]["azure"]]


def install(target: Path) -> None:
    command = [
        sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile",
        "--target", str(target), "--implementation", "cp", "--python-version", ".".join(map(str, RUNTIME_PYTHON)),
        "--only-binary", ":all:", "--platform", "manylinux2014_x86_64", "--platform", "manylinux_2_28_x86_64",
    ]  # fmt: skip
    subprocess.run([*command, *requirements()], check=True)  # noqa: S603 - a fixed command


def trim(libraries: Path) -> None:
    """Removes what is never imported. Unlike the packages for Lambda this one keeps aiohttp: the durable package needs it."""
    for pattern in lambda_package.UNUSED_FILES:
        for path in list(libraries.glob(pattern)):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def compile_all(target: Path) -> None:
    """Bytecode that is never held against its source, whose times unpacking changes. Without it a cold start takes seconds."""
    compiled = compileall.compile_dir(
        target, quiet=1, stripdir=target, prependdir=APP_ROOT, invalidation_mode=PycInvalidationMode.UNCHECKED_HASH
    )
    if not compiled:
        raise SyntaxError(f"Not every file below {target} could be compiled; the lines above name them.")


def copy_product(target: Path) -> None:
    """Our packages, and beside them what the host looks for at the root of an app."""
    ignore = shutil.ignore_patterns(*NOT_PACKAGED)
    for name in ("shared", "functions_azure"):
        shutil.copytree(ROOT / name, target / name, ignore=ignore)
    for name in ("function_app.py", "host.json"):
        shutil.move(target / "functions_azure" / name, target / name)


if __name__ == "__main__":
    sys.exit(main())
