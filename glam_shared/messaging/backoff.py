"""How long to wait before the next attempt to reach a server."""

from __future__ import annotations

import random

_FIRST = 0.05
_CEILING = 1.0
_REFUSED_CEILING = 5.0


def reconnect_delay(round_: int, *, refused: bool = False) -> float:
    """Seconds before round *round_* (0-based) over the servers, jittered by half.

    The ceiling is 1 s, so that a server that is back is used at once, and 5 s while the server
    refuses our credentials. The jitter keeps a hundred workers from coming back together.
    """
    ceiling = _REFUSED_CEILING if refused else _CEILING
    whole: float = min(ceiling, _FIRST * 2.0 ** min(round_, 16))
    return whole * random.uniform(0.5, 1.0)  # noqa: S311
