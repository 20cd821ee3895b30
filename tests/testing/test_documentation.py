"""The examples of docs/testing.md are tests that pass."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "testing.md"
BLOCK = re.compile(r"```(?:python|toml)\n# (?P<name>\S+)\n(?P<text>.*?)```", re.DOTALL)


def run_pytest(folder: Path) -> tuple[int, int]:
    """Exit code of a pytest of its own in the folder, and how many tests passed."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--color=no"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    passed = re.search(r"(\d+) passed", done.stdout)
    print(done.stdout)
    return done.returncode, int(passed[1]) if passed else 0


def test_every_example_passes(tmp_path: Path) -> None:
    """The files of the page, written into an empty folder, are a suite that passes."""
    files = {found["name"]: found["text"] for found in BLOCK.finditer(PAGE.read_text())}
    for name, text in files.items():
        (tmp_path / name).write_text(text)

    tests = sum(text.count("async def test_") for text in files.values())
    assert set(files) > {"pyproject.toml", "shop.py", "test_plain.py", "test_worker.py"}
    assert run_pytest(tmp_path) == (0, tests)


def test_the_fixtures_work_in_strict_mode_too(tmp_path: Path) -> None:
    """Without ``asyncio_mode`` a marked test gets the fixture as well."""
    (tmp_path / "test_strict.py").write_text(
        "import pytest\n\n"
        "@pytest.mark.asyncio\n"
        "async def test_it(worker):\n"
        "    assert worker.url.startswith('nats://test')\n"
    )

    assert run_pytest(tmp_path) == (0, 1)
