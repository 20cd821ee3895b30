"""The unit for systemd."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from glam_worker import Settings
from tests.deploy.queries import DEPLOY

UNIT = DEPLOY / "systemd" / "glam-worker@.service"

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not on the PATH"
)


def analyzed(*arguments: str) -> tuple[int, str]:
    """Exit code and output of systemd-analyze, which asks no running systemd."""
    command = ["systemd-analyze", *arguments]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


@needs_systemd
def test_every_line_is_one_that_systemd_knows(tmp_path: Path) -> None:
    """The unit is correct; its program is put where there is one."""
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace("/opt/%i/.venv/bin/glam-worker", "/bin/true"))

    code, said = analyzed("verify", "--man=no", str(unit))

    assert (code, said) == (0, "")


@needs_systemd
def test_little_is_exposed() -> None:
    """On systemd's scale of 0 to 10 the worker's exposure is below 2."""
    code, said = analyzed("security", "--offline=yes", "--threshold=20", str(UNIT))

    assert code == 0, said


def test_the_kill_comes_after_the_grace() -> None:
    """What drains is not killed."""
    lines = dict(line.split("=", 1) for line in UNIT.read_text().splitlines() if "=" in line)

    assert float(lines["TimeoutStopSec"]) >= Settings(_env_file=None).shutdown_grace + 5
    assert lines["RestartPreventExitStatus"] == "2"
