"""One running container: a process of its own session, with its own environment, folder and log."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from infra.sandbox.cluster.dying import die_with_the_parent


@dataclass(frozen=True)
class Launch:
    """What to start. `root` is the folder that stands for the container's file system."""

    image: str
    address: str
    root: Path
    environment: dict[str, str]
    log: Path
    arguments: tuple[str, ...] = ()


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
                preexec_fn=die_with_the_parent,  # a node that is killed takes its containers along
            )
        return cls(process)

    async def wait(self) -> int:
        """The exit code, 128 + signal number for a process that a signal ended, as container runtimes report it."""
        code = await self._process.wait()
        return code if code >= 0 else 128 - code

    def signal(self, number: signal.Signals) -> None:
        """Signals the main process. One that has ended already is left alone."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)

    def kill(self) -> None:
        """Ends the process and everything it has started."""
        if self._process.returncode is None:
            # Between the end of a process and the word of it, its number belongs to nobody.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
