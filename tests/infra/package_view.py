"""The package of a function as the installed libraries make it: links into this environment, trimmed as the real one is."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterable, Iterator
from importlib.metadata import distribution
from pathlib import Path
from types import ModuleType

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
_MANY_FILES = ("kubernetes/aio/", "kubernetes/client/models/v", "kubernetes/client/models/__pycache__/v")
"""Thousands, all of which `builder.trim` removes."""


def _load_package_builder() -> ModuleType:
    """infra/aws/package.py is a program beside the template, not part of an importable package."""
    spec = importlib.util.spec_from_file_location("package_builder", ROOT / "infra" / "aws" / "package.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


builder = _load_package_builder()


def assemble(function: str, target: Path) -> None:
    """What `builder.build` makes, without a network: this Python's libraries with their bytecode, and none of ours."""
    target.mkdir(parents=True)
    link_libraries(builder.libraries(function), target)
    builder.trim(target)
    builder.copy_product(function, target)


def link_libraries(names: Iterable[str], target: Path) -> None:
    """Links the files of these distributions, and of all that they require, into `target`. One by one: what a test or
    `builder.trim` removes there must never be a file of this environment."""
    for name in _with_requirements(names):
        for file in distribution(name).files or ():
            if ".." in file.parts or str(file).startswith(_MANY_FILES):
                continue  # commands; and what would be removed again
            link = target / file
            link.parent.mkdir(parents=True, exist_ok=True)
            if not link.exists():
                link.symlink_to(Path(str(file.locate())))


def link_runtime(target: Path) -> None:
    """What Lambda's runtime brings: boto3 and all that it requires, whole folders, because nothing is removed here."""
    for name in _with_requirements(["boto3"]):
        for top in {file.parts[0] for file in distribution(name).files or ()} - {"..", "__pycache__"}:
            (target / top).symlink_to(Path(str(distribution(name).locate_file(top))))


def _with_requirements(names: Iterable[str]) -> Iterator[str]:
    pending, known = list(names), set()
    while pending:
        name = pending.pop().lower().replace("_", "-")
        if name in known:
            continue
        known.add(name)
        yield name
        for text in distribution(name).requires or ():
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                pending.append(requirement.name)
