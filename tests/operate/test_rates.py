"""Rates between two looks. Pure."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from glam_worker.operate.handlers import Durable
from glam_worker.operate.rates import WINDOW, Looks, Rates, rates_between
from glam_worker.operate.status import HandlerStatus, Status

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def handler(delivered: int, created: str = "2026-01-01T00:00:00Z", **more: Any) -> HandlerStatus:
    info = {"delivered": {"consumer_seq": delivered}, "created": created}
    known: dict[str, Any] = {
        "service": "shop",
        "handler": "ship",
        "stream": "S",
        "subject": "evt.>",
        "pending": 0,
        "pending_lane": 0,
        "in_flight": 0,
        "redelivered": 0,
        "parked": 0,
        "letters": 0,
        "last_activity": None,
        "workers": "pulling",
        "paused_for": 0.0,
        "drift": (),
        "durables": (Durable("shop", "ship", "main", "S", "shop-ship", info),),
    }
    return HandlerStatus(**(known | more))


def status(second: float, one: HandlerStatus) -> Status:
    return Status(NOW + timedelta(seconds=second), "2.15.1", (), (one,), 0, ())


@pytest.mark.parametrize(
    ("before", "now", "rates"),
    [
        (handler(0), handler(0), Rates(0.0, 0.0, 0.0)),
        (handler(100), handler(200), Rates(10.0, 10.0, 0.0)),
        (handler(100), handler(200, in_flight=50), Rates(5.0, 10.0, 0.0)),
        (handler(100, in_flight=50), handler(100), Rates(5.0, 0.0, 0.0)),
        (handler(0, pending=500), handler(100, pending=400), Rates(10.0, 0.0, 40.0)),
        (handler(0, pending=10), handler(100, pending=510), Rates(10.0, 60.0, 51.0)),
        (handler(0, pending=10), handler(0, pending=10), Rates(0.0, 0.0, math.inf)),
        (handler(0, pending_lane=9), handler(10, pending_lane=4), Rates(1.0, 0.5, 4.0)),
        (handler(0), handler(0, pending=30, paused_for=9.0), Rates(0.0, 3.0, None)),
        (handler(100), handler(1), Rates()),
        (handler(1), handler(100, created="2026-02-01T00:00:00Z"), Rates()),
    ],
)
def test_rates_are_what_two_looks_differ_in(
    before: HandlerStatus, now: HandlerStatus, rates: Rates
) -> None:
    """
    What was handed out and is not in flight was settled; a durable made anew tells nothing.
    """
    assert rates == rates_between(before, now, 10.0)


def test_one_look_tells_no_rate() -> None:
    """
    With a single look, and for a handler that was not there before, nothing is claimed.
    """
    looks = Looks()
    looks.add(status(0, handler(100)))

    assert Rates() == looks.rates(handler(100))


def test_rates_are_taken_over_the_window() -> None:
    """
    Looks older than the window are forgotten, so that a burst long ago is no rate of now.
    """
    looks = Looks()
    for second in range(31):
        looks.add(status(second, handler(1000 if second else 0)))

    assert Rates(0.0, 0.0, 0.0) == looks.rates(handler(1000))
    assert WINDOW < 30
