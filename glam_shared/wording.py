"""Numbers and durations in sentences."""

from __future__ import annotations

__all__ = ["counted", "seconds"]


def counted(number: int, one: str, many: str | None = None) -> str:
    """``1 attempt``, ``3 attempts``; ``many`` where the plural is not ``one`` with an s."""
    return f"{number} {one if number == 1 else many or f'{one}s'}"


def seconds(value: float) -> str:
    """A duration in the largest unit that fits evenly: ``250 ms``, ``90 s``, ``5 min``, ``7 d``."""
    if 0 < value < 1:
        return f"{value * 1000:.3g} ms"
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if value >= size and value % size == 0:
            return f"{value / size:g} {unit}"
    return f"{value:.3g} s" if value < 100 else f"{value:.0f} s"
