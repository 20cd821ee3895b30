"""Numbers in sentences."""

from __future__ import annotations

__all__ = ["counted"]


def counted(number: int, one: str, many: str | None = None) -> str:
    """``1 attempt``, ``3 attempts``; ``many`` where the plural is not ``one`` with an s."""
    return f"{number} {one if number == 1 else many or f'{one}s'}"
