"""What counts as growing."""

from __future__ import annotations

import pytest

from tests.soak.samples import grown

FLAT = {"resident": 80e6, "files": 12, "threads": 5, "tasks": 20}


def test_what_is_flat_has_not_grown() -> None:
    """Neither has what was high for a moment."""
    assert grown([*[FLAT] * 70, FLAT | {"tasks": 400}, *[FLAT] * 49]) == []


@pytest.mark.parametrize("name", FLAT)
def test_a_leak_is_found(name: str) -> None:
    """A little more at each sample."""
    leak = [FLAT | {name: FLAT[name] * (1 + number / 50)} for number in range(120)]
    assert [text.split()[0] for text in grown(leak)] == [name]
