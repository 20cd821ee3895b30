"""Levels of the server: what is asked, and by whom."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable
from datetime import timedelta

import pytest
from pydantic import BaseModel

from glam_shared.messaging import JetStreamClient
from glam_worker import Retry, Snooze, Worker
from glam_worker.gauges import Gauges
from glam_worker.jetstream import levels as levels_module
from glam_worker.jetstream.kv import Bucket
from glam_worker.jetstream.levels import turn_key
from glam_worker.jetstream.parked import ParkedEvents
from glam_worker.jetstream.turn import LIFE, Turn
from glam_worker.testing import Bench, WorkerFactory
from glam_worker.topology.specs import STATE

SUBJECT = "evt.order.placed.v1"
SERVER_FAMILIES = {
    *("consumer_pending", "consumer_ack_pending", "consumer_ack_pending_limit"),
    *("consumer_redelivered", "consumer_paused", "dlq_depth", "dlq_oldest_seconds"),
    *("parked", "parked_overdue"),
}


class Order(BaseModel):
    number: int = 1


def gauges(worker: Worker) -> dict[tuple[str, ...], float]:
    """The present samples, by family and labels."""
    return {(family, *labels): value for family, labels, value in Gauges(worker)()}


def tells_levels(bench: Bench) -> bool:
    """Whether this worker is the one that has levels to tell."""
    return {family for family, *_ in gauges(bench.worker)} >= SERVER_FAMILIES


@pytest.fixture
async def client(nats_url: str) -> AsyncIterator[JetStreamClient]:
    """A connection to an account with the bucket in it."""
    client = JetStreamClient()
    await client.connect(nats_url)
    await client.ensure_stream(
        f"KV_{STATE}", [f"$KV.{STATE}.>"], max_msgs_per_subject=1, allow_rollup_hdrs=True
    )
    yield client
    await client.close()


async def until(condition: Callable[[], bool], within: float = 20.0) -> None:
    """Poll until the condition holds."""
    async with asyncio.timeout(within):
        while not condition():
            await asyncio.sleep(0.02)


async def test_levels_are_those_of_the_server(
    worker: WorkerFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pending, unsettled, parked and dead events appear as the server counts them."""
    monkeypatch.setattr(levels_module, "PERIOD", 0.0)
    monkeypatch.setattr(levels_module, "BEAT", 0.1)
    monkeypatch.setattr(levels_module, "PARKED_PERIOD", 0.0)
    release = asyncio.Event()

    @worker.on(SUBJECT, Order, concurrency=1)
    async def place(order: Order) -> None:
        if order.number == 0:
            raise Retry(after=600)
        await release.wait()

    async with worker(service="shop", retry_delays=1) as bench:
        await bench.settled(await bench.publish(SUBJECT, Order(number=0)))
        await bench.settled(await bench.publish(SUBJECT, {"number": "none"}))
        for number in range(1, 11):
            await bench.publish(SUBJECT, Order(number=number))

        def counted() -> bool:
            found = gauges(bench.worker)
            main = ("shop", "place", "main")
            held = found.get(("consumer_ack_pending", *main), 0)
            return (
                found.get(("parked", "shop", "place")) == 1
                and found.get(("dlq_depth", "shop")) == 1
                and 1 <= held == 10 - found.get(("consumer_pending", *main), 0)
            )

        await until(counted)
        found = gauges(bench.worker)
        release.set()

    assert found["consumer_ack_pending_limit", "shop", "place", "main"] == math.inf
    assert found["consumer_paused", "shop", "place", "lane"] == 0
    assert found["parked_overdue", "shop", "place"] == 0
    assert 0 <= found["dlq_oldest_seconds", "shop"] < 20


async def test_what_stays_parked_past_its_time_is_overdue(
    worker: WorkerFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time is read from the schedule: here one in ten minutes, with an hour ahead as now."""
    monkeypatch.setattr("glam_worker.jetstream.parked.LATE", timedelta(hours=-1))
    snoozed = {1: 600, 2: 600, 3: 7200}

    @worker.on(SUBJECT, Order)
    async def place(order: Order) -> None:
        raise Snooze(after=snoozed[order.number])

    async with worker(service="shop", retry_delays=1) as bench:
        for number in snoozed:
            await bench.settled(await bench.publish(SUBJECT, Order(number=number)))
        events = ParkedEvents(bench.client, "GLAM_RETRY", "shop")
        await bench.client.api("INFO")
        first, second = await events.look(), await events.look()

    assert first == ({"place": 3}, {})
    assert second == ({"place": 3}, {"place": 2})


async def test_of_several_workers_one_asks_and_a_dead_one_is_replaced(
    worker: WorkerFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only one worker has levels; when it is gone without a word, another has them in seconds."""
    monkeypatch.setattr("glam_worker.jetstream.turn.LIFE", 1.5)
    monkeypatch.setattr(levels_module, "BEAT", 0.3)

    @worker.on(SUBJECT, Order)
    async def place(order: Order) -> None: ...

    benches = [await worker(service="shop") for _ in range(3)]
    await until(lambda: any(map(tells_levels, benches)))
    (asking,) = filter(tells_levels, benches)
    assert asking.worker.levels is not None
    assert asking.worker.levels._task is not None
    asking.worker.levels._task.cancel()
    others = [bench for bench in benches if bench is not asking]

    await until(lambda: [tells_levels(bench) for bench in others].count(True) == 1)
    assert not tells_levels(asking)


async def test_a_worker_that_stops_hands_the_turn_over(worker: WorkerFactory) -> None:
    """The key is given up, so that the next one has it at its first look."""

    @worker.on(SUBJECT, Order)
    async def place(order: Order) -> None: ...

    first = await worker(service="shop")
    await until(lambda: tells_levels(first))
    await first.stop()
    second = await worker(service="shop")

    await until(lambda: tells_levels(second), within=LIFE)


async def test_a_turn_has_one_holder(client: JetStreamClient) -> None:
    """Whoever claims first has it and keeps it; a second one has it when it is given up."""
    one, two = Turn(client, STATE, "levels.shop"), Turn(client, STATE, "levels.shop")

    assert [await one.take(), await two.take(), await one.take()] == [True, False, True]
    assert (one.mine, two.mine) == (True, False)
    await one.give_up()
    two._next = 0.0  # the moment at which it asks again

    assert await two.take()
    assert not one.mine
    assert not await one.take()


async def test_claims_at_the_same_moment_have_one_winner(client: JetStreamClient) -> None:
    """Compare-and-set decides; nobody holds it beside the winner."""
    turns = [Turn(client, STATE, "levels.shop") for _ in range(20)]

    assert sum(await asyncio.gather(*(turn.take() for turn in turns))) == 1


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"\xff",
        b"7",
        b"{}",
        b'{"worker": "x", "until": "2026-01-01T00:00:00"}',
        b'{"worker": "x", "until": "2026-01-01T00:00:00+00:00"}',
        b'{"worker": "x", "until": "2250-01-01T00:00:00+00:00"}',
    ],
)
async def test_a_claim_that_is_over_or_makes_no_sense_is_nobodys(
    client: JetStreamClient, value: bytes
) -> None:
    """A dead worker's claim, a foreign value, one that ends in days: each is taken over."""
    await Bucket(client, STATE).create("levels.shop", value or b" ")

    assert await Turn(client, STATE, "levels.shop").take()


async def test_without_the_bucket_everybody_asks(
    client: JetStreamClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Levels asked for twice are better than none: it is everybody's turn."""
    monkeypatch.setattr("glam_worker.jetstream.turn._ASKING", 0.3)
    turns = [Turn(client, "GLAM_NONE", "levels.shop") for _ in range(2)]

    assert [await turn.take() for turn in turns] == [True, True]


def test_deployments_that_differ_have_turns_of_their_own() -> None:
    """Two deployments of one service with other handlers: neither is left without levels."""
    one = levels_module.Watched("shop", "place", "main", "GLAM_EVENTS", "shop-place")
    other = levels_module.Watched("shop", "ship", "main", "GLAM_EVENTS", "shop-ship")

    assert turn_key("shop", [one, other]) == turn_key("shop", [other, one])
    assert turn_key("shop", [one]) != turn_key("shop", [other])
