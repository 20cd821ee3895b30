"""How long a dead child's place stays empty."""

from __future__ import annotations

from dataclasses import dataclass

FIRST = 0.5
"""Seconds before the first replacement; twice as long after each further death."""

CEILING = 5.0
"""Seconds that no place stays empty longer than."""

SETTLED = 30.0
"""Seconds of life after which earlier deaths are forgotten."""


@dataclass(slots=True)
class Backoff:
    """0.5, 1, 2, 4, 5, 5 ... seconds; 0.5 again after a child that lived for 30 s."""

    _next: float = FIRST

    def after(self, lived: float) -> float:
        """Seconds to wait, after a child that lived for ``lived`` seconds."""
        delay = FIRST if lived >= SETTLED else self._next
        self._next = min(2 * delay, CEILING)
        return delay
