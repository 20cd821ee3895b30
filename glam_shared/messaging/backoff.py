"""How long to wait before the next attempt to reach a server."""

from __future__ import annotations

import random

_FIRST = 0.05
_CEILING = 1.0
_REFUSED_CEILING = 5.0
_LASTING = 10.0
"""Seconds after which a connection has not ended for what was asked of the server at its start."""


def reconnect_delay(round_: int, *, refused: bool = False) -> float:
    """Seconds before round *round_* (0-based) over the servers, jittered by half.

    The ceiling is 1 s, so that a server that is back is used at once, and 5 s while the server
    refuses our credentials. The jitter keeps a hundred workers from coming back together.
    """
    ceiling = _REFUSED_CEILING if refused else _CEILING
    whole: float = min(ceiling, _FIRST * 2.0 ** min(round_, 16))
    return whole * random.uniform(0.5, 1.0)  # noqa: S311


class Relapses:
    """Counts connections in a row that the server ended soon after they stood.

    A user who may have no more subscriptions is one: connecting works each time.
    """

    def __init__(self) -> None:
        self._count = 0
        self._since = 0.0

    def stands(self, now: float) -> None:
        """A connection stands."""
        self._since = now

    def delay(self, now: float) -> float:
        """Seconds before the next, after this one has ended; none after one that lasted."""
        self._count = 0 if now - self._since >= _LASTING else self._count + 1
        return reconnect_delay(self._count, refused=True) if self._count else 0.0
