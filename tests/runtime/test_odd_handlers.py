"""Handlers and errors that nobody would write on purpose: none of them stops the next event."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import BaseModel, field_validator

from glam_shared.errors import DomainError, RateLimitExceededError
from glam_worker import EventContext, Retry, RetryPolicy, Snooze
from glam_worker.testing import Bench, WorkerFactory

SUBJECT = "evt.order.placed.v1"


class Order(BaseModel):
    number: int = 1


class Unspeakable(Exception):
    """Raises when it is shown."""

    def __str__(self) -> str:
        raise RuntimeError("no text")

    def __repr__(self) -> str:
        raise RuntimeError("no text either")


Injecting = type("Odd\r\nX-Injected: 1", (Exception,), {})


def long_chain() -> Exception:
    """An error with three thousand causes."""
    error = ValueError("0")
    for number in range(3000):
        last, error = error, ValueError(str(number))
        error.__cause__ = last
    return error


def deep_group() -> Exception:
    """Groups in groups, deeper than Python's recursion limit."""
    error: Exception = ValueError("innermost")
    for number in range(2000):
        error = ExceptionGroup("group", [error, KeyError(number)])
    return error


ERRORS: dict[str, Callable[[], Exception]] = {
    "cannot be shown": Unspeakable,
    "name with a line break": lambda: Injecting("x"),
    "text with line breaks": lambda: ValueError("a\r\nX-Injected: 1\r\n\r\nb\x00\ud800\u2028ü"),
    "text of ten megabytes": lambda: ValueError("x" * 10_000_000),
    "long chain": long_chain,
    "deep group": deep_group,
    "recursion": lambda: RecursionError("too deep"),
    "out of memory": MemoryError,
    "limit for ever": lambda: RateLimitExceededError(retry_after=float("inf")),
}


@pytest.mark.parametrize("attempts", [1, 5], ids=["letter", "retry"])
@pytest.mark.parametrize("error", ERRORS.values(), ids=ERRORS.keys())
async def test_any_error_can_be_written_down(
    worker: WorkerFactory,
    error: Callable[[], Exception],
    attempts: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Whatever an error looks like, its event is parked or dead-lettered, and the next handled."""
    caplog.set_level(100)  # pytest-xdist cannot carry a report that has a lone surrogate

    @worker.on(SUBJECT, Order, retry=RetryPolicy(attempts=attempts))
    async def place(order: Order, event: EventContext) -> None:
        if order.number == 1 and event.attempt == 1:
            raise error()

    async with worker() as bench:
        bad = await bench.publish(SUBJECT, Order(number=1))
        good = await bench.publish(SUBJECT, Order(number=2))
        first, last = await bench.settled(bad), await bench.finished(bad)
        assert (await bench.finished(good)).outcome == "ack"
        letters = await bench.dead_letters()

    assert first.outcome == ("dead_letter" if attempts == 1 else "parked")
    assert last.outcome == ("dead_letter" if attempts == 1 else "ack")
    for letter in letters:
        assert "X-Injected" not in letter.headers
        assert len(letter.headers["Glam-Traceback"].encode()) <= 8192
        assert len(letter.headers.get("Glam-Error-Message", "").encode()) <= 1024


@pytest.mark.parametrize(
    "delay",
    [
        Retry(after=1e12),
        Snooze(after=1e300),
        Snooze(until=datetime.max.replace(tzinfo=UTC)),
        Snooze(until=datetime.min.replace(tzinfo=UTC)),
    ],
    ids=["retry", "snooze", "end of time", "beginning of time"],
)
async def test_a_delay_beyond_all_time_is_parked(worker: WorkerFactory, delay: Exception) -> None:
    """An event put off for longer than clocks count waits a century, one due long ago runs now."""
    runs: list[int] = []

    @worker.on(SUBJECT, Order)
    async def place(order: Order) -> None:
        runs.append(order.number)
        if len(runs) == 1:
            raise delay

    async with worker(retry_delays=1.0) as bench:
        event_id = await bench.publish(SUBJECT, Order())
        settled = await bench.settled(event_id)
        if settled.delay == 0:
            assert (await bench.finished(event_id)).outcome == "ack"
        else:
            (waiting,) = await bench.parked()
            due = waiting.headers["Nats-Schedule"].removeprefix("@at ")
            assert 2100 < datetime.fromisoformat(due).year < 2262

    assert settled.outcome == "parked"


class Wordless(DomainError):
    """A domain error that raises when it is shown."""

    def __init__(self) -> None:
        """Says nothing."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


class Hurried(Retry):
    """A retry whose own constructor forgets that of its base."""

    def __init__(self) -> None:
        """Sets nothing."""


class Sleepy(Snooze):
    """The same of a snooze, which needs a delay."""

    def __init__(self) -> None:
        """Sets nothing."""


def set_later(value: object) -> Retry:
    """A retry whose delay is set by hand."""
    retry = Retry()
    retry.after = value  # type: ignore[assignment]
    return retry


@pytest.mark.parametrize(
    ("error", "reason", "runs"),
    [
        (Wordless, "rejected", 1),
        (Hurried, "exhausted", 2),
        (Sleepy, "exhausted", 2),
        (lambda: set_later(timedelta(seconds=1)), "exhausted", 2),
        (lambda: set_later("soon"), "exhausted", 2),
    ],
    ids=["domain error without text", "retry", "snooze", "timedelta", "no delay"],
)
async def test_an_outcome_that_is_made_wrong_costs_what_its_policy_says(
    worker: WorkerFactory, error: Callable[[], Exception], reason: str, runs: int
) -> None:
    """No run beyond the attempts, and the letter tells the true reason."""

    @worker.on(SUBJECT, Order, retry=RetryPolicy(attempts=2))
    async def place(order: Order) -> None:
        raise error()

    async with worker() as bench:
        event = await bench.publish(SUBJECT, Order())
        await bench.finished(event)
        (letter,) = await bench.dead_letters()
        assert (letter.reason, len(bench.runs(event))) == (reason, runs)


class Ended(BaseModel):
    """An order whose validator raises what would end the interpreter."""

    number: int

    @field_validator("number")
    @classmethod
    def _positive(cls, number: int) -> int:
        if number < 0:
            raise {-1: SystemExit, -2: asyncio.CancelledError}[number]
        return number


@pytest.mark.parametrize("number", [-1, -2], ids=["exit", "cancelled"])
async def test_a_validator_that_ends_python_makes_its_event_invalid(
    worker: WorkerFactory, number: int
) -> None:
    """It is a dead letter like any event that cannot be read, and the process works on."""

    @worker.on(SUBJECT, Ended)
    async def place(order: Ended) -> None: ...

    async with worker() as bench:
        bad = await bench.publish(SUBJECT, Order(number=number))
        good = await bench.publish(SUBJECT, Order(number=1))
        assert (await bench.finished(bad)).outcome == "dead_letter"
        assert (await bench.finished(good)).outcome == "ack"
        (letter,) = await bench.dead_letters()
        assert letter.reason == "invalid"


@pytest.mark.parametrize("how", ["at once", "after a wait", "in a thread"])
@pytest.mark.parametrize("error", [GeneratorExit, SystemExit, KeyboardInterrupt])
async def test_an_error_that_ends_python_is_a_failure_of_its_run(
    worker: WorkerFactory, error: type[BaseException], how: str
) -> None:
    """The event is retried and its slot works on, however the interpreter uses such an error."""

    async def place(order: Order, event: EventContext) -> None:
        if how == "after a wait":
            await asyncio.sleep(0)
        if event.attempt == 1:
            raise error

    def plain(order: Order, event: EventContext) -> None:
        if event.attempt == 1:
            raise error

    worker.on(SUBJECT, Order, concurrency=1)(plain if how == "in a thread" else place)
    async with worker() as bench:
        for number in range(2):
            event = await bench.publish(SUBJECT, Order(number=number))
            settled = await bench.finished(event)
            assert (settled.outcome, settled.attempt) == ("ack", 2)


@pytest.mark.parametrize("waits", [True, False])
async def test_a_handler_that_cancels_itself_hurts_no_other(
    worker: WorkerFactory, waits: bool
) -> None:
    """A cancelled task is not handed to the next event."""

    @worker.on(SUBJECT, Order, concurrency=1)
    async def place(order: Order, event: EventContext) -> None:
        if order.number == 1 and event.attempt == 1:
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
            if waits:
                await asyncio.sleep(0)
        if order.number == 2:
            await asyncio.sleep(0.01)

    async with worker() as bench:
        for number in range(5):
            await bench.publish(SUBJECT, Order(number=number))
        await bench.idle()
        runs = bench.runs()

    assert len(runs) == (6 if waits else 5)
    assert [run.outcome for run in runs].count("ack") == 5


async def test_an_awaitable_that_a_plain_function_returns_is_awaited(
    worker: WorkerFactory,
) -> None:
    """A ``def`` that hands its work to a coroutine is not acked before that has run."""
    seen: list[int] = []

    async def work(order: Order, event: EventContext) -> None:
        await asyncio.sleep(0)
        if event.attempt == 1:
            raise Retry
        seen.append(order.number)

    @worker.on(SUBJECT, Order)
    def place(order: Order, event: EventContext) -> Awaitable[None]:
        return work(order, event)

    async with worker() as bench:
        last = await bench.finished(await bench.publish(SUBJECT, Order(number=5)))

    assert (last.outcome, last.attempt) == ("ack", 2)
    assert seen == [5]


async def test_an_awaitable_of_a_plain_function_has_the_timeout_too(
    worker: WorkerFactory,
) -> None:
    """What is awaited for a ``def`` is cancelled at the timeout and retried."""

    @worker.on(SUBJECT, Order, timeout=0.05)
    def place(order: Order, event: EventContext) -> Awaitable[None]:
        return asyncio.sleep(0 if event.attempt > 1 else 3600)

    async with worker() as bench:
        event_id = await bench.publish(SUBJECT, Order())
        first, last = await bench.settled(event_id), await bench.finished(event_id)

    assert "timeout of 0.05 s" in str(first.error)
    assert (last.outcome, last.attempt) == ("ack", 2)


async def test_what_a_handler_returns_is_of_no_account(worker: WorkerFactory) -> None:
    """A handler that returns something, false or an error object included, is done."""
    values = [None, False, 0, "no", ValueError("returned"), Retry()]

    @worker.on(SUBJECT, Order)
    async def place(order: Order) -> None:
        return values[order.number]  # type: ignore[return-value]

    async with worker() as bench:
        for number in range(len(values)):
            settled = await bench.finished(await bench.publish(SUBJECT, Order(number=number)))
            assert (settled.outcome, settled.attempt) == ("ack", 1)


async def test_five_workers_that_start_at_once_agree(worker: WorkerFactory) -> None:
    """Streams and durables are made once, whoever comes first; nobody fails."""

    @worker.on(SUBJECT, Order)
    async def place(order: Order) -> None: ...

    benches = await asyncio.gather(*(_started(worker) for _ in range(5)))
    event_id = await benches[0].publish(SUBJECT, Order())
    await benches[0].until(lambda: any(bench.runs(event_id) for bench in benches))

    assert not any(bench.worker.ensured.drift for bench in benches)


async def _started(worker: WorkerFactory) -> Bench:
    return await worker(service="shop")


async def test_events_that_wait_in_hand_keep_their_lease(worker: WorkerFactory) -> None:
    """What is buffered behind slow runs for longer than ``ack_wait`` is not run twice."""
    runs: list[int] = []

    @worker.on(SUBJECT, Order, concurrency=1, ack_wait=1.0)
    async def place(order: Order) -> None:
        runs.append(order.number)
        await asyncio.sleep(0.6)

    async with worker() as bench:
        for number in range(4):
            await bench.publish(SUBJECT, Order(number=number))
        await bench.idle()
        lapsed, renewals = bench.facts.lapsed, bench.facts.renewals

    assert sorted(runs) == list(range(4))
    assert lapsed == []
    assert renewals > 0
