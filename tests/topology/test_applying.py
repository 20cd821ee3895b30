"""What ``apply`` does to a real server, and what workers find afterwards."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest
from pydantic import BaseModel

from glam_worker import EventContext, Retry
from glam_worker.declare.registry import Registry
from glam_worker.testing import WorkerFactory
from glam_worker.topology.planning import Choices
from glam_worker.topology.specs import NS
from tests.topology.applied import apply, connection, plan
from tests.topology.made_by_others import consumer, prepare, stream

SUBJECT = "evt.order.placed.v1"
OWNER = {"glam.service": "shop", "glam.handler": "place", "glam.way": "main"}


class Order(BaseModel):
    number: int = 1


class Shop:
    """Handlers of the service shop that count what they handle."""

    def __init__(self, *names: str, **options: Any) -> None:
        self.registry = Registry()
        self.seen: Counter[int] = Counter()
        self.parks: set[int] = set()
        for name in names:
            self.registry.on(SUBJECT, Order, name=name, **options)(self._handle)

    async def _handle(self, order: Order, event: EventContext) -> None:
        if order.number in self.parks and event.attempt == 1:
            raise Retry(after=1)
        self.seen[order.number] += 1


async def handled(worker: WorkerFactory, shop: Shop, *numbers: int) -> None:
    """A worker handles these orders, and stops."""
    async with worker(shop.registry, service="shop") as bench:
        for number in numbers:
            await bench.finished(await bench.publish(SUBJECT, Order(number=number)))


async def publish(worker: WorkerFactory, *numbers: int) -> None:
    """Orders that come while no worker runs: another service's worker publishes them."""
    other = Registry()
    other.on("evt.other.happened.v1", Order, name="idle")(_idle)
    async with worker(other, service="other") as bench:
        for number in numbers:
            await bench.publish(SUBJECT, Order(number=number))


async def _idle(order: Order) -> None: ...


async def test_what_apply_made_is_what_a_worker_needs(worker: WorkerFactory) -> None:
    """On an empty server it makes all that ``run`` would; afterwards neither finds anything."""
    shop = Shop("place", idempotent=True)
    async with connection(worker.url) as client:
        made = await apply(client, shop.registry)
        again = await plan(client, shop.registry)
    async with worker(shop.registry, service="shop") as bench:
        ensured = bench.worker.ensured
        await bench.finished(await bench.publish(SUBJECT, Order(number=4)))

    assert len(made.changes) == 8
    assert not again.pending
    assert (ensured.created, ensured.drift, ensured.alarms, ensured.refused) == ([], [], [], [])
    assert shop.seen == {4: 1}


async def test_what_run_made_is_what_apply_needs(worker: WorkerFactory) -> None:
    """After a start there is nothing to plan."""
    shop = Shop("place", idempotent=True)
    await handled(worker, shop, 1)
    async with connection(worker.url) as client:
        assert not (await plan(client, shop.registry)).pending


async def test_unsafe_drift_ends_with_apply(worker: WorkerFactory) -> None:
    """A durable of older code, wrong in every field that can be changed, is pulled afterwards."""
    shop = Shop("place")
    wrong = {
        "filter_subject": "evt.>",
        "max_deliver": 3,
        "backoff": [NS, 2 * NS],
        "headers_only": True,
        "max_ack_pending": 5,
        "inactive_threshold": 3600 * NS,
    }
    await prepare(
        worker.url, stream("GLAM_EVENTS", "evt.>", "cmd.>"), consumer("shop-place", **wrong)
    )
    async with connection(worker.url) as client:
        made = await apply(client, shop.registry)
        assert not (await plan(client, shop.registry)).pending
        config = (await client.api("CONSUMER.INFO.GLAM_EVENTS.shop-place"))["config"]
    await handled(worker, shop, 1)

    (update,) = [change for change in made.changes if change.thing == "consumer shop-place"]
    assert {one.field for one in update.differences} == {
        *("owner", "filter", "max_deliver", "backoff", "headers_only"),
        *("ack_wait", "max_ack_pending", "inactive_threshold"),
    }
    assert config["metadata"]["glam.handler"] == "place"
    assert "backoff" not in config
    assert shop.seen == {1: 1}


async def test_an_ack_policy_is_changed_by_making_the_durable_anew(worker: WorkerFactory) -> None:
    """It goes on at its floor: nothing is replayed, nothing skipped."""
    shop = Shop("place")
    await handled(worker, shop, 1, 2)
    await publish(worker, 3)
    wrong = {"filter_subject": SUBJECT, "deliver_policy": "by_start_sequence", "opt_start_seq": 3}
    await prepare(
        worker.url,
        ("CONSUMER.DELETE.GLAM_EVENTS.shop-place", {}),
        consumer("shop-place", **wrong, max_deliver=-1, ack_policy="all", metadata=OWNER),
    )
    async with connection(worker.url) as client:
        assert (await apply(client, shop.registry)).changes == []
        await apply(client, shop.registry, Choices(("place",), "floor"))
    await handled(worker, shop, 4)

    assert shop.seen == {1: 1, 2: 1, 3: 1, 4: 1}


@pytest.mark.parametrize(
    ("begin", "expected"),
    [
        ("floor", {1: 1, 2: 1, 3: 1, 4: 1}),
        ("new", {1: 1, 2: 1, 4: 1}),
        ("all", {1: 2, 2: 2, 3: 1, 4: 1}),
    ],
)
async def test_a_deleted_durable_begins_where_it_is_told_to(
    worker: WorkerFactory, begin: Any, expected: dict[int, int]
) -> None:
    """Orders 1 and 2 were handled, 3 came after the worker had stopped, 4 comes afterwards."""
    shop = Shop("place")
    await handled(worker, shop, 1, 2)
    await publish(worker, 3)
    await prepare(worker.url, ("CONSUMER.DELETE.GLAM_EVENTS.shop-place", {}))
    async with connection(worker.url) as client:
        await apply(client, shop.registry, Choices(("place",), begin))
        again = await apply(client, shop.registry, Choices(("place",), begin))
    async with worker(shop.registry, service="shop") as bench:
        await bench.publish(SUBJECT, Order(number=4))
        await bench.until(lambda: sum(shop.seen.values()) == sum(expected.values()))
        assert bench.worker.ensured.refused == []

    assert again.changes == []
    assert shop.seen == expected


async def test_a_deleted_stream_is_made_anew_by_the_decision(worker: WorkerFactory) -> None:
    """The floor is not offered, as it was one of the old stream."""
    shop = Shop("place")
    await handled(worker, shop, 1)
    await prepare(worker.url, ("STREAM.DELETE.GLAM_EVENTS", {}))
    async with connection(worker.url) as client:
        assert (await apply(client, shop.registry)).changes == []
        floor = await apply(client, shop.registry, Choices(("place",), "floor"))
        assert "gone" in floor.stopped[0].problem
        await prepare(worker.url)
    async with connection(worker.url) as client:
        await apply(client, shop.registry, Choices(("place",), "all"))
    await handled(worker, shop, 2)

    assert shop.seen == {1: 1, 2: 1}


@pytest.mark.parametrize("by", ["declaration", "option"])
async def test_a_renamed_handler_goes_on_where_it_was(worker: WorkerFactory, by: str) -> None:
    """What was handled is not handled again; what waited or was parked comes to the new name."""
    old = Shop("ship")
    old.parks = {2}
    async with worker(old.registry, service="shop", retry_delays=1.0) as bench:
        await bench.finished(await bench.publish(SUBJECT, Order(number=1)))
        await bench.settled(await bench.publish(SUBJECT, Order(number=2)))
    await publish(worker, 3)

    new = Shop("send", previously="ship" if by == "declaration" else ())
    choices = Choices() if by == "declaration" else Choices(moves={"ship": "send"})
    if by == "declaration":
        async with worker(new.registry, service="shop") as bench:
            main, lane = bench.worker.ensured.refused
            assert "was called ship before" in main.reason
            assert "glam-worker apply" in main.reason
            assert "shop-send-lane is pulled as soon as" in lane.reason
    async with connection(worker.url) as client:
        await apply(client, new.registry, choices)
        assert not (await plan(client, new.registry)).pending
        names = [
            (await client.api(f"CONSUMER.NAMES.{one}"))["consumers"]
            for one in ("GLAM_EVENTS", "GLAM_RETRY")
        ]
    async with worker(new.registry, service="shop") as bench:
        await bench.publish(SUBJECT, Order(number=4))
        await bench.until(lambda: len(new.seen) == 3)
        assert bench.worker.not_ready() == []

    assert old.seen == {1: 1}
    assert new.seen == {2: 1, 3: 1, 4: 1}
    assert all("shop-ship" not in one and "shop-ship-lane" not in one for one in names)


@pytest.mark.parametrize("by", ["declaration", "option"])
async def test_a_running_worker_works_what_its_handler_takes_over(
    worker: WorkerFactory, by: str
) -> None:
    """The retries of the old name, too: its lane is pulled without a restart."""
    old = Shop("ship")
    old.parks = {1}
    async with worker(old.registry, service="shop", retry_delays=1.0) as bench:
        await bench.settled(await bench.publish(SUBJECT, Order(number=1)))
    await publish(worker, 2)

    new = Shop("send", previously="ship" if by == "declaration" else ())
    choices = Choices() if by == "declaration" else Choices(moves={"ship": "send"})
    async with worker(new.registry, service="shop") as bench:
        async with connection(worker.url) as client:
            await apply(client, new.registry, choices)
        async with asyncio.timeout(20):
            while not {1, 2} <= new.seen.keys() or bench.worker.not_ready():
                assert bench.worker.upkeep is not None
                await bench.worker.upkeep.look()

    assert new.seen[1] == 1


async def test_retries_follow_through_several_names(worker: WorkerFactory) -> None:
    """What the first name parked comes to the third, and to a lane that is created anew."""
    first, second, third = (
        Shop("one"),
        Shop("two", previously="one"),
        Shop("three", previously="two"),
    )
    first.parks = {1}
    async with worker(first.registry, service="shop", retry_delays=1.0) as bench:
        await bench.settled(await bench.publish(SUBJECT, Order(number=1)))
    async with connection(worker.url) as client:
        await apply(client, second.registry)
        await apply(client, third.registry)
        assert (await plan(client, third.registry)).orphans == []
        await client.api("CONSUMER.DELETE.GLAM_RETRY.shop-three-lane")
    async with worker(third.registry, service="shop") as bench:
        await bench.until(lambda: third.seen == {1: 1})
    async with connection(worker.url) as client:
        assert not (await plan(client, third.registry)).pending


async def test_a_name_that_was_given_up_is_not_taken_for_a_new_handler(
    worker: WorkerFactory,
) -> None:
    """Old code that starts after the move is refused: it would replay the stream beside the new."""
    old, new = Shop("ship"), Shop("send", previously="ship")
    await handled(worker, old, 1)
    async with connection(worker.url) as client:
        await apply(client, new.registry)
    async with worker(old.registry, service="shop") as bench:
        reasons = [refused.reason for refused in bench.worker.ensured.refused]

    assert any("was given up for send" in reason for reason in reasons)
    assert old.seen == {1: 1}


async def test_a_fresh_server_needs_no_move(worker: WorkerFactory) -> None:
    """``previously`` names nothing that exists: the handler is new there."""
    new = Shop("send", previously=("ship", "mail"))
    await handled(worker, new, 1)
    async with connection(worker.url) as client:
        assert not (await plan(client, new.registry)).pending

    assert new.seen == {1: 1}


async def test_a_limit_of_the_retry_stream_is_removed(worker: WorkerFactory) -> None:
    """What stops ``run`` with an error is mended by ``apply``."""
    shop = Shop("place")
    limited = {"retention": "workqueue", "allow_msg_schedules": True, "max_msgs": 1000}
    await prepare(worker.url, stream("GLAM_RETRY", "retry.>", **limited))
    async with connection(worker.url) as client:
        await apply(client, shop.registry)
    await handled(worker, shop, 1)

    assert shop.seen == {1: 1}


async def test_a_limit_is_looked_at_again_before_it_is_set(worker: WorkerFactory) -> None:
    """Messages that came after the plan was made are not removed by it."""
    shop = Shop("place")
    await handled(worker, shop, 1)
    async with connection(worker.url) as client:
        config = (await client.api("STREAM.INFO.GLAM_DLQ"))["config"]
        await client.api("STREAM.UPDATE.GLAM_DLQ", config | {"max_bytes": -1})
        made = await plan(client, shop.registry)
        assert [change.thing for change in made.changes] == ["stream GLAM_DLQ"]
        for number in range(5):
            body = b"x" * 1_000_000
            await client.publish_acked("dlq.a.b", body, {}, msg_id=str(number))
        after = await plan(client, shop.registry)

    assert not after.pending
    assert "would remove" in after.notes[0]
