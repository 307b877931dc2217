"""The import contracts of pyproject.toml hold, cover every part of the product, and each can fail."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
WRONG_IMPORTS = {
    "Imports run one way: shells, wiring, steps and rooms, model": ("shared/catalog", "import shared.wiring"),
    "The rooms and the steps meet only in the wiring": ("shared/steps", "import shared.catalog"),
    "The shells do not know each other": ("functions_azure", "import functions_aws"),
    "Nothing of infra is part of the product": ("shared/scalar", "import infra.sandbox"),
    "Model and steps import no SDK": ("shared/model", "import boto3"),
    "Only shared.scalar speaks gRPC": ("shared/cli", "import grpc"),
    "Only shared.clusters speaks to Kubernetes": ("shared/databases", "import kubernetes"),
    "The Scalar room knows no cloud": ("shared/scalar", "import botocore"),
    "No function loads what only the command line needs": ("functions_aws", "import shared.cli"),
    "In the model, only the written form of a plan is validated with pydantic": ("shared/model", "import pydantic"),
}


def verdicts(root: Path) -> dict[str, str]:
    """KEPT or BROKEN for each contract's name, in the tree below `root`."""
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache", "--no-logo"]
    output = subprocess.run(
        command, cwd=root, env={"PYTHONPATH": str(root)}, capture_output=True, text=True, check=False
    ).stdout
    found = re.findall(r"^(.+?) (KEPT|BROKEN)(?: \(.*\))?$", output, re.MULTILINE)
    assert found, output
    return dict(found)


def test_every_import_contract_holds() -> None:
    assert set(verdicts(ROOT).values()) == {"KEPT"}


def test_each_contract_is_broken_by_the_import_it_forbids(tmp_path: Path) -> None:
    for name in ("shared", "functions_aws", "functions_azure", "infra"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for number, (package, line) in enumerate(WRONG_IMPORTS.values()):
        (tmp_path / package / f"wrong_{number}.py").write_text(f"{line}\n")
    assert verdicts(tmp_path) == dict.fromkeys(WRONG_IMPORTS, "BROKEN")


def test_every_contract_is_tried() -> None:
    assert [contract["name"] for contract in CONTRACTS] == list(WRONG_IMPORTS)


def test_every_part_of_shared_has_its_layer() -> None:
    parts = {path.stem for path in (ROOT / "shared").iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    layered = set(re.findall(r"shared\.(\w+)", " ".join(CONTRACTS[0]["layers"])))
    assert layered == parts - {"__init__"}
