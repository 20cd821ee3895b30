"""The table of faults names tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROWS = re.findall(r"^\| (\d+) \| (.*)$", (HERE / "README.md").read_text(), re.MULTILINE)


def test_every_row_is_in_the_table() -> None:
    """From 1 to 58, each once."""
    assert [int(number) for number, _ in ROWS] == list(range(1, 59))


@pytest.mark.parametrize(("number", "text"), ROWS)
def test_the_tests_of_a_row_exist(number: str, text: str) -> None:
    """Each row names a test that there is, or says why it was not tried."""
    named = re.findall(r"`([\w./]+\.py)::(\w+)`", text)
    assert named or "not tried:" in text or "nothing to try:" in text
    for path, name in named:
        assert re.search(rf"def {name}\b", (HERE / path).read_text()), f"{path}::{name}"
