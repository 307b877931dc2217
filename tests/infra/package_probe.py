"""Runs inside a bare interpreter that sees one package and boto3: `python -I -S package_probe.py FUNCTION PACKAGE BOTO3`.

Imports every module of the package, executes every import that stands anywhere in it, calls the handler, and goes as far
towards a cluster and a pod as is possible without a network.
"""

from __future__ import annotations

import ast
import asyncio
import importlib
import os
import sys
from pathlib import Path
from types import SimpleNamespace

FUNCTION, PACKAGE, BOTO3 = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
NOBODY_LISTENS = "127.0.0.1:1"


def main() -> None:
    sys.path += [str(PACKAGE), BOTO3]
    os.environ |= {"CATALOG_TABLE": "catalog", "EVENT_BUS": "bus", "AWS_REGION": "ap-northeast-1"}
    os.environ |= {"AWS_ACCESS_KEY_ID": "none", "AWS_SECRET_ACCESS_KEY": "none"}
    call_handler()
    for name, source in product_modules():
        importlib.import_module(name)
        for statement in imports(source):
            exec(statement, {})
    if (PACKAGE / "shared" / "clusters").exists():
        reach_for_a_cluster()
    if (PACKAGE / "shared" / "scalar").exists():
        asyncio.run(reach_for_a_pod())


def call_handler() -> None:
    """A step that does not exist: settings, rooms, logger and error path are used, and nothing else."""
    handler = importlib.import_module(f"functions_aws.{FUNCTION}").handler
    try:
        handler({"step": "none"}, SimpleNamespace(aws_request_id="1"))
    except Exception as error:
        if type(error).__name__ != "InvalidRequest":
            raise
    handler.close()


def product_modules() -> list[tuple[str, Path]]:
    found = []
    for folder in ("shared", "functions_aws"):
        for path in sorted((PACKAGE / folder).rglob("*.py")):
            parts = path.relative_to(PACKAGE).with_suffix("").parts
            found.append((".".join(part for part in parts if part != "__init__"), path))
    return found


def imports(source: Path) -> list[str]:
    """Every import statement of a file, also those inside functions, except what only type checkers read.

    Rooms that this package does not have are left out: the wiring mentions all, and its functions never ask for these.
    """
    tree = ast.parse(source.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = [ast.Pass()]
    statements = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    return [ast.unparse(node) for node in statements if not _is_absent_room(node)]


def _is_absent_room(node: ast.Import | ast.ImportFrom) -> bool:
    parts = (getattr(node, "module", None) or "").split(".")
    return parts[0] == "shared" and len(parts) > 1 and not list((PACKAGE / "shared").glob(f"{parts[1]}*"))


def reach_for_a_cluster() -> None:
    from botocore.credentials import Credentials

    from shared.clusters.api import KubernetesApi
    from shared.clusters.eks_token import EksTokens
    from shared.model.errors import Unreachable

    tokens = EksTokens("prod", "ap-northeast-1", "sts.ap-northeast-1.amazonaws.com", Credentials("none", "none"))
    try:
        KubernetesApi(f"https://{NOBODY_LISTENS}", "", tokens, name="prod", sleep=lambda _: None).server_version()
    except Unreachable:
        return
    raise AssertionError("A closed port answered.")


async def reach_for_a_pod() -> None:
    from shared.model.pods import AdminTarget
    from shared.scalar.admin import AdminClient
    from shared.system_clock import SystemClock

    host, port = NOBODY_LISTENS.split(":")
    client = AdminClient(SystemClock(), call_timeout_seconds=0.2)
    sample = await client.check_paused([AdminTarget(pod="a", uid="a", host=host, port=int(port), port_source="test")])
    assert sample.unknown == ("a",), sample
    await client.close()


main()
