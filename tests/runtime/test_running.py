"""How a handler is run: timeouts, threads, cancellation, and what it may raise."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
import threading
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import BaseModel

from glam_shared.correlation import get_correlation_context, set_correlation_context
from glam_shared.errors import RequestTimeoutError
from glam_worker import EventContext, Reject, Retry, RetryPolicy, Snooze
from glam_worker.testing import Bench, WorkerFactory

SUBJECT = "evt.order.placed.v1"
ONCE = RetryPolicy(attempts=1)

SEEN: contextvars.ContextVar[int | None] = contextvars.ContextVar("seen", default=None)


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
        finally:
            ends.set()
        last = await bench.settled(stubborn)
        assert (await bench.finished(other)).outcome == "ack"
        await bench.idle()
        runs = bench.runs()

    assert unsettled == ()
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
