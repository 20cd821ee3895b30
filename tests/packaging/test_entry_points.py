"""What the installation adds to a machine: a command, and pytest's plugin."""

from __future__ import annotations

import importlib
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]


def declared() -> Iterator[str]:
    """The targets of scripts and entry points."""
    for group in (PROJECT["scripts"], *PROJECT.get("entry-points", {}).values()):
        yield from group.values()


@pytest.mark.parametrize("target", list(declared()))
def test_an_entry_point_leads_somewhere(target: str) -> None:
    """The module of an entry point can be imported, and has what is named after the colon."""
    module, _, attribute = target.partition(":")

    assert hasattr(importlib.import_module(module), attribute or "__name__")
