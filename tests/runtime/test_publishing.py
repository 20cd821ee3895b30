"""What handlers publish: where it comes from, and that a second run does not publish it twice."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import BaseModel

from glam_shared.messaging import Subjects
from glam_worker import EventContext, Retry, RetryPolicy
from glam_worker.testing import WorkerFactory

PLACED = "evt.order.placed.v1"
BILLED = "evt.order.billed.v1"
SHIPPED = "evt.order.shipped.v1"


class Order(BaseModel):
    number: int = 1


async def test_what_a_handler_publishes_names_its_cause(worker: WorkerFactory) -> None:
    """The correlation id is carried on, the event recorded as the cause, the service as source."""

    @worker.on(PLACED, Order)
    async def bill(order: Order, event: EventContext) -> None:
        await event.publish(BILLED, Order(number=order.number + 1))

    async with worker(service="billing") as bench:
        cause = await bench.publish(PLACED, Order(number=4), correlation_id="corr_1")
        await bench.finished(cause)
        (billed,) = await bench.published(BILLED)

    assert billed.event_type == BILLED
    assert billed.correlation_id == "corr_1"
    assert billed.source_service == "billing"
    assert billed.metadata["causation_id"] == cause
    assert billed.data == {"number": 5}


async def test_publish_returns_the_id_of_the_stored_event(worker: WorkerFactory) -> None:
    """What ``publish`` returns is what a consumer of the event reads."""
    returned: list[str] = []

    @worker.on(PLACED, Order)
    async def bill(order: Order, event: EventContext) -> None:
        returned.append(await event.publish(BILLED, Order()))

    async with worker() as bench:
        await bench.finished(await bench.publish(PLACED, Order()))
        (billed,) = await bench.published()

    assert returned == [billed.event_id]


async def forgets(order: Order, event: EventContext) -> None:
    """Forgets to await."""
    event.publish(BILLED, order)  # type: ignore[unused-coroutine] # noqa: RUF100


async def forgets_after_waiting(order: Order, event: EventContext) -> None:
    """Waits, awaits one, forgets another."""
    await event.publish(SHIPPED, order)
    event.publish(BILLED, order)  # type: ignore[unused-coroutine]


@pytest.mark.parametrize("handler", [forgets, forgets_after_waiting])
@pytest.mark.parametrize("idempotent", [False, True])
async def test_a_publish_that_is_not_awaited_fails_the_run(
    worker: WorkerFactory, handler: Callable[..., Any], idempotent: bool
) -> None:
    """Nothing was published, so the event is not handled: the error names handler and line."""
    worker.on(PLACED, Order, retry=RetryPolicy(attempts=2), idempotent=idempotent)(handler)
    with warnings.catch_warnings(action="error"):
        async with worker() as bench:
            last = await bench.finished(await bench.publish(PLACED, Order()))
            (letter,) = await bench.dead_letters()

    line = handler.__code__.co_firstlineno + (2 if handler is forgets else 3)
    assert (last.reason, last.attempt) == ("exhausted", 2)
    assert letter.about.error == "NotAwaitedError"
    assert letter.about.message.startswith(
        f"{handler.__name__}() did not await event.publish() to {BILLED} at {__file__}:{line}: "
    )


async def test_publishing_side_by_side_is_awaited(worker: WorkerFactory) -> None:
    """``gather``, a later await and a task of the handler's own are no mistake."""
    tasks: list[asyncio.Task[str]] = []

    @worker.on(PLACED, Order)
    async def bill(order: Order, event: EventContext) -> None:
        await asyncio.gather(*(event.publish(BILLED, Order(number=n)) for n in range(9)))
        first = event.publish(SHIPPED, Order(number=1))
        await event.publish(SHIPPED, Order(number=2))
        await first
        tasks.append(asyncio.create_task(event.publish(SHIPPED, Order(number=3))))

    async with worker() as bench:
        last = await bench.finished(await bench.publish(PLACED, Order()))
        await asyncio.gather(*tasks)
        stored = await bench.published()

    assert (last.outcome, last.attempt) == ("ack", 1)
    assert len(stored) == 12


async def test_a_second_run_does_not_publish_twice(worker: WorkerFactory) -> None:
    """Ids are derived from the event, so the stream drops what an earlier run published."""
    returned: list[list[str]] = []

    @worker.on(PLACED, Order)
    async def bill(order: Order, event: EventContext) -> None:
        ids = [
            await event.publish(BILLED, Order(number=1)),
            await event.publish(BILLED, Order(number=1)),
            await event.publish(BILLED, Order(number=2)),
            await event.publish(SHIPPED, Order(number=1)),
        ]
        returned.append(ids)
        if event.attempt < 3:
            raise Retry

    async with worker() as bench:
        await bench.finished(await bench.publish(PLACED, Order()))
        stored = await bench.published()

    assert returned[0] == returned[1] == returned[2]
    assert sorted(event.event_id for event in stored) == sorted(returned[0])
    assert len(set(returned[0])) == 4


async def test_a_changed_payload_is_never_swallowed(worker: WorkerFactory) -> None:
    """A run that publishes something else than the one before is heard."""

    @worker.on(PLACED, Order)
    async def bill(order: Order, event: EventContext) -> None:
        await event.publish(BILLED, Order(number=event.attempt))
        if event.attempt < 2:
            raise Retry

    async with worker() as bench:
        await bench.finished(await bench.publish(PLACED, Order()))
        stored = await bench.published()

    assert [event.data["number"] for event in stored] == [1, 2]


async def test_a_key_makes_changed_payloads_the_same_event(worker: WorkerFactory) -> None:
    """With ``key`` the first payload stands, whatever a later run would publish."""

    @worker.on(PLACED, Order)
    async def bill(order: Order, event: EventContext) -> None:
        await event.publish(BILLED, Order(number=event.attempt), key="invoice")
        await event.publish(BILLED, Order(number=event.attempt), key="reminder")
        if event.attempt < 2:
            raise Retry

    async with worker() as bench:
        await bench.finished(await bench.publish(PLACED, Order()))
        stored = await bench.published()

    assert [event.data["number"] for event in stored] == [1, 1]


async def test_two_handlers_and_two_events_publish_events_of_their_own(
    worker: WorkerFactory,
) -> None:
    """The same data from another handler, or because of another event, is another event."""

    async def bill(order: Order, event: EventContext) -> None:
        await event.publish(BILLED, Order())

    for name in ("one", "two"):
        worker.on(PLACED, Order, name=name)(bill)

    async with worker() as bench:
        for _ in range(2):
            await bench.publish(PLACED, Order())
        await bench.idle()
        stored = await bench.published()

    assert len({event.event_id for event in stored}) == 4


async def test_a_thread_publishes_with_publish_sync(worker: WorkerFactory) -> None:
    """``def`` handlers publish too, and block until the event is stored."""

    @worker.on(PLACED, Order)
    def bill(order: Order, event: EventContext) -> None:
        event.publish_sync(BILLED, Order())
        if event.attempt == 1:
            raise Retry

    async with worker() as bench:
        await bench.finished(await bench.publish(PLACED, Order(), correlation_id="corr_1"))
        (billed,) = await bench.published()

    assert billed.correlation_id == "corr_1"


async def test_publish_sync_on_the_loop_says_what_to_do(worker: WorkerFactory) -> None:
    """An async handler that would block the loop gets an error that names the other call."""

    @worker.on(PLACED, Order)
    async def bill(order: Order, event: EventContext) -> None:
        event.publish_sync(BILLED, Order())

    async with worker() as bench:
        settled = await bench.settled(await bench.publish(PLACED, Order()))

    assert "await event.publish(" in str(settled.error)


async def test_events_lead_to_events(worker: WorkerFactory) -> None:
    """A chain of handlers shares one correlation id; ``idle`` waits for all of it."""
    seen: list[tuple[str, str]] = []

    @worker.on(PLACED, Order)
    async def bill(order: Order, event: EventContext) -> None:
        seen.append(("bill", event.correlation_id))
        await event.publish(BILLED, order)

    @worker.on(BILLED, Order)
    async def ship(order: Order, event: EventContext) -> None:
        seen.append(("ship", event.correlation_id))
        await event.publish(SHIPPED, order)

    @worker.on(SHIPPED, Order)
    async def thank(order: Order, event: EventContext) -> None:
        await asyncio.sleep(0.05)
        seen.append(("thank", event.correlation_id))

    async with worker() as bench:
        await bench.publish(PLACED, Order(), correlation_id="corr_1")
        await bench.idle()

    assert seen == [("bill", "corr_1"), ("ship", "corr_1"), ("thank", "corr_1")]


@pytest.mark.parametrize(
    "subject", [str(Subjects.MERCHANT_CREATED), "retry.due.shop.place", "orders"]
)
async def test_what_may_not_be_published_is_an_error_of_the_run(
    worker: WorkerFactory, subject: str
) -> None:
    """Another model than the catalogue's, or a subject that is no event's, is not published."""

    @worker.on(PLACED, Order)
    async def bill(order: Order, event: EventContext) -> None:
        await event.publish(subject, Order())

    async with worker() as bench:
        settled = await bench.settled(await bench.publish(PLACED, Order()))
        stored = await bench.published()

    assert settled.error is not None
    assert subject in str(settled.error)
    assert stored == []


async def test_a_payload_that_is_no_model_is_told(worker: WorkerFactory) -> None:
    """A dict would fail somewhere inside, with words about what we do with it."""

    @worker.on(PLACED, Order, retry=RetryPolicy(attempts=1))
    async def bill(order: Order, event: EventContext) -> None:
        payload: Any = {"id": "o1"}
        await event.publish("evt.order.billed.v1", payload)

    async with worker() as bench:
        settled = await bench.settled(await bench.publish(PLACED, Order()))

    assert "a pydantic model, found dict" in str(settled.error)
