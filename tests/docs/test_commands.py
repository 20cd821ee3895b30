"""What the pages say about commands is true of this version."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer

from glam_worker.cli.app import app
from tests.docs.pages import ALL, blocks_of, name_of


def _commands() -> set[str]:
    return set(typer.main.get_command(app).commands)  # type: ignore[attr-defined]


@pytest.mark.parametrize("page", ALL, ids=name_of)
def test_a_page_shows_only_commands_that_exist(page: Path) -> None:
    """Nobody types what the program does not know."""
    shown = [
        command
        for block in blocks_of(page)
        if block.language == "console"
        for command in re.findall(r"^\$ .*?\bglam-worker ([a-z]+)", block.text, re.MULTILINE)
    ]

    assert [] == [command for command in shown if command not in _commands()]
