"""The bench: what it tells, what it waits for, and what it says when that does not come."""

from __future__ import annotations

import asyncio
import os
import sys
import types
from pathlib import Path

import pytest
from pydantic import BaseModel

from glam_worker import EventContext, Reject, Retry, RetryPolicy, on
from glam_worker.testing import NotSeenError, Registry, Stored, TenantServer, WorkerFactory

SUBJECT = "evt.kit.order.placed.v1"
OTHER = "evt.kit.order.billed.v1"


class Order(BaseModel):
    number: int = 1


@on(SUBJECT, Order, name="kit-place")
async def place(order: Order, event: EventContext) -> None:
    if order.number < 0:
        raise Reject("negative")


@on(OTHER, Order, name="kit-bill")
def bill(order: Order) -> None: ...


async def test_a_function_is_run_as_it_was_declared(worker: WorkerFactory) -> None:
    """``worker(function)`` runs that handler, and no other of its module."""
    async with worker(place) as bench:
        settled = await bench.finished(await bench.publish(SUBJECT, Order()))
        names = [handler.name for handler in bench.worker.registry.handlers]

    assert (settled.handler, settled.outcome) == ("kit-place", "ack")
    assert names == ["kit-place"]


async def test_a_module_is_run_with_all_its_handlers(worker: WorkerFactory) -> None:
    """``worker(module)`` runs what the module declares, as ``glam-worker run`` would."""
    module = sys.modules[place.__module__]
    async with worker(module) as bench:
        names = {handler.name for handler in bench.worker.registry.handlers}

    assert names == {"kit-place", "kit-bill"}


async def test_registry_functions_and_modules_mix(worker: WorkerFactory) -> None:
    """Several things to run may be given at once."""
    registry = Registry()

    @registry.on(OTHER, Order)
    async def ship(order: Order) -> None: ...

    @worker.on(OTHER, Order)
    async def thank(order: Order) -> None: ...

    async with worker(place, registry, thank, types.ModuleType("empty")) as bench:
        names = {handler.name for handler in bench.worker.registry.handlers}

    assert names == {"kit-place", "ship", "thank"}


async def test_what_is_no_handler_is_said(worker: WorkerFactory) -> None:
    """An undecorated function is an error that says what to do."""

    async def plain(order: Order) -> None: ...

    with pytest.raises(ValueError, match="decorate it with @on"):
        worker(plain)


async def test_a_setting_that_does_not_exist_is_said(worker: WorkerFactory) -> None:
    """A misspelt setting is an error and not ignored."""
    with pytest.raises(TypeError, match="concurency"):
        worker(place, concurency=4)


async def test_the_environment_does_not_change_a_test(
    worker: WorkerFactory, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Variables and ``.env`` of the machine are not read."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("GLAM_CONCURRENCY=3\nGLAM_SERVICE=from-file\n")
    monkeypatch.setitem(os.environ, "GLAM_NATS_SERVERS", "nats://nowhere.invalid:4222")
    monkeypatch.setitem(os.environ, "NATS_USER", "nobody")
    async with worker(place, service="shop") as bench:
        settings = bench.worker.settings

    assert (settings.concurrency, settings.service) == (16, "shop")


async def test_a_bench_can_be_awaited_and_is_stopped_after_the_test(
    worker: WorkerFactory,
) -> None:
    """Without a block the worker runs until the fixture ends; ``close`` twice is harmless."""
    bench = await worker(place)
    assert (await bench.finished(await bench.publish(SUBJECT, Order()))).outcome == "ack"

    await worker.close()
    assert bench.worker.stopping
    assert not bench.client.is_connected()
    await worker.close()


async def test_a_wait_that_is_in_vain_says_what_was_seen(worker: WorkerFactory) -> None:
    """At the deadline the error names what was waited for, what happened, and what is in hand."""
    again, goes_on = asyncio.Event(), asyncio.Event()

    @worker.on(SUBJECT, Order, retry=RetryPolicy(first=7, jitter=0))
    async def slow(order: Order, event: EventContext) -> None:
        if event.attempt == 1:
            raise Retry(message="not yet")
        again.set()
        await goes_on.wait()

    async with worker() as bench:
        event_id = await bench.publish(SUBJECT, Order())
        await bench.until(again.is_set)
        bench.waiting.deadline = 0.1
        with pytest.raises(NotSeenError) as caught:
            await bench.finished(event_id)
        goes_on.set()

    text = str(caught.value)
    assert f"waited 0.1 s for the last settlement of event {event_id} ({SUBJECT})" in text
    assert "slow: parked, attempt 1 on main, again in 7 s: Retry('not yet')" in text
    assert f"slow: in hand, attempt 2 of {SUBJECT}" in text


async def test_a_wait_without_any_delivery_says_so(worker: WorkerFactory) -> None:
    """Nothing seen is said too, with the reasons why the worker is not ready."""
    async with worker(place) as bench:
        event_id = await bench.publish(SUBJECT, Order())
        await bench.finished(event_id)
        bench.waiting.deadline = 0.1
        with pytest.raises(NotSeenError, match="settlement number 2"):
            await bench.settled(event_id, 2)
        await bench.stop()
        later = await bench.publish(SUBJECT, Order())
        with pytest.raises(NotSeenError, match="not ready: the worker stops"):
            await bench.settled(later)


async def test_a_wait_for_an_event_that_is_none_names_those_there_are(
    worker: WorkerFactory,
) -> None:
    """Who mistypes an id is shown what the test has published."""
    async with worker(place) as bench:
        bench.waiting.deadline = 0.1
        with pytest.raises(NotSeenError, match=r"Published by the test:\n  nothing"):
            await bench.finished("nonsense")
        event_id = await bench.publish(SUBJECT, Order())
        with pytest.raises(NotSeenError, match="settlement of event nonsense") as caught:
            await bench.finished("nonsense")
    assert f"Published by the test:\n  {event_id} to {SUBJECT}" in str(caught.value)


async def test_where_several_handlers_work_an_event_one_is_named(worker: WorkerFactory) -> None:
    """A wait that could mean two settlements is refused with the names."""

    @worker.on(SUBJECT, Order)
    async def one(order: Order) -> None: ...

    @worker.on("evt.kit.>", Order)
    async def two(order: Order) -> None: ...

    async with worker() as bench:
        event_id = await bench.publish(SUBJECT, Order())
        with pytest.raises(ValueError, match="one and two; say which one with handler="):
            await bench.finished(event_id)
        with pytest.raises(ValueError, match="no handler 'three'"):
            await bench.finished(event_id, handler="three")
        assert (await bench.finished(event_id, handler="two")).handler == "two"
        other = await bench.publish(OTHER, Order())
        assert (await bench.finished(other)).handler == "two"


async def test_an_event_nobody_handles_is_said(worker: WorkerFactory) -> None:
    """Waiting for an event that no handler at work gets is an error at once."""
    async with worker(place) as bench:
        event_id = await bench.publish(OTHER, Order())
        with pytest.raises(ValueError, match="no handler at work has the subject"):
            await bench.finished(event_id)


async def test_raw_bytes_are_named_by_where_they_are_stored(worker: WorkerFactory) -> None:
    """``publish_raw`` returns stream and sequence, which all questions take."""
    async with worker(place) as bench:
        stored = await bench.publish_raw(SUBJECT, b"{}")
        settled = await bench.finished(stored)

    assert isinstance(stored, Stored)
    assert (settled.stored, settled.event_id, settled.reason) == (stored, None, "invalid")
    assert bench.runs(stored) == ()
    assert bench.settlements(stored) == (settled,)


@pytest.mark.parametrize("number", range(3))
async def test_every_test_begins_with_nothing(worker: WorkerFactory, number: int) -> None:
    """No stream, event or letter of another test is there."""
    async with worker(place) as bench:
        stored = await bench.publish_raw(SUBJECT, b"not JSON")
        await bench.finished(stored)
        letters = await bench.dead_letters()

    assert stored.sequence == 1
    assert len(letters) == 1


async def test_what_a_worker_kept_is_there_for_the_next_of_the_same_test(
    worker: WorkerFactory,
) -> None:
    """Workers of one test share its account: streams and durables outlive each of them."""
    async with worker(place, service="shop") as first:
        await first.finished(await first.publish(SUBJECT, Order(number=-1)))
    async with worker(place, service="shop") as second:
        assert len(await second.dead_letters()) == 1
        assert (await second.finished(await second.publish(SUBJECT, Order()))).sequence == 2


async def test_retry_delays_scale_the_waiting_and_not_the_decision(worker: WorkerFactory) -> None:
    """The settlement shows the delay that was decided, whatever the test makes of it."""

    @worker.on(SUBJECT, Order, retry=RetryPolicy(first=100, jitter=0))
    async def slow(order: Order, event: EventContext) -> None:
        if event.attempt == 1:
            raise Retry

    async with worker(retry_delays=0.004) as bench:
        event_id = await bench.publish(SUBJECT, Order())
        first = await bench.settled(event_id)
        (parked,) = await bench.parked()
        assert parked.subject.startswith("retry.wait.")
        assert (await bench.finished(event_id)).outcome == "ack"

    assert first.delay == 100


def test_a_server_starts_another_when_its_accounts_are_used_up() -> None:
    """However many tests ask, each gets an account of its own."""
    server = TenantServer(accounts=2)
    try:
        urls = [server.fresh_url() for _ in range(3)]
    finally:
        server.stop()

    assert len(set(urls)) == 3
    assert len({url.partition("@")[2] for url in urls}) == 2
