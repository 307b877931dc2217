"""The packages of the functions: each holds all that its function can ever import, and nothing that it cannot."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from samtranslator.yaml_helper import yaml_parse

from tests.infra.package_view import ROOT, assemble, builder, link_runtime

TEMPLATE = yaml_parse((ROOT / "infra" / "aws" / "template.yaml").read_text())
FUNCTIONS = [name for name, item in TEMPLATE["Resources"].items() if item["Type"] == "AWS::Serverless::Function"]
ROOMS_BEHIND = {
    "catalog": {"catalog"},
    "releases": {"scalar", "clusters"},
    "admin": {"scalar"},
    "signals": {"signals"},
    "database": {"databases"},
    "applications": {"clusters", "scalar"},
    "endpoints": {"clusters", "scalar"},
    "schema_repair": {"clusters", "scalar"},
    "executions": {"executions"},
    "clock": set(),
}
"""Which rooms of `shared` the wiring opens for each part of the port `Rooms`."""


@pytest.fixture(scope="module")
def boto3_only(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runtime")
    link_runtime(folder)
    return folder


@pytest.fixture(scope="module", params=sorted(builder.ROOMS))
def package(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    folder = tmp_path_factory.mktemp("packages") / request.param
    assemble(request.param, folder)
    return request.param, folder


def probe(function: str, package: Path, runtime: Path) -> subprocess.CompletedProcess[str]:
    """Python without this environment: -I ignores PYTHONPATH and the current folder, -S the installed libraries."""
    script = Path(__file__).with_name("package_probe.py")
    command = [sys.executable, "-I", "-S", "-B", str(script), function, str(package), str(runtime)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_a_package_serves_every_import_of_its_function(package: tuple[str, Path], boto3_only: Path) -> None:
    function, folder = package
    done = probe(function, folder, boto3_only)
    assert done.returncode == 0, done.stderr


def test_a_function_carries_a_library_only_if_one_of_its_rooms_uses_it(package: tuple[str, Path]) -> None:
    function, folder = package
    rooms = builder.ROOMS[function]
    assert (folder / "grpc").exists() == ("scalar" in rooms)
    assert (folder / "kubernetes").exists() == ("clusters" in rooms)
    for left_out in ("boto3", "botocore", "aiohttp", "kubernetes/aio", "kubernetes/client/api", "shared/cli"):
        assert not (folder / left_out).exists(), left_out
    assert not list(folder.glob("shared/model/plan_document*"))


def test_a_library_that_is_missing_is_noticed(tmp_path: Path, boto3_only: Path) -> None:
    assemble("protect", tmp_path / "protect")
    (tmp_path / "protect" / "msgspec" / "__init__.py").unlink()
    assert "msgspec" in probe("protect", tmp_path / "protect", boto3_only).stderr


def test_an_import_inside_a_function_is_noticed_too(tmp_path: Path, boto3_only: Path) -> None:
    assemble("run", tmp_path / "run")
    source = tmp_path / "run" / "shared" / "steps" / "late.py"
    source.write_text("def later():\n    import kubernetes\n")
    assert "No module named 'kubernetes'" in probe("run", tmp_path / "run", boto3_only).stderr


@pytest.mark.parametrize("function", sorted(builder.ROOMS))
def test_a_function_has_exactly_the_rooms_that_its_steps_ask_for(function: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("CATALOG_TABLE", "EVENT_BUS", "AWS_REGION"):
        monkeypatch.setenv(variable, "x")
    module = __import__(f"functions_aws.{function}", fromlist=["handler"])
    wanted: set[str] = set()
    for step in module.handler._steps.values():
        for part in parts_of_rooms(step):
            wanted |= ROOMS_BEHIND[part]
    assert wanted == set(builder.ROOMS[function])


def test_the_template_builds_each_function_with_this_makefile_and_for_this_python() -> None:
    assert {name.removesuffix("Function").lower() for name in FUNCTIONS} == set(builder.ROOMS)
    makefile = (ROOT / "infra" / "aws" / "Makefile").read_text()
    for name in FUNCTIONS:
        assert TEMPLATE["Resources"][name]["Metadata"] == {"BuildMethod": "makefile", "WorkingDirectory": "../.."}
        assert f"build-{name}:\n\t$(call package,{name.removesuffix('Function').lower()})" in makefile
    properties = TEMPLATE["Globals"]["Function"]
    assert properties["Runtime"] == "python{}.{}".format(*builder.RUNTIME_PYTHON)
    assert properties["Architectures"] == ["arm64"]


def test_every_library_has_its_version_in_the_project_file() -> None:
    for function in builder.ROOMS:
        assert len(builder.requirements((*builder.libraries(function), "boto3"))) == len(builder.libraries(function)) + 1


def test_another_python_than_the_runtimes_is_refused_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 12, 1))
    monkeypatch.setattr(sys, "argv", ["package.py", "run", str(tmp_path)])
    assert builder.main() == 1
    assert "Install Python 3.13 and build with PYTHON=<path to it> sam build" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def parts_of_rooms(step: Any) -> set[str]:
    """What a step asks of its rooms, followed through every function and class of the steps that it can reach."""
    pending, known, found = [step], set(), set()
    while pending:
        item = pending.pop()
        if item in known:
            continue
        known.add(item)
        tree = ast.parse(textwrap.dedent(inspect.getsource(item)))
        names = sys.modules[item.__module__].__dict__
        found |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and _is_rooms(node.value)}
        pending += [value for value in _mentioned(tree, names) if _is_of_the_steps(value)]
    return found


def _is_rooms(node: ast.expr) -> bool:
    return ast.unparse(node) in ("rooms", "self._rooms")


def _mentioned(tree: ast.AST, names: dict[str, Any]) -> Iterator[Any]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield names.get(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            owner = names.get(node.value.id)
            if isinstance(owner, ModuleType):
                yield getattr(owner, node.attr, None)


def _is_of_the_steps(value: Any) -> bool:
    is_code = inspect.isfunction(value) or inspect.isclass(value)
    return is_code and value.__module__.startswith("shared.steps.") and value.__module__ != "shared.steps.ports"
