"""Runs that take too long, or that nothing can stop, and what is held meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time

from pydantic import BaseModel

from glam_shared.errors import RequestTimeoutError
from glam_worker import EventContext, RetryPolicy
from glam_worker.testing import Bench, WorkerFactory

SUBJECT = "evt.order.placed.v1"
ONCE = RetryPolicy(attempts=1)


class Order(BaseModel):
    number: int = 1


async def held_for_two_leases(bench: Bench) -> None:
    """Return when what is held was renewed often enough to outlive ``ack_wait`` twice."""
    enough = bench.facts.renewals + 6
    async with asyncio.timeout(10):
        while bench.facts.renewals < enough:
            await asyncio.sleep(0.02)


async def test_an_async_run_past_its_timeout_is_cancelled_and_retried(
    worker: WorkerFactory,
) -> None:
    """The handler sees the cancellation, and the event runs again as after any failure."""
    cancelled: list[int] = []

    @worker.on(SUBJECT, Order, timeout=0.1)
    async def place(order: Order, event: EventContext) -> None:
        if event.attempt == 1:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled.append(event.attempt)
                raise

    async with worker() as bench:
        event_id = await bench.publish(SUBJECT, Order())
        first = await bench.settled(event_id)
        last = await bench.finished(event_id)

    assert cancelled == [1]
    assert first.outcome == "parked"
    assert isinstance(first.error, RequestTimeoutError)
    assert "place did not end within its timeout of 0.1 s" in str(first.error)
    assert (last.outcome, last.attempt) == ("ack", 2)


async def test_a_timeout_may_be_the_last_attempt(worker: WorkerFactory) -> None:
    """An event that times out too often is ``exhausted``."""

    @worker.on(SUBJECT, Order, timeout=0.05, retry=ONCE)
    async def place(order: Order) -> None:
        await asyncio.Event().wait()

    async with worker() as bench:
        await bench.finished(await bench.publish(SUBJECT, Order()))
        (letter,) = await bench.dead_letters()

    assert (letter.reason, letter.attempts) == ("exhausted", 1)
    assert letter.about.error == "RequestTimeoutError"


async def test_a_handler_that_ignores_cancellation_keeps_its_slot_until_it_ends(
    worker: WorkerFactory,
) -> None:
    """It is settled when it ends, by what it did, and nothing runs in its slot before."""
    ends, overlapped = asyncio.Event(), []
    running = 0

    @worker.on(SUBJECT, Order, timeout=0.05, concurrency=1, ack_wait=0.3)
    async def place(order: Order) -> None:
        nonlocal running
        running += 1
        overlapped.append(running)
        while order.number == 1 and not ends.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await ends.wait()
        running -= 1

    async with worker() as bench:
        try:
            stubborn = await bench.publish(SUBJECT, Order(number=1))
            await bench.until(lambda: bench.facts.received)
            other = await bench.publish(SUBJECT, Order(number=2))
            await held_for_two_leases(bench)
            unsettled = bench.settlements()
            (reason,) = bench.worker.not_ready()
        finally:
            ends.set()
        last = await bench.settled(stubborn)
        assert (await bench.finished(other)).outcome == "ack"
        await bench.idle()
        runs = bench.runs()

    assert unsettled == ()
    assert "every slot of handler place (1) is held by a run that goes on past" in reason
    assert last.outcome == "parked"
    assert max(overlapped) == 1
    assert len(runs) == 3


async def test_a_plain_function_runs_in_a_thread(worker: WorkerFactory) -> None:
    """A ``def`` handler that sleeps stops neither the loop nor the other runs."""
    together = threading.Barrier(3, timeout=10)
    threads: set[str] = set()

    @worker.on(SUBJECT, Order, concurrency=3)
    def place(order: Order, event: EventContext) -> None:
        threads.add(threading.current_thread().name)
        together.wait()

    async with worker() as bench:
        events = [await bench.publish(SUBJECT, Order(number=number)) for number in range(3)]
        outcomes = [(await bench.finished(event)).outcome for event in events]

    assert outcomes == ["ack"] * 3
    assert len(threads) == 3
    assert threading.current_thread().name not in threads


async def test_a_sync_run_past_its_timeout_is_settled_when_its_thread_returns(
    worker: WorkerFactory,
) -> None:
    """The thread cannot be stopped: slot and lease stay, so that no second run overlaps it."""
    goes_on = threading.Event()
    runs: list[str] = []
    running: list[int] = []

    @worker.on(SUBJECT, Order, timeout=0.05, ack_wait=0.3, concurrency=2)
    def place(order: Order, event: EventContext) -> None:
        runs.append(event.event_id)
        running.append(1)
        assert len(running) == 1
        assert goes_on.wait(10)
        running.pop()

    async with worker() as bench:
        try:
            event_id = await bench.publish(SUBJECT, Order())
            await held_for_two_leases(bench)
            assert bench.settlements() == ()
        finally:
            goes_on.set()
        last = await bench.finished(event_id)
        await bench.idle()

    assert runs == [event_id]
    assert (last.outcome, last.attempt, last.way) == ("ack", 1, "main")


async def test_a_run_that_blocks_the_loop_for_a_moment_is_not_run_twice(
    worker: WorkerFactory,
) -> None:
    """Handlers that keep the loop busy for less than ``ack_wait`` are run once for each event."""
    runs: list[int] = []

    @worker.on(SUBJECT, Order, ack_wait=5.0)
    async def place(order: Order) -> None:
        runs.append(order.number)
        time.sleep(0.1)  # noqa: ASYNC251 - what the test is about

    async with worker() as bench:
        for number in range(3):
            await bench.publish(SUBJECT, Order(number=number))
        await bench.idle()

    assert sorted(runs) == [0, 1, 2]
