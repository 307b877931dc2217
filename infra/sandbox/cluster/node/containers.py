"""One running container: a process of its own session, with its own environment, folder and log."""

from __future__ import annotations

import asyncio
import ctypes
import os
import secrets
import signal
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

_PR_SET_PDEATHSIG = 1
_prctl = ctypes.CDLL(None).prctl


@dataclass(frozen=True)
class Launch:
    """What to start. `root` is the folder that stands for the container's file system."""

    image: str
    address: str
    root: Path
    environment: dict[str, str]
    log: Path


class ContainerProcess:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.id = f"containerd://{secrets.token_hex(32)}"
        self.started_at = datetime.now(UTC)

    @classmethod
    async def start(cls, command: list[str], launch: Launch) -> Self:
        """Starts `command`. Raises OSError when the program cannot be run."""
        with launch.log.open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *command,
                cwd=launch.root,
                env=launch.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=_die_with_the_node,
            )
        return cls(process)

    async def wait(self) -> int:
        """The exit code, 128 + signal number for a process that a signal ended, as container runtimes report it."""
        code = await self._process.wait()
        return code if code >= 0 else 128 - code

    def signal(self, number: signal.Signals) -> None:
        """Signals the main process. One that has ended already is left alone."""
        if self._process.returncode is None:
            self._process.send_signal(number)

    def kill(self) -> None:
        """Ends the process and everything it has started."""
        if self._process.returncode is None:
            os.killpg(self._process.pid, signal.SIGKILL)


def _die_with_the_node() -> None:
    # A node that is killed itself takes its containers along; nothing else would ever stop them.
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
