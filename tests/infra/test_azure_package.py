"""The package of the function app holds every module that the app can ever import of ours, at the places the host looks at."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from infra.azure import package

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("app") / "package"
    folder.mkdir()
    package.copy_product(folder)
    return folder


def test_the_host_finds_the_app_and_its_settings_at_the_root(app: Path) -> None:
    assert {path.name for path in app.iterdir()} == {"shared", "functions_azure", "function_app.py", "host.json"}


def test_every_module_of_the_package_can_be_imported_and_loads_nothing_of_aws(app: Path) -> None:
    names = [".".join(path.relative_to(app).with_suffix("").parts) for path in app.rglob("*.py")]
    modules = sorted(name.removesuffix(".__init__") for name in names)
    script = "import importlib, sys\nfor name in sys.argv[1:]: importlib.import_module(name)\nprint('boto3' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script, *modules],
        cwd=app, env=os.environ | {"PYTHONPATH": str(app)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "False"


def test_what_is_imported_inside_functions_is_there_too(app: Path) -> None:
    """Except in the rooms of the other cloud, which the wiring names and this app never opens."""
    for path in app.rglob("*.py"):
        if path.name == "aws.py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("shared."):
                target = app.joinpath(*str(node.module).split("."))
                assert target.with_suffix(".py").exists() or (target / "__init__.py").exists(), f"{path}: {node.module}"


def test_indexing_the_app_loads_no_sdk_of_a_room(app: Path) -> None:
    script = (
        "import sys, function_app\n"
        "rooms = ('grpc', 'kubernetes', 'azure.identity', 'azure.data', 'azure.mgmt', 'azure.core', 'msal')\n"
        "print([name for name in rooms if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script],
        cwd=app, env=os.environ | {"PYTHONPATH": str(app)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == "[]"


def test_another_python_than_the_runtimes_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 13, 1))
    monkeypatch.setattr(sys, "argv", ["package", str(tmp_path / "app")])
    assert package.main() == 1
    assert "Install Python 3.12" in capsys.readouterr().err


def test_every_library_has_its_version_in_the_project_file() -> None:
    assert len(package.requirements()) > len(package.LIBRARIES)
