"""The make targets that people are told to use."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


def make(*arguments: str) -> str:
    """What `make ARGUMENTS` prints; the jobs of a make around this test are not its own."""
    environment = {name: value for name, value in os.environ.items() if "MAKE" not in name}
    command = ["make", "--no-print-directory", *arguments]
    result = subprocess.run(
        command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True
    )
    return result.stdout


def test_help_lists_every_target() -> None:
    """`make` alone explains each target that is meant for people."""
    declared = set(re.findall(r"^\.PHONY: (\S+)$", (ROOT / "Makefile").read_text(), re.MULTILINE))

    listed = set(re.findall(r"^  ([a-z-]+) ", make(), re.MULTILINE))

    assert listed == declared


@pytest.mark.parametrize("target", ["demo", "demo-http", "test", "test-faults", "lint", "bench"])
def test_a_target_makes_its_own_environment(target: str, tmp_path: Path) -> None:
    """On a machine that has nothing of the project, a target installs what it needs first."""
    steps = make("--dry-run", target, f"VENV={tmp_path / 'venv'}")

    assert steps.index("-m venv") < steps.index("--require-hashes") < steps.index("--editable")
