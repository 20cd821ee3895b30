"""Streams and durables that are changed under a running worker."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from glam_worker.testing import Bench, WorkerFactory
from glam_worker.topology.planning import Choices
from glam_worker.topology.specs import NS
from tests.runtime.other_worker import pulled
from tests.topology.applied import apply, plan
from tests.topology.running import SUBJECT, Order, Shop, change, handled, look


@pytest.fixture
def shop(worker: WorkerFactory) -> Shop:
    """Declared for the test's workers."""
    return Shop(worker)


async def recorded_floor(bench: Bench) -> str:
    """The record of the handler, as it is stored."""
    request = {"last_by_subj": "$KV.GLAM_STATE.handler.shop.place"}
    answer = await bench.client.api("STREAM.MSG.GET.KV_GLAM_STATE", request)
    return str(answer["message"]["data"])


async def test_what_the_stream_drops_before_it_is_handled_is_counted_and_said(
    worker: WorkerFactory, shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    """Events in hand and events that wait, each once; runs go on, and what comes is worked."""

    def drops() -> dict[str, int]:
        return dict(bench.worker.observers.records["shop", "place", "main"].drops)

    async with worker(service="shop") as bench:
        shop.goes_on.clear()
        for number in range(10):
            await bench.publish(SUBJECT, Order(number=number))
        await bench.until(lambda: len(bench.facts.in_hand) == 5)
        await look(bench)
        before = drops()
        await bench.client.api("STREAM.PURGE.GLAM_EVENTS", {"seq": 9})
        with caplog.at_level(logging.ERROR, "glam_worker.topology"):
            await look(bench)
            first = drops()
            await look(bench)
        shop.goes_on.set()
        await bench.until(lambda: sorted(shop.seen) == [0, 1, 2, 3, 4, 8, 9])
        await bench.until(lambda: not bench.facts.in_hand)
        await look(bench)
        last = drops()

    said = [one.message for one in caplog.records if "dropped" in one.message]
    assert before == {}
    assert first == last == {"in_hand": 5, "waiting": 3}
    assert len(said) == 2
    assert "dropped at least 3 events while they waited" in said[0]
    assert "dropped 5 events that are in hand" in said[1]


async def test_what_is_handled_and_leaves_by_age_is_not_told(
    worker: WorkerFactory, shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    """A stream that drops what was handled does what it is for."""
    async with worker(service="shop") as bench:
        for number in range(3):
            await handled(bench, number)
            await look(bench)
        await bench.client.api("STREAM.PURGE.GLAM_EVENTS")
        await look(bench)
        await handled(bench, 3)
        await look(bench)
        record = bench.worker.observers.records["shop", "place", "main"]
    assert not record.drops
    assert not [one for one in caplog.records if "dropped" in one.message]


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ({"max_deliver": 2}, {"max_deliver": -1}),
        (
            {"metadata": {"glam.service": "x", "glam.handler": "y", "glam.way": "main"}},
            {"metadata": {"glam.service": "shop", "glam.handler": "place", "glam.way": "main"}},
        ),
    ],
    ids=lambda value: next(iter(value)),
)
async def test_a_durable_that_becomes_unsafe_is_not_pulled_until_it_is_mended(
    worker: WorkerFactory, shop: Shop, wrong: dict[str, Any], right: dict[str, Any]
) -> None:
    """What is in hand is settled; nothing more is asked for; readiness says why; no restart."""
    async with worker(service="shop") as bench:
        shop.goes_on.clear()
        first = await bench.publish(SUBJECT, Order(number=1))
        await bench.until(lambda: shop.seen)
        await change(bench, **wrong)
        await look(bench)
        reasons = bench.worker.not_ready()
        shop.goes_on.set()
        assert (await bench.finished(first)).outcome == "ack"
        second = await bench.publish(SUBJECT, Order(number=2))
        info = await bench.client.api("CONSUMER.INFO.GLAM_EVENTS.shop-place")
        assert info["num_waiting"] == 0
        assert bench.worker.unhealthy() == []

        await change(bench, **right)
        await look(bench)
        await bench.finished(second)
        assert bench.worker.not_ready() == []

    (reason,) = reasons
    assert reason.startswith("consumer shop-place on stream GLAM_EVENTS has ")
    assert "it is not pulled until `glam-worker apply`" in reason
    assert shop.seen == [1, 2]


async def test_a_durable_that_is_recreated_by_apply_is_pulled_without_a_restart(
    worker: WorkerFactory, shop: Shop
) -> None:
    """The worker goes on at the floor it had recorded: nothing is replayed, nothing skipped."""
    async with worker(service="shop") as bench:
        await handled(bench, 1)
        await look(bench)
        await bench.client.api("CONSUMER.DELETE.GLAM_EVENTS.shop-place")
        await bench.until(bench.worker.not_ready)
        event = await bench.publish(SUBJECT, Order(number=2))
        await look(bench)
        assert (await apply(bench.client, worker.registry)).changes == []

        await apply(bench.client, worker.registry, Choices(("place",), "floor"))
        await look(bench)
        await bench.finished(event)
        assert bench.worker.not_ready() == []
        await handled(bench, 3)

    assert shop.seen == [1, 2, 3]


async def test_acks_of_a_durable_that_is_gone_are_not_told_to_the_next(
    worker: WorkerFactory, shop: Shop
) -> None:
    """It is recreated to run everything again; what another worker has stays its own."""
    async with worker(service="shop") as bench:
        await handled(bench, 1)
        await bench.client.api("CONSUMER.DELETE.GLAM_EVENTS.shop-place")
        await bench.until(bench.worker.not_ready)
        await apply(bench.client, worker.registry, Choices(("place",), "all"))
        elsewhere = await pulled(bench, "GLAM_EVENTS.shop-place")
        await look(bench)
        await bench.until(lambda: not bench.worker.not_ready())
        info = await bench.client.api("CONSUMER.INFO.GLAM_EVENTS.shop-place")
        assert info["num_ack_pending"] == 1
        await elsewhere.nak()
        await bench.until(lambda: shop.seen == [1, 1])


async def test_a_handler_that_was_refused_is_worked_after_apply(
    worker: WorkerFactory, shop: Shop
) -> None:
    """The decision takes effect in workers that run already."""
    async with worker(service="shop") as bench:
        await handled(bench, 1)
        await bench.client.api("CONSUMER.DELETE.GLAM_EVENTS.shop-place")
    async with worker(service="shop") as bench:
        assert bench.worker.not_ready()
        await apply(bench.client, worker.registry, Choices(("place",), "new"))
        await look(bench)
        await handled(bench, 2)
        assert bench.worker.not_ready() == []

    assert shop.seen == [1, 2]


async def test_a_durable_that_others_made_anew_is_not_pulled_until_apply_takes_it(
    worker: WorkerFactory, shop: Shop
) -> None:
    """One that begins at the start of the stream would replay it: that is to be decided."""
    async with worker(service="shop") as bench:
        await handled(bench, 1)
        name = "GLAM_EVENTS.shop-place"
        config = (await bench.client.api(f"CONSUMER.INFO.{name}"))["config"]
        await bench.client.api(f"CONSUMER.DELETE.{name}")
        body = {"stream_name": "GLAM_EVENTS", "config": config, "action": "create"}
        await bench.client.api(f"CONSUMER.CREATE.{name}", body)
        await look(bench)
        await bench.until(
            lambda: any("created anew" in one for one in bench.worker.not_ready()),
            "the worker to see that it is another one",
        )
        await look(bench)
        floor = (await bench.client.api(f"CONSUMER.INFO.{name}"))["ack_floor"]["stream_seq"]
        before = list(shop.seen)
        (made,) = (await apply(bench.client, worker.registry)).changes
        await look(bench)
        await bench.until(lambda: shop.seen == [1, 1])
        assert not (await plan(bench.client, worker.registry)).pending

    assert (before, floor) == ([1], 0)
    assert "made anew, and not recorded" in made.why


async def test_a_gone_consumer_is_said_in_the_log(
    worker: WorkerFactory, shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    """The line comes by itself, names the consumer and the command, and comes once."""
    caplog.set_level(logging.INFO, "glam_worker.topology")
    async with worker(service="shop") as bench:
        await handled(bench, 1)
        await bench.client.api("CONSUMER.DELETE.GLAM_EVENTS.shop-place")

        def said() -> list[str]:
            lines = [record for record in caplog.records if record.name == "glam_worker.topology"]
            return [one.getMessage() for one in lines if one.levelno == logging.ERROR]

        await bench.until(said, "the line in the log")
        lines = said()

    (line,) = lines
    assert "consumer shop-place on stream GLAM_EVENTS is gone" in line
    assert "glam-worker apply --recreate" in line


async def test_a_paused_handler_is_shown_as_paused(worker: WorkerFactory, shop: Shop) -> None:
    """It is ready and healthy, and says until when it is paused; afterwards nothing is said."""
    async with worker(service="shop") as bench:
        await handled(bench, 1)
        pause = {"pause_until": "2199-01-01T00:00:00Z"}
        await bench.client.api("CONSUMER.PAUSE.GLAM_EVENTS.shop-place", pause)
        await look(bench)
        remarks = bench.worker.remarks()
        assert (bench.worker.not_ready(), bench.worker.unhealthy()) == ([], [])
    async with worker(service="shop") as bench:
        assert bench.worker.remarks() == remarks
        await bench.client.api("CONSUMER.PAUSE.GLAM_EVENTS.shop-place", {})
        await look(bench)
        assert bench.worker.remarks() == []
        await handled(bench, 2)

    assert remarks == ["handler place is paused until 2199-01-01T00:00:00Z"]


async def test_a_used_up_max_ack_pending_is_named(worker: WorkerFactory, shop: Shop) -> None:
    """Events wait because too many are not settled; the limit and the remedy are said."""
    async with worker(service="shop") as bench:
        await change(bench, max_ack_pending=2)
        shop.goes_on.clear()
        for number in range(4):
            await bench.publish(SUBJECT, Order(number=number))
        await bench.until(lambda: len(shop.seen) == 2)
        await look(bench)
        (remark,) = bench.worker.remarks()
        shop.goes_on.set()
        await bench.until(lambda: len(shop.seen) == 4)
        await look(bench)
        assert bench.worker.remarks() == []

    assert "consumer shop-place has 2 events handed out and not settled" in remark
    assert "glam-worker apply" in remark


async def test_leases_last_as_long_as_the_server_says_now(
    worker: WorkerFactory, shop: Shop
) -> None:
    """An ``ack_wait`` that is changed while events are worked is used from the next look on."""
    async with worker(service="shop") as bench:
        await change(bench, ack_wait=3 * NS)
        await look(bench)
        (work,) = bench.worker.works
        assert work.pipeline.ack_wait == 3.0
        await change(bench, ack_wait=60 * NS)
        await look(bench)
        assert work.pipeline.ack_wait == 30.0  # the lane's


async def test_nothing_is_pulled_while_parked_events_would_be_lost(
    worker: WorkerFactory, shop: Shop
) -> None:
    """A limit that is put on the retry stream stops the work, as it would stop the start."""
    async with worker(service="shop") as bench:
        config = (await bench.client.api("STREAM.INFO.GLAM_RETRY"))["config"]
        await bench.client.api("STREAM.UPDATE.GLAM_RETRY", config | {"max_msgs": 100})
        await look(bench)
        reasons = bench.worker.not_ready()
        event = await bench.publish(SUBJECT, Order(number=1))
        info = await bench.client.api("CONSUMER.INFO.GLAM_EVENTS.shop-place")
        assert (info["num_waiting"], info["num_pending"]) == (0, 1)
        await apply(bench.client, worker.registry)
        await look(bench)
        await bench.finished(event)

    assert any("stream GLAM_RETRY has max_msgs=100" in reason for reason in reasons)


async def test_the_floor_is_recorded_while_running_and_at_the_end(
    worker: WorkerFactory, shop: Shop
) -> None:
    """A look writes how far the handler is, and stopping does; nothing new writes nothing."""
    async with worker(service="shop") as bench:
        records = [await recorded_floor(bench)]
        for number in range(2):
            await handled(bench, number)
            await look(bench)
            records.append(await recorded_floor(bench))
        await look(bench)
        assert await recorded_floor(bench) == records[-1]
        await handled(bench, 3)
        await bench.stop()
        records.append(await recorded_floor(bench))

    assert len(set(records)) == 4


async def test_a_bucket_that_is_gone_does_not_hold_anything_up(
    worker: WorkerFactory, shop: Shop
) -> None:
    """Without ``GLAM_STATE`` a worker works on; it is created at the next start."""
    async with worker(service="shop") as bench:
        await bench.client.api("STREAM.DELETE.KV_GLAM_STATE")
        await handled(bench, 1)
        async with asyncio.timeout(5):
            await look(bench)
        await handled(bench, 2)
        async with asyncio.timeout(5):
            await bench.stop()

    assert shop.seen == [1, 2]
