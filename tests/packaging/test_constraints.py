"""The pinned requirements: complete, hashed, and without addresses."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "constraints").glob("*.txt"))
PIN = re.compile(
    r"^([a-z0-9-]+)==([^ ;\\]+)(?: ; [^\\]+)?((?: \\\n    --hash=sha256:[0-9a-f]{64})+)$"
)


def pins(file: Path) -> dict[str, Version]:
    """Names and versions of *file*; fails on an entry that is not a name, a version and hashes."""
    entries = re.split(r"\n(?=\S)", file.read_text().strip())
    matches = [PIN.match(entry) for entry in entries]
    assert [entry for entry, match in zip(entries, matches, strict=True) if match is None] == []
    return {match[1]: Version(match[2]) for match in matches if match}


def requirements(*extras: str) -> list[Requirement]:
    """What pyproject.toml asks for, with *extras*."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    optional = project["optional-dependencies"]
    lines = [*project["dependencies"], *(line for extra in extras for line in optional[extra])]
    return [Requirement(line) for line in lines if not line.startswith("glam-worker[")]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_requirement_is_pinned_by_version_and_hash(file: Path) -> None:
    """Each entry is a name, one version and sha256 hashes, and nothing else: no address."""
    assert pins(file)


@pytest.mark.parametrize(
    ("name", "extras"),
    [
        ("worker", ()),
        ("demo", ("http", "embedded")),
        ("dev", ("http", "embedded", "testing", "dev", "bench")),
    ],
)
def test_the_pins_satisfy_the_project(name: str, extras: tuple[str, ...]) -> None:
    """What pyproject.toml asks for is pinned, at a version that it allows."""
    pinned = pins(ROOT / "constraints" / f"{name}.txt")

    unmet = [
        str(requirement)
        for requirement in requirements(*extras)
        if pinned.get(canonicalize_name(requirement.name), Version("0"))
        not in requirement.specifier
    ]

    assert unmet == []


@pytest.mark.parametrize("name", ["build", "demo", "worker"])
def test_the_files_agree_with_one_resolution(name: str) -> None:
    """A smaller file pins what dev.txt pins, so what is tested is what is installed."""
    pinned, tested = (pins(ROOT / "constraints" / f"{part}.txt") for part in (name, "dev"))

    assert pinned.items() <= tested.items()
