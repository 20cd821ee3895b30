"""What the distribution holds."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel, built as an installation without build isolation builds it."""
    target = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(target)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return zipfile.ZipFile(next(target.glob("*.whl")))


def test_the_wheel_holds_the_two_typed_packages(wheel: zipfile.ZipFile) -> None:
    """glam_worker and glam_shared are installed, typed, and nothing else is."""
    names = set(wheel.namelist())

    assert {"glam_worker/py.typed", "glam_shared/py.typed"} <= names
    tops = {name.split("/")[0] for name in names}
    assert tops == {"glam_worker", "glam_shared", "glam_worker-0.1.0.dist-info"}


def test_every_source_file_is_in_the_wheel(wheel: zipfile.ZipFile) -> None:
    """No module of the two packages is left out."""
    sources = {
        str(path.relative_to(ROOT))
        for package in ("glam_worker", "glam_shared")
        for path in (ROOT / package).rglob("*.py")
    }

    assert sources - set(wheel.namelist()) == set()
