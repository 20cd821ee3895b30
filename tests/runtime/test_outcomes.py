"""What happens to an event after its run, on a real server."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import BaseModel

from glam_shared.errors import (
    InfrastructureError,
    NotFoundError,
    RateLimitExceededError,
    ServiceUnavailableError,
)
from glam_shared.messaging import JetStreamClient
from glam_worker import EventContext, Reject, Retry, RetryPolicy, Snooze
from glam_worker.testing import WorkerFactory

SUBJECT = "evt.order.placed.v1"


class Order(BaseModel):
    number: int = 1


def raising(worker: WorkerFactory, error: Callable[[int], BaseException | None]) -> None:
    """Declare a handler that raises what ``error`` says for an attempt."""

    @worker.on(SUBJECT, Order, retry=RetryPolicy(attempts=3, first=2, factor=4, jitter=0))
    async def place(order: Order, event: EventContext) -> None:
        found = error(event.attempt)
        if found is not None:
            raise found


async def test_an_event_that_keeps_failing_is_exhausted(worker: WorkerFactory) -> None:
    """After as many runs as the policy allows the event lies in the dead letters: ``exhausted``."""
    raising(worker, lambda attempt: RuntimeError(f"attempt {attempt} failed"))
    async with worker(service="shop") as bench:
        event_id = await bench.publish(SUBJECT, Order(), correlation_id="corr_1")
        last = await bench.finished(event_id)
        (letter,) = await bench.dead_letters()
        runs = bench.runs(event_id)
        parked = await bench.parked()

    assert [(run.outcome, run.attempt, run.way, run.delay) for run in runs] == [
        ("parked", 1, "main", 2.0),
        ("parked", 2, "lane", 8.0),
        ("dead_letter", 3, "lane", None),
    ]
    assert last.reason == "exhausted"
    assert str(last.error) == "attempt 3 failed"
    assert parked == []
    assert letter.subject == "dlq.order.placed.v1"
    about = letter.about
    assert (about.reason, about.attempts) == ("exhausted", 3)
    assert (about.service, about.handler, about.subject) == ("shop", "place", SUBJECT)
    assert (about.error, about.message) == ("RuntimeError", "attempt 3 failed")
    assert (about.event_id, about.correlation_id) == (event_id, "corr_1")
    assert (about.stream, about.sequence) == last.stored
    assert "raise found" in about.traceback
    assert "glam_worker/" not in about.traceback  # the way from the worker to the handler


async def test_a_failure_that_passes_costs_its_attempts_only(worker: WorkerFactory) -> None:
    """An event that succeeds on a later attempt is acked and leaves nothing behind."""
    raising(worker, lambda attempt: None if attempt == 3 else ConnectionError("down"))
    async with worker() as bench:
        last = await bench.finished(await bench.publish(SUBJECT, Order()))
        letters, parked = await bench.dead_letters(), await bench.parked()

    assert (last.outcome, last.attempt) == ("ack", 3)
    assert (letters, parked) == ([], [])


async def test_reject_goes_straight_to_the_dead_letters(worker: WorkerFactory) -> None:
    """``Reject`` is not retried: one run, reason ``rejected``, the words in the letter."""
    raising(worker, lambda _: Reject("order has no lines"))
    async with worker() as bench:
        event_id = await bench.publish(SUBJECT, Order())
        await bench.finished(event_id)
        (letter,) = await bench.dead_letters()
        runs = bench.runs(event_id)

    assert [(run.outcome, run.attempt) for run in runs] == [("dead_letter", 1)]
    assert (letter.reason, letter.attempts) == ("rejected", 1)
    assert letter.about.message == "order has no lines"


@pytest.mark.parametrize(
    ("error", "outcome", "delay"),
    [
        (NotFoundError("no such shop"), "dead_letter", None),
        (InfrastructureError("db is down"), "parked", 2.0),
        (InfrastructureError("db is gone", retryable=False), "dead_letter", None),
        (ServiceUnavailableError("mail is down"), "parked", 2.0),
        (RateLimitExceededError(retry_after=70), "parked", 70.0),
        (RateLimitExceededError(), "parked", 2.0),
        (ZeroDivisionError(), "parked", 2.0),
        (Retry(), "parked", 2.0),
        (Retry(after=33), "parked", 33.0),
        (Snooze(after=44), "parked", 44.0),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
async def test_what_a_handler_raises_decides(
    worker: WorkerFactory, error: Exception, outcome: str, delay: float | None
) -> None:
    """Errors of the platform and of the runtime are settled by the table of outcomes."""
    raising(worker, lambda attempt: error if attempt == 1 else None)
    async with worker() as bench:
        settled = await bench.settled(await bench.publish(SUBJECT, Order()))

    assert (settled.outcome, settled.delay) == (outcome, delay)


async def test_a_snooze_costs_no_attempt(worker: WorkerFactory) -> None:
    """However often an event is snoozed, its next run has the same attempt number."""
    seen: list[int] = []

    @worker.on(SUBJECT, Order, retry=RetryPolicy(attempts=2, jitter=0))
    async def place(order: Order, event: EventContext) -> None:
        seen.append(event.attempt)
        if len(seen) in (1, 2):
            raise Snooze(after=5)
        if len(seen) == 3:
            raise Retry
        if len(seen) == 4:
            raise Snooze(until=datetime.now(UTC) + timedelta(seconds=5))

    async with worker() as bench:
        last = await bench.finished(await bench.publish(SUBJECT, Order()))

    assert last.outcome == "ack"
    assert seen == [1, 1, 1, 2, 2]


async def test_a_snooze_of_a_worker_whose_clock_is_behind_waits_by_that_clock(
    worker: WorkerFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time has come by the server's clock; the handler would snooze again and again."""
    monkeypatch.setattr(
        JetStreamClient, "server_time", lambda self: datetime.now(UTC) + timedelta(minutes=10)
    )

    @worker.on(SUBJECT, Order)
    async def place(order: Order) -> None:
        raise Snooze(until=datetime.now(UTC) + timedelta(minutes=1))

    async with worker(retry_delays=1.0) as bench:
        settled = await bench.settled(await bench.publish(SUBJECT, Order()))

    assert settled.outcome == "parked"
    assert 55 < (settled.delay or 0) <= 60


async def test_a_retry_keeps_its_delay(worker: WorkerFactory) -> None:
    """A parked event comes back after its delay, never early."""
    starts: list[datetime] = []

    @worker.on(SUBJECT, Order)
    async def place(order: Order) -> None:
        starts.append(datetime.now(UTC))
        if len(starts) == 1:
            raise Retry(after=0.4)

    async with worker(retry_delays=1.0) as bench:
        await bench.finished(await bench.publish(SUBJECT, Order()))

    waited = (starts[1] - starts[0]).total_seconds()
    assert waited >= 0.399


async def test_on_the_lane_everything_is_the_origins(worker: WorkerFactory) -> None:
    """Subject, stream, sequence, headers, envelope and body are the same in every run."""
    seen: list[dict[str, Any]] = []

    @worker.on("evt.order.*.v1", Order)
    async def place(order: Order, event: EventContext) -> None:
        names = ("event_id", "event_type", "correlation_id", "source_service", "timestamp")
        names += ("metadata", "subject", "stream", "sequence")  # type: ignore[assignment]
        seen.append(
            {name: getattr(event, name) for name in names} | {"headers": dict(event.headers)}
        )
        if event.attempt < 3:
            raise Retry

    async with worker() as bench:
        await bench.publish(SUBJECT, Order(number=1))
        event_id = await bench.publish(
            SUBJECT,
            Order(number=2),
            headers={"X-Tenant": "süd", "Trace": "a b"},
            metadata={"k": [1, 2]},
        )
        await bench.finished(event_id)
        await bench.idle()

    mine = [one for one in seen if one["event_id"] == event_id]
    assert len(mine) == 3
    assert mine[0] == mine[1] == mine[2]
    assert mine[0]["subject"] == mine[0]["event_type"] == SUBJECT
    assert (mine[0]["stream"], mine[0]["sequence"]) == ("GLAM_EVENTS", 2)
    assert mine[0]["metadata"] == {"k": [1, 2]}
    assert mine[0]["headers"]["Trace"] == "a b"


async def test_headers_of_the_runtime_are_believed_on_the_lane_only(worker: WorkerFactory) -> None:
    """A publisher's ``Glam-*`` headers change neither attempt nor origin, and are not shown."""
    seen: list[tuple[int, str, dict[str, str]]] = []

    @worker.on(SUBJECT, Order, retry=RetryPolicy(attempts=2))
    async def place(order: Order, event: EventContext) -> None:
        seen.append((event.attempt, event.subject, dict(event.headers)))

    forged = {
        "Glam-Attempts": "7",
        "Glam-Subject": "evt.other.v1",
        "Nats-Anything": "x",
        "Own": "1",
    }
    async with worker() as bench:
        settled = await bench.finished(await bench.publish(SUBJECT, Order(), headers=forged))

    assert settled.outcome == "ack"
    assert seen == [(1, SUBJECT, {"Own": "1"})]


async def test_handlers_of_one_subject_have_fates_of_their_own(worker: WorkerFactory) -> None:
    """One handler's failure neither delays nor repeats the other's run."""
    counts = {"one": 0, "two": 0, "three": 0}

    @worker.on(SUBJECT, Order)
    async def one(order: Order) -> None:
        counts["one"] += 1

    @worker.on(SUBJECT, Order)
    async def two(order: Order, event: EventContext) -> None:
        counts["two"] += 1
        if event.attempt == 1:
            raise Retry

    @worker.on(SUBJECT, Order)
    def three(order: Order) -> None:
        counts["three"] += 1
        raise Reject("not for me")

    async with worker() as bench:
        event_id = await bench.publish(SUBJECT, Order())
        await bench.idle()
        outcomes = {name: (await bench.finished(event_id, handler=name)).outcome for name in counts}
        letters = await bench.dead_letters()

    assert counts == {"one": 1, "two": 2, "three": 1}
    assert outcomes == {"one": "ack", "two": "ack", "three": "dead_letter"}
    assert [letter.handler for letter in letters] == ["three"]


async def test_a_users_own_headers_travel_to_the_letter(worker: WorkerFactory) -> None:
    """A letter keeps the publisher's headers, after retries too, and none of the protocol's."""
    raising(worker, lambda _: RuntimeError("no"))
    async with worker() as bench:
        await bench.finished(await bench.publish(SUBJECT, Order(), headers={"X-Tenant": "7"}))
        (letter,) = await bench.dead_letters()

    assert letter.headers["X-Tenant"] == "7"
    foreign = [name for name in letter.headers if name.startswith("Nats-")]
    assert foreign == ["Nats-Msg-Id"]
