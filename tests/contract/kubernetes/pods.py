"""Looking at pods whose container is `tiny_program`, from the API's side and from the machine's."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

PORT = 60053


def is_ready(pod: dict[str, Any]) -> bool:
    return any(each["type"] == "Ready" and each["status"] == "True" for each in pod["status"].get("conditions", []))


def ask_pod(pod: dict[str, Any]) -> dict[str, Any]:
    """What the pod's program tells: image, environment, files, pid."""
    with socket.create_connection((pod["status"]["podIP"], PORT), timeout=5) as connection:
        received = b"".join(iter(lambda: connection.recv(65536), b""))
    told: dict[str, Any] = json.loads(received)
    return told


def is_alive(pid: int) -> bool:
    """Whether the process runs; one that has ended and was not waited for yet does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"
