"""Options of a handler: their defaults, their limits, and what a wrong value says."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import BaseModel

from glam_worker import RetryPolicy
from glam_worker.declare.options import HandlerOptions
from glam_worker.declare.registry import Registry
from glam_worker.errors import DeclarationError

SUBJECT = "evt.order.placed.v1"


class Order(BaseModel):
    number: int = 1


async def place(order: Order) -> None: ...


@pytest.mark.parametrize(
    ("option", "values"),
    [
        ("concurrency", [0, -1, 10_001, 1.5, "4", True]),
        ("timeout", [0, -1.0, float("nan"), float("inf"), "30", True]),
        ("ack_wait", [0, 0.05, float("inf"), None]),
        ("retry", [None, 5, {"attempts": 3}]),
        ("stream", ["", "a b", "a.b", "a>"]),
        ("start", ["none", "", datetime(2026, 1, 1), 5, None]),  # noqa: DTZ001
        ("idempotent", [0, 0.5, -1, float("inf"), "yes", None]),
    ],
)
def test_an_option_out_of_range_names_itself_the_value_and_what_is_allowed(
    option: str, values: list[Any]
) -> None:
    """Each wrong value is a declaration error with place, option and what was found."""
    for value in values:
        with pytest.raises(DeclarationError) as caught:
            Registry().on(SUBJECT, Order, **{option: value})(place)
        assert f"{option}={value!r} is not allowed; {option} is " in caught.value.problem
        assert caught.value.where is not None


@pytest.mark.parametrize("name", ["a b", "a.b", "a*", "a/b", "größe", "x" * 65, ">"])
def test_a_name_that_cannot_be_part_of_a_durable_is_refused(name: str) -> None:
    """Names are 1 to 64 of letters, digits, underscore and hyphen."""
    with pytest.raises(DeclarationError, match="1 to 64 of"):
        Registry().on(SUBJECT, Order, name=name)(place)
    with pytest.raises(DeclarationError, match="previously="):
        Registry().on(SUBJECT, Order, previously=name)(place)


def test_every_option_is_kept() -> None:
    """What a declaration sets is what the handler has."""
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    registry = Registry()
    registry.on(
        SUBJECT,
        Order,
        name="placing",
        concurrency=64,
        retry=RetryPolicy(attempts=8),
        timeout=5,
        ack_wait=0.5,
        stream="ORDERS",
        start=moment,
        idempotent=60.0,
        previously=["old", "older"],
    )(place)
    (handler,) = registry.handlers

    assert (handler.name, handler.subject, handler.payload) == ("placing", SUBJECT, Order)
    assert handler.options == HandlerOptions(
        concurrency=64,
        retry=RetryPolicy(attempts=8),
        timeout=5,
        ack_wait=0.5,
        stream="ORDERS",
        start=moment,
        idempotent=60.0,
        previously=("old", "older"),
    )


def test_the_defaults_are_the_documented_ones() -> None:
    """Thirty seconds of timeout and ack_wait, all events, five attempts, not idempotent."""
    registry = Registry()
    registry.on(SUBJECT, Order)(place)
    (handler,) = registry.handlers
    options = handler.options

    assert handler.name == "place"
    assert (options.timeout, options.ack_wait, options.start) == (30.0, 30.0, "all")
    assert (options.concurrency, options.stream, options.previously) == (None, None, ())
    assert options.retry == RetryPolicy(
        attempts=5, first=1.0, factor=4.0, ceiling=300.0, jitter=0.2
    )
    assert options.idempotent is False


@pytest.mark.parametrize(
    ("idempotent", "seconds"), [(False, None), (True, 86_400.0), (60, 60.0), (1.5, 1.5)]
)
def test_idempotent_is_a_day_or_the_seconds_given(idempotent: Any, seconds: float | None) -> None:
    """``True`` remembers a day, a number that many seconds."""
    assert HandlerOptions(idempotent=idempotent).remembered_for == seconds
