"""Which answer the server's time is taken from."""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime, timedelta

from glam_shared.messaging.server_clock import ServerClock


def told(seconds: float) -> str:
    """The moment a server would name whose clock is ``seconds`` ahead of ours."""
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


def test_a_slow_answer_does_not_spoil_a_quick_one() -> None:
    """An answer that took long is less sure than a quick one of late, which stays."""
    clock = ServerClock(logging.getLogger("test"))
    clock.hear(told(0), time.monotonic())

    clock.hear(told(-0.3), time.monotonic() - 0.4)

    assert abs(clock.offset) < 0.01


def test_a_server_whose_clock_was_set_is_believed() -> None:
    """An answer that cannot be squared with the last one replaces it, quick or not."""
    clock = ServerClock(logging.getLogger("test"))
    clock.hear(told(0), time.monotonic())

    clock.hear(told(30), time.monotonic() - 0.2)

    assert 29.5 < clock.offset < 30.5
