"""What a handler may raise, and what works inside of it."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from pydantic import BaseModel

from glam_worker import EventContext, Reject, Retry, Snooze
from glam_worker.testing import WorkerFactory

SUBJECT = "evt.order.placed.v1"


class Order(BaseModel):
    number: int = 1


@pytest.mark.parametrize(
    "error", [SystemExit(3), asyncio.CancelledError(), BaseException("base")], ids=repr
)
@pytest.mark.parametrize("waits", [False, True])
async def test_an_exception_that_would_end_a_program_is_a_failure_of_the_event(
    worker: WorkerFactory, error: BaseException, waits: bool
) -> None:
    """``sys.exit()`` in a handler, or a cancellation of its own, fails the run and no more."""

    @worker.on(SUBJECT, Order)
    async def place(order: Order, event: EventContext) -> None:
        if waits:
            await asyncio.sleep(0)
        if order.number == 1 and event.attempt == 1:
            raise error

    async with worker() as bench:
        bad = await bench.publish(SUBJECT, Order(number=1))
        good = await bench.publish(SUBJECT, Order(number=2))
        first = await bench.settled(bad)
        assert (await bench.finished(good)).outcome == "ack"
        assert (await bench.finished(bad)).attempt == 2

    assert first.outcome == "parked"
    assert first.error is error


@pytest.mark.parametrize("error", [SystemExit(3), KeyError("x"), StopIteration()], ids=repr)
async def test_what_a_thread_raises_is_a_failure_of_the_event(
    worker: WorkerFactory, error: BaseException
) -> None:
    """A ``def`` handler's error, ``SystemExit`` included, is retried like any other."""

    @worker.on(SUBJECT, Order)
    def place(order: Order, event: EventContext) -> None:
        if event.attempt == 1:
            raise error

    async with worker() as bench:
        event_id = await bench.publish(SUBJECT, Order())
        assert (await bench.settled(event_id)).outcome == "parked"
        assert (await bench.finished(event_id)).outcome == "ack"


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (ExceptionGroup("g", [Reject("no")]), "dead_letter"),
        (ExceptionGroup("g", [ExceptionGroup("h", [Snooze(after=5)])]), "parked"),
        (ExceptionGroup("g", [KeyError("a"), ValueError("b")]), "parked"),
    ],
    ids=["reject", "nested snooze", "two errors"],
)
async def test_a_group_with_one_error_is_that_error(
    worker: WorkerFactory, error: Exception, outcome: str
) -> None:
    """What a task group wraps around a handler's own exception does not hide what it meant."""

    @worker.on(SUBJECT, Order)
    async def place(order: Order, event: EventContext) -> None:
        if event.attempt == 1 and not event.headers.get("again"):
            raise error

    async with worker() as bench:
        settled = await bench.settled(await bench.publish(SUBJECT, Order()))

    assert settled.outcome == outcome


async def test_timeouts_and_task_groups_work_inside_of_a_handler(worker: WorkerFactory) -> None:
    """``asyncio.timeout``, ``TaskGroup`` and ``wait_for`` behave as in any task."""
    done: list[str] = []

    @worker.on(SUBJECT, Order, concurrency=4)
    async def place(order: Order) -> None:
        match order.number:
            case 1:
                async with asyncio.timeout(10):
                    await asyncio.sleep(0.001)
                done.append("timeout kept")
            case 2:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(0.01):
                        await asyncio.Event().wait()
                done.append("timeout passed")
            case 3:
                async with asyncio.TaskGroup() as group:
                    one = group.create_task(asyncio.sleep(0.001, "a"))
                    two = group.create_task(asyncio.sleep(0.001, "b"))
                done.append(one.result() + two.result())
            case 4:
                async with asyncio.TaskGroup() as group:
                    group.create_task(asyncio.Event().wait())
                    group.create_task(_raise(Reject("from a task")))
            case 5:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(asyncio.Event().wait(), 0.01)
                done.append("waited")
            case 6:
                task = asyncio.current_task()
                await asyncio.sleep(0)
                assert asyncio.current_task() is task
                done.append("one task")

    async with worker() as bench:
        events = [await bench.publish(SUBJECT, Order(number=number)) for number in range(1, 7)]
        outcomes = [(await bench.finished(event)).outcome for event in events]

    assert outcomes == ["ack", "ack", "ack", "dead_letter", "ack", "ack"]
    assert sorted(done) == ["ab", "one task", "timeout kept", "timeout passed", "waited"]


async def _raise(error: Exception) -> None:
    raise error


async def test_retry_at_any_depth_is_understood(worker: WorkerFactory) -> None:
    """What is raised far below the handler means the same as in it."""

    async def deep(level: int) -> None:
        if level == 0:
            raise Retry(after=12)
        await deep(level - 1)

    @worker.on(SUBJECT, Order)
    async def place(order: Order) -> None:
        await deep(50)

    async with worker() as bench:
        settled = await bench.settled(await bench.publish(SUBJECT, Order()))

    assert (settled.outcome, settled.delay) == ("parked", 12.0)
