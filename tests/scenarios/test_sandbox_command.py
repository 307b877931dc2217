"""`python -m infra.sandbox`: what a newcomer pastes into a second terminal leads the command line there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from infra.sandbox.__main__ import main
from infra.sandbox.world import PLAN_NAME, ROOT

START = [sys.executable, "-m", "infra.sandbox"]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}


def test_a_world_is_kept_until_it_is_interrupted_and_its_exports_lead_to_it(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("w") as errors:
        world = subprocess.Popen([*START, "--pods", "1"], stdout=subprocess.PIPE, stderr=errors, text=True, env=ENVIRONMENT)
    assert world.stdout is not None
    try:
        exports = []
        for line in world.stdout:
            exports.append(line)
            if "SCALAR_BACKUP_STACK" in line:
                break
        assert exports, log.read_text()
        script = "".join(exports) + f"scalar-backup plan show {PLAN_NAME} -o json"
        shown = subprocess.run(["sh", "-c", script], capture_output=True, text=True, cwd=ROOT, timeout=60, check=False)
        assert shown.returncode == 0, shown.stderr
        assert f'"{PLAN_NAME}"' in shown.stdout
    finally:
        world.send_signal(signal.SIGINT)
        world.stdout.close()
    assert world.wait(30) == 0, log.read_text()


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (["--pods", "0"], "--pods must be 1 to"),
        (["--control-plane", "kind"], "choose stand-in or real"),
        (["--control-plane", "real"], "KUBEBUILDER_ASSETS (/nowhere) names no folder"),
    ],
)
def test_what_cannot_be_started_is_told_before_anything_starts(
    options: list[str], word: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KUBEBUILDER_ASSETS", "/nowhere")
    monkeypatch.setattr(sys, "argv", ["sandbox", *options])
    with pytest.raises(SystemExit, match="2"):
        main()
    assert word in " ".join(capsys.readouterr().err.split())
