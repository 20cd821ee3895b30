"""Durables whose subjects others changed: what they passed by meanwhile is worked in the end."""

from __future__ import annotations

from dataclasses import replace

import pytest

from glam_worker.declare.registry import Registry
from glam_worker.jetstream.state import JetStreamState
from glam_worker.testing import Bench, TenantServer, WorkerFactory
from glam_worker.topology.records import DurableRecord, handler_key
from glam_worker.topology.specs import NS, STATE
from tests.runtime.other_worker import pulled
from tests.topology.applied import apply, plan
from tests.topology.interrupted import EndedError, EndingClient
from tests.topology.running import SUBJECT, Order, Shop, change, handled, look

OTHER = "evt.order.paid.v1"


@pytest.fixture
def shop(worker: WorkerFactory) -> Shop:
    """Declared for the test's workers."""
    return Shop(worker)


def declaring(subject: str) -> Registry:
    """Another version of the service, whose handler declares this subject; it is never called."""
    version = Registry()

    @version.on(subject, Order, name="place")
    async def place(order: Order) -> None:
        """Its events are not published while it works, or are in the hands of others."""

    return version


async def passed(bench: Bench, shop: Shop) -> None:
    """Orders 2 and 3 come while one is in hand and the durable has a foreign subject."""
    await handled(bench, 0)
    await look(bench)
    shop.goes_on.clear()
    await bench.publish(SUBJECT, Order(number=1))
    await bench.until(lambda: 1 in shop.seen)
    await change(bench, filter_subject=OTHER)
    for number in (2, 3):
        await bench.publish(SUBJECT, Order(number=number))
    await bench.publish(OTHER, Order(number=99))
    await bench.until(
        lambda: "did not declare" in "".join(bench.worker.not_ready()), "a stray event"
    )
    await look(bench)
    shop.goes_on.set()
    await bench.until(lambda: len(bench.facts.in_hand) == 0)


@pytest.mark.parametrize("repaired", [False, True], ids=["by_apply", "by_hand_before_apply"])
async def test_what_a_durable_with_foreign_subjects_passed_by_is_worked_after_apply(
    worker: WorkerFactory, shop: Shop, repaired: bool
) -> None:
    """It goes back to the last position that can be trusted; the stray is gone; all is ready."""
    async with worker(service="shop") as bench:
        await passed(bench, shop)
        if repaired:
            await change(bench, filter_subject=SUBJECT)
            await look(bench)
            await bench.publish(SUBJECT, Order(number=4))
            reason = bench.worker.not_ready()[0]
            assert "has position past events that subjects set by others kept back" in reason
            assert "(declared: sequence 1)" in reason
        made = await apply(bench.client, worker.registry)
        await look(bench)
        await bench.until(lambda: {2, 3} <= set(shop.seen))
        await handled(bench, 5)
        await look(bench)
        assert bench.worker.not_ready() == []
        assert not (await plan(bench.client, worker.registry)).pending
        stray = await bench.client.api("CONSUMER.INFO.GLAM_EVENTS.shop-place")

    (change_made,) = made.changes
    assert change_made.action == "recreate"
    assert "what was settled after sequence 1 once more" in change_made.why
    assert shop.seen.count(0) == 1
    assert 99 not in shop.seen
    assert (stray["num_ack_pending"], stray["num_pending"]) == (0, 0)


async def test_a_worker_that_starts_on_a_repaired_durable_knows_what_it_passed_by(
    worker: WorkerFactory, shop: Shop
) -> None:
    """What one worker saw is recorded: another one does not work on past it."""
    async with worker(service="shop") as bench:
        await passed(bench, shop)
        await change(bench, filter_subject=SUBJECT)
    async with worker(service="shop") as bench:
        (reason,) = bench.worker.not_ready()
        await apply(bench.client, worker.registry)
        await look(bench)
        await bench.until(lambda: {2, 3} <= set(shop.seen))

    assert "position" in reason


async def test_subjects_that_the_code_changes_move_no_position(
    worker: WorkerFactory, shop: Shop
) -> None:
    """Another declaration is applied in place: nothing is worked again, here or later."""
    wider = Registry()

    @wider.on("evt.order.*.v1", Order, name="place")
    async def place(order: Order) -> None:
        shop.seen.append(order.number)

    async with worker(service="shop") as bench:
        await handled(bench, 1)
        made = await apply(bench.client, wider)
        await look(bench)  # of a worker of the version before
    async with worker(wider, service="shop") as bench:
        await look(bench)
        await bench.publish(OTHER, Order(number=2))
        await bench.until(lambda: 2 in shop.seen)
        assert bench.worker.not_ready() == []
        assert not (await plan(bench.client, wider)).pending

    assert [change_made.action for change_made in made.changes] == ["update"]
    assert shop.seen == [1, 2]


async def test_what_a_narrower_declaration_leaves_in_flight_becomes_a_dead_letter(
    worker: WorkerFactory, shop: Shop
) -> None:
    """It was handed out under the old subjects, and would else come again for ever."""
    wider = declaring("evt.order.*.v1")
    async with worker(wider, service="shop"):
        pass
    async with worker(service="shop") as bench:
        await bench.publish(OTHER, Order(number=2))
        elsewhere = await pulled(bench, "GLAM_EVENTS.shop-place")
        await apply(bench.client, worker.registry)
        await change(bench, ack_wait=NS // 2)
        await look(bench)
        await elsewhere.nak()
        await bench.until(lambda: "did not declare" in "".join(bench.worker.not_ready()))
        await look(bench)
        assert bench.worker.not_ready() == []
        await bench.until(lambda: len(bench.settlements()) == 2)
        (letter,) = await bench.dead_letters()
        await handled(bench, 3)
        outcomes = [one.outcome for one in bench.settlements()]

    assert outcomes == ["handed_back", "dead_letter", "ack"]
    assert letter.reason == "rejected"
    assert "its subject is not declared" in letter.about.message
    assert shop.seen == [3]


async def test_wider_subjects_of_others_pass_nothing_by(worker: WorkerFactory, shop: Shop) -> None:
    """Nothing is worked again once they are taken back; what else came is rejected."""
    async with worker(service="shop") as bench:
        await handled(bench, 1)
        await change(bench, filter_subject="evt.>")
        await bench.publish(OTHER, Order(number=99))
        await bench.until(
            lambda: "did not declare" in "".join(bench.worker.not_ready()), "a stray event"
        )
        (work,) = bench.worker.works
        await look(bench)
        await bench.publish(SUBJECT, Order(number=2))
        made = await apply(bench.client, worker.registry)
        await look(bench)
        await handled(bench, 3)
        await look(bench)
        assert bench.worker.not_ready() == []
        assert work.pipeline.strays.problem is None

    assert [change_made.action for change_made in made.changes] == ["update"]
    assert shop.seen == [1, 2, 3]


async def test_events_that_come_without_their_bodies_are_handed_back_until_the_durable_is_mended(
    worker: WorkerFactory, shop: Shop
) -> None:
    """Nothing is taken for an event that cannot be read, and the handler is pulled no more."""
    async with worker(service="shop") as bench:
        await handled(bench, 1)
        await change(bench, headers_only=True)
        await bench.publish(SUBJECT, Order(number=2))
        await bench.until(lambda: "without its body" in "".join(bench.worker.not_ready()))
        await look(bench)
        await bench.publish(SUBJECT, Order(number=3))
        info = await bench.client.api("CONSUMER.INFO.GLAM_EVENTS.shop-place")
        await apply(bench.client, worker.registry)
        await look(bench)
        await bench.until(lambda: 3 in shop.seen)
        assert bench.worker.not_ready() == []
        assert await bench.dead_letters() == []

    assert info["num_waiting"] == 0
    assert info["num_ack_pending"] == 1


async def test_a_look_that_began_before_an_apply_leaves_what_it_recorded(
    worker: WorkerFactory, shop: Shop
) -> None:
    """Workers of the version before look at any time: the new subjects stay those recorded."""
    other = declaring(OTHER)
    async with worker(service="shop") as bench:
        await handled(bench, 1)
        await look(bench)
        upkeep = bench.worker.upkeep
        assert upkeep is not None
        before = await upkeep._standings()
        await handled(bench, 2)
        (made,) = (await apply(bench.client, other)).changes
        await upkeep._record(*before)
        await look(bench)
        assert not (await plan(bench.client, other)).pending

    assert made.action == "update"


async def test_a_record_without_subjects_says_nothing_of_them(
    worker: WorkerFactory, shop: Shop
) -> None:
    """It is one of an earlier version: the first look of a new subject does not condemn it."""
    other = declaring(OTHER)
    async with worker(service="shop") as bench:
        await handled(bench, 1)
    async with worker(other, service="shop") as bench:
        state = JetStreamState(bench.client, STATE)
        key = handler_key("shop", "place")
        known = DurableRecord.from_bytes((await state.read([key]))[key].value)
        assert known is not None
        await state.write(key, replace(known, filters=()).to_bytes())
        await look(bench)
        (made,) = (await apply(bench.client, other)).changes
        await look(bench)
        await bench.until(lambda: not bench.worker.not_ready())

    assert made.action == "update"


async def test_a_way_back_that_is_interrupted_anywhere_is_gone_by_the_next_apply(
    worker: WorkerFactory, shop: Shop, nats_server: TenantServer
) -> None:
    """Also with the durable deleted and not made anew: nobody has to decide again."""
    last, ended = 0, True
    while ended:
        last, ended = last + 1, False
        url = nats_server.fresh_url()
        async with worker(service="shop", servers=url) as bench:
            await passed(bench, shop)
            async with EndingClient(last, applied=True) as ending:
                await ending.connect(url)
                try:
                    await apply(ending, worker.registry)
                except EndedError:
                    ended = True
            await apply(bench.client, worker.registry)
            await look(bench)
            await bench.until(lambda: {2, 3} <= set(shop.seen))
            assert not (await plan(bench.client, worker.registry)).pending
        shop.seen.clear()
    assert last > 3
