"""What time it is for the server, at the price of an addition."""

from __future__ import annotations

import time
from datetime import datetime


class EpochClock:
    """How far the server's clock is ahead of our monotonic one; until told, our own wall clock is.

    Ages of events are differences to moments that the server wrote down, so they are taken by its
    clock: a machine whose clock is wrong would shift all of them.
    """

    __slots__ = ("ahead",)

    def __init__(self) -> None:
        self.ahead = time.time() - time.monotonic()
        """Seconds to add to ``time.monotonic()`` for seconds since the epoch."""

    def set(self, server_time: datetime) -> None:
        """It is this time for the server."""
        self.ahead = server_time.timestamp() - time.monotonic()
