"""Importing the room is cheap: a function pays for the SDKs only when it talks to a cluster."""

from __future__ import annotations

import subprocess
import sys


def test_importing_the_room_imports_no_sdk() -> None:
    code = "import sys, shared.clusters.eks; print({'kubernetes', 'urllib3', 'botocore', 'boto3'} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    assert result.stdout.strip() == "set()"


def test_connecting_imports_neither_the_typed_api_nor_the_models() -> None:
    code = (
        "import sys; from shared.clusters.connection import _new_transport; _new_transport('https://x', 'pem');"
        "heavy = ('kubernetes.client.api.', 'kubernetes.client.models.', 'kubernetes.aio');"
        "print([name for name in sys.modules if name.startswith(heavy)])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    assert result.stdout.strip() == "[]"
