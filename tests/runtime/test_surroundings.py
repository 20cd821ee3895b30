"""What a run finds around it: context, correlation id, log, state of its module."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import BaseModel

from glam_shared.correlation import get_correlation_context, set_correlation_context
from glam_worker import EventContext
from glam_worker.testing import WorkerFactory

SUBJECT = "evt.order.placed.v1"

SEEN: contextvars.ContextVar[int | None] = contextvars.ContextVar("seen", default=None)


class Order(BaseModel):
    number: int = 1


@pytest.mark.parametrize("kind", ["returns at once", "waits", "in a thread"])
async def test_a_context_variable_of_one_run_is_not_seen_by_the_next(
    worker: WorkerFactory, kind: str
) -> None:
    """Each run has a context of its own, also when it shares its task with others."""
    leaked: list[int | None] = []

    async def on_loop(order: Order) -> None:
        leaked.append(SEEN.get())
        SEEN.set(order.number)
        if kind == "waits":
            await asyncio.sleep(0.001)
            assert SEEN.get() == order.number

    def in_thread(order: Order) -> None:
        leaked.append(SEEN.get())
        SEEN.set(order.number)

    worker.on(SUBJECT, Order, name="place", concurrency=2)(
        in_thread if kind == "in a thread" else on_loop
    )
    async with worker() as bench:
        for number in range(20):
            await bench.publish(SUBJECT, Order(number=number))
        await bench.idle()

    assert leaked == [None] * 20
    assert SEEN.get() is None


@pytest.mark.parametrize("in_thread", [False, True])
async def test_the_correlation_id_of_the_event_is_the_runs(
    worker: WorkerFactory, in_thread: bool
) -> None:
    """Whatever asks for the correlation id inside of a handler gets the event's."""
    found: list[str | None] = []

    async def on_loop(order: Order) -> None:
        found.append(get_correlation_context())
        set_correlation_context("another")

    def plain(order: Order) -> None:
        found.append(get_correlation_context())

    worker.on(SUBJECT, Order, name="place")(plain if in_thread else on_loop)
    async with worker() as bench:
        for number in range(3):
            event_id = await bench.publish(SUBJECT, Order(), correlation_id=f"corr_{number}")
            await bench.finished(event_id)

    assert found == ["corr_0", "corr_1", "corr_2"]


async def test_a_users_own_log_lines_carry_the_run(
    worker: WorkerFactory, caplog: pytest.LogCaptureFixture
) -> None:
    """``event.log`` and plain ``logging`` inside of a handler both work without set-up."""

    @worker.on(SUBJECT, Order)
    async def place(order: Order, event: EventContext) -> None:
        logging.getLogger("mine").warning("plain line")
        event.log.warning("context line", extra={"number": order.number})

    async with worker() as bench:
        await bench.finished(await bench.publish(SUBJECT, Order()))

    assert "plain line" in caplog.text


async def test_the_context_tells_the_event(worker: WorkerFactory) -> None:
    """Every property of the context has the event's value."""
    seen: dict[str, Any] = {}

    @worker.lifespan
    async def shop() -> AsyncIterator[dict[str, int]]:
        yield {"pool": 7}

    @worker.on(SUBJECT, Order, timeout=20)
    async def place(order: Order, event: EventContext) -> None:
        names = ("event_type", "correlation_id", "source_service", "timestamp", "metadata")
        names += ("subject", "stream", "sequence", "attempt", "state", "deadline")  # type: ignore[assignment]
        names += ("shutting_down",)  # type: ignore[assignment]
        seen.update({name: getattr(event, name) for name in names})

    moment = datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)
    async with worker() as bench:
        await bench.finished(
            await bench.publish(
                SUBJECT,
                Order(),
                correlation_id="corr_1",
                source_service="shop",
                metadata={"a": 1},
                timestamp=moment,
            )
        )

    left = (seen.pop("deadline") - datetime.now(UTC)).total_seconds()
    assert 10 < left <= 20
    assert seen == {
        "event_type": SUBJECT,
        "correlation_id": "corr_1",
        "source_service": "shop",
        "timestamp": moment,
        "metadata": {"a": 1},
        "subject": SUBJECT,
        "stream": "GLAM_EVENTS",
        "sequence": 1,
        "attempt": 1,
        "state": {"pool": 7},
        "shutting_down": False,
    }


async def test_lifespans_are_entered_before_work_and_left_after_drain(
    worker: WorkerFactory,
) -> None:
    """What the lifespan set up is there for every run, and taken down after the last."""
    course: list[str] = []
    running = asyncio.Event()

    @worker.lifespan
    async def shop() -> AsyncIterator[str]:
        course.append("entered")
        yield "pool"
        course.append("left")

    @worker.on(SUBJECT, Order)
    async def place(order: Order, event: EventContext) -> None:
        running.set()
        await asyncio.sleep(0.1)
        course.append(f"ran with {event.state}")

    async with worker() as bench:
        await bench.publish(SUBJECT, Order())
        await running.wait()

    assert course == ["entered", "ran with pool", "left"]


async def test_a_lifespan_that_fails_stops_the_start(worker: WorkerFactory) -> None:
    """The error comes through, what was entered is left, and nothing stays connected."""
    left: list[bool] = []

    @worker.lifespan
    async def shop() -> AsyncIterator[None]:
        try:
            raise ConnectionError("no database")
            yield
        finally:
            left.append(True)

    @worker.on(SUBJECT, Order)
    async def place(order: Order) -> None: ...

    with pytest.raises(ConnectionError, match="no database"):
        await worker()
    assert left == [True]
