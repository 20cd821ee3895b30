"""What the broker refuses: the outcome is kept in the ledger, and settled, not run, later."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import pytest
from pydantic import BaseModel

from glam_worker import EventContext, Reject, Retry, RetryPolicy
from glam_worker.jetstream import storing
from glam_worker.jetstream.storing import Storing
from glam_worker.runtime import settlement
from glam_worker.runtime.ledger import NOTHING
from glam_worker.runtime.protocols import Refused
from glam_worker.testing import Bench, WorkerFactory
from tests.ledger.seeding import carrier, record
from tests.runtime.conftest import StartsServer

SUBJECT = "evt.order.placed.v1"


class Order(BaseModel):
    number: int = 1
    text: str = ""


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was refused comes again soon, and a stream that takes nothing is given up soon."""
    monkeypatch.setattr(settlement, "REFUSED_DELAY", 0.3)
    monkeypatch.setattr(storing, "_BUDGET", 0.5)
    monkeypatch.setattr(storing, "_IN_TROUBLE", 0.3)


async def change_stream(bench: Bench, name: str, **config: Any) -> None:
    """Change the configuration of a stream."""
    found = (await bench.client.api(f"STREAM.INFO.{name}"))["config"]
    await bench.client.api(f"STREAM.UPDATE.{name}", found | config)


async def remade(bench: Bench, name: str, config: Mapping[str, Any]) -> None:
    """Create a stream again that was deleted."""
    await bench.client.api(f"STREAM.CREATE.{name}", config)


async def taken_away(bench: Bench, name: str) -> dict[str, Any]:
    """Delete a stream; its configuration."""
    config: dict[str, Any] = (await bench.client.api(f"STREAM.INFO.{name}"))["config"]
    await bench.client.api(f"STREAM.DELETE.{name}")
    return config


def rejecting(worker: WorkerFactory) -> Counter[int]:
    """Declare a handler that rejects odd numbers; how often it ran."""
    ran: Counter[int] = Counter()

    @worker.on(SUBJECT, Order)
    async def place(order: Order) -> None:
        ran[order.number] += 1
        if order.number % 2:
            raise Reject(f"{order.number} is odd")

    return ran


async def test_a_letter_refused_by_a_full_stream_is_written_once_there_is_room(
    worker: WorkerFactory,
) -> None:
    """The handler is not called again; the letter has the error of the run; others flow."""
    ran = rejecting(worker)
    async with worker() as bench:
        await change_stream(bench, "GLAM_DLQ", max_msgs=1)
        await bench.finished(await bench.publish(SUBJECT, Order(number=1)))
        bad = await bench.publish(SUBJECT, Order(number=3))
        await bench.until(lambda: len(bench.refused) >= 3, "it to be refused again and again")
        good = await bench.finished(await bench.publish(SUBJECT, Order(number=4)))
        await change_stream(bench, "GLAM_DLQ", max_msgs=-1)
        last = await bench.settled(bad)
        await bench.until(lambda: len(bench.settlements()) and _letter(bench), "the letter")
        letters = await bench.dead_letters()
        left = await record(bench, 2)

    assert (last.outcome, good.outcome) == ("handed_back", "ack")
    assert ran == {1: 1, 3: 1, 4: 1}
    assert [(one.reason, one.attempts, one.about.error) for one in letters] == [
        ("rejected", 1, "Reject")
    ] * 2
    assert letters[1].about.message == "3 is odd"
    assert letters[1].about.event_id == bad
    assert left == NOTHING


def _letter(bench: Bench) -> bool:
    return sum(one.outcome == "dead_letter" for one in bench.settlements()) == 2


async def test_a_letter_without_a_stream_waits_for_it(worker: WorkerFactory) -> None:
    """The stream may be gone; once it is there again, what was refused lies in it."""
    ran = rejecting(worker)
    async with worker() as bench:
        config = await taken_away(bench, "GLAM_DLQ")
        await bench.publish(SUBJECT, Order(number=1))
        await bench.until(lambda: len(bench.refused) >= 2, "it to be refused")
        await remade(bench, "GLAM_DLQ", config)
        await bench.until(lambda: [one for one in bench.settlements() if one.final])
        letters = await bench.dead_letters()

    assert ran == {1: 1}
    assert [one.reason for one in letters] == ["rejected"]


async def test_a_refused_park_is_parked_later_with_its_attempts(
    worker: WorkerFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A retry that could not be parked costs no run: the next one is attempt 2."""
    attempts: list[int] = []

    @worker.on(SUBJECT, Order)
    async def place(order: Order, event: EventContext) -> None:
        attempts.append(event.attempt)
        if event.attempt == 1:
            raise Retry

    async with worker() as bench:
        await change_stream(bench, "GLAM_RETRY", max_msg_size=10)
        event = await bench.publish(SUBJECT, Order())
        monkeypatch.setattr(storing, "_LARGER_THAN_STREAM", 0)  # as any refusal
        await bench.until(lambda: len(bench.refused) >= 3, "it to be refused")
        await change_stream(bench, "GLAM_RETRY", max_msg_size=-1)
        last = await bench.finished(event)

    assert attempts == [1, 2]
    assert (last.outcome, last.way) == ("ack", "lane")


@pytest.mark.parametrize("stored", [True, False])
async def test_a_lost_puback_of_a_letter_makes_no_second_letter(
    worker: WorkerFactory, monkeypatch: pytest.MonkeyPatch, stored: bool
) -> None:
    """Whether the broker had it or not: there is one letter, and one run."""
    ran = rejecting(worker)
    lose_pubacks(monkeypatch, 2, stored=stored)
    async with worker() as bench:
        await bench.publish(SUBJECT, Order(number=1))
        await bench.until(lambda: [one for one in bench.settlements() if one.final])
        letters = await bench.dead_letters()

    assert len(bench.refused) == 2
    assert ran == {1: 1}
    assert len(letters) == 1


@pytest.mark.parametrize("stored", [True, False])
async def test_a_lost_puback_of_a_park_loses_and_doubles_nothing(
    worker: WorkerFactory, monkeypatch: pytest.MonkeyPatch, stored: bool
) -> None:
    """The event comes back on the lane once, and its carrier is acked without a run."""
    attempts: list[int] = []

    @worker.on(SUBJECT, Order)
    async def place(order: Order, event: EventContext) -> None:
        attempts.append(event.attempt)
        if event.attempt < 3:
            raise Retry

    lose_pubacks(monkeypatch, 1, stored=stored)
    async with worker() as bench:
        event = await bench.publish(SUBJECT, Order())
        last = await bench.finished(event)
        await bench.until(lambda: not bench.worker.works[0].pipeline.held)
        async with asyncio.timeout(10):
            while await bench.parked():
                await asyncio.sleep(0.02)

    assert attempts == [1, 2, 3]
    assert last.outcome == "ack"


def lose_pubacks(monkeypatch: pytest.MonkeyPatch, count: int, *, stored: bool) -> None:
    """The first answers of the broker to parks and letters do not arrive."""
    store = Storing.store
    left = iter(range(count))

    async def losing(
        self: Storing, subject: str, body: bytes, headers: Mapping[str, str], msg_id: str
    ) -> None:
        lost = next(left, None) is not None
        if stored or not lost:
            await store(self, subject, body, headers, msg_id)
        if lost:
            raise Refused("no answer")

    monkeypatch.setattr(Storing, "store", losing)


async def test_without_ledger_and_letters_an_event_is_held(
    worker: WorkerFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stays with its worker, under its lease, and is settled when the stream is back."""
    monkeypatch.setattr(settlement, "_PAUSE", 0.1)
    ran = rejecting(worker)
    async with worker() as bench:
        config = await taken_away(bench, "GLAM_DLQ")
        await taken_away(bench, "KV_GLAM_LEDGER")
        await bench.publish(SUBJECT, Order(number=1))
        await bench.until(lambda: len(bench.refused) >= 2, "it to be refused")
        good = await bench.finished(await bench.publish(SUBJECT, Order(number=2)))
        assert bench.settlements()[-1] == good
        await remade(bench, "GLAM_DLQ", config)
        await bench.until(lambda: len(bench.settlements()) == 2, "the letter")
        letters = await bench.dead_letters()

    assert ran == {1: 1, 2: 1}
    assert len(letters) == 1


async def test_a_worker_that_may_not_write_letters_leaves_them_to_one_that_may(
    worker: WorkerFactory, own_server: StartsServer
) -> None:
    """A permission that is missing is a refusal; another worker settles it without a run."""
    rights = {"publish": {"allow": [">"], "deny": ["dlq.>"]}, "subscribe": [">"]}
    users = [{"user": "all", "password": "x"}, {"user": "few", "password": "x"}]
    users[1]["permissions"] = rights  # type: ignore[assignment]
    server = own_server(authorization={"users": users})
    address = server.url.removeprefix("nats://")
    ran = rejecting(worker)
    async with worker(servers=f"nats://few:x@{address}", service="shop") as few:
        await few.publish(SUBJECT, Order(number=1))
        await few.until(lambda: few.refused, "the letter to be refused")
        await few.until(few.settlements, "it to be handed back")
        assert "dlq.order.placed.v1" in str(few.refused[0].error)
    async with worker(servers=f"nats://all:x@{address}", service="shop") as every:
        await every.until(lambda: [one for one in every.settlements() if one.final])
        letters = await every.dead_letters()

    assert ran == {1: 1}
    assert len(letters) == 1


class Large:
    """A server whose messages are small, and an event that fills one."""

    LIMIT = 8192

    @classmethod
    async def publish(cls, bench: Bench) -> str:
        """Publish an event without room for the headers of a retry."""
        room = cls.LIMIT - 600
        return await bench.publish(SUBJECT, Order(text="x" * room), event_id="large")


POLICY = RetryPolicy(attempts=3, first=0.2, factor=1.0, jitter=0.0)


async def test_an_event_too_large_to_be_parked_is_retried_all_the_same(
    worker: WorkerFactory, own_server: StartsServer
) -> None:
    """Its attempts are counted by the ledger; it comes again after its delay."""
    attempts: list[int] = []
    times: list[float] = []

    @worker.on(SUBJECT, Order, retry=POLICY)
    async def place(order: Order, event: EventContext) -> None:
        attempts.append(event.attempt)
        times.append(asyncio.get_running_loop().time())
        if event.attempt < 3:
            raise Retry

    async with worker(servers=own_server(max_payload=Large.LIMIT).url) as bench:
        event = await Large.publish(bench)
        last = await bench.finished(event)
        outcomes = [one.outcome for one in bench.settlements(event)]
        left = await record(bench, 1)

    assert attempts == [1, 2, 3]
    assert outcomes == ["parked", "parked", "ack"]
    assert last.way == "main"
    assert min(later - sooner for sooner, later in pairwise(times)) > 0.19
    assert bench.refused == ()
    assert left == NOTHING


async def test_a_large_event_that_never_succeeds_is_a_letter(
    worker: WorkerFactory, own_server: StartsServer
) -> None:
    """After its attempts its letter names the place of the body."""

    @worker.on(SUBJECT, Order, retry=POLICY)
    async def place(order: Order) -> None:
        raise ConnectionError("down")

    async with worker(servers=own_server(max_payload=Large.LIMIT).url) as bench:
        last = await bench.finished(await Large.publish(bench))
        (letter,) = await bench.dead_letters()
        place_of_it = await carrier(bench, 1)

    assert (last.reason, last.attempt) == ("exhausted", 3)
    assert letter.attempts == 3
    assert letter.about.reference is not None
    about = letter.about
    assert f"{about.stream}.{about.stream_created}.{about.sequence}" == place_of_it
