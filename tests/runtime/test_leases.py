"""What tells the server that we hold something, when, and when not."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, cast

import pytest
from nats.aio.msg import Msg
from pydantic import BaseModel

from glam_shared.messaging import JetStreamClient, client_internals
from glam_worker.dev.server import EmbeddedServer
from glam_worker.jetstream.pull_state import PullState
from glam_worker.testing import Bench, WorkerFactory
from tests.runtime.other_worker import pulled

SUBJECT = "evt.order.placed.v1"
ACK_WAIT = 0.6
LONGER = 1.2

StartsServer = Callable[..., EmbeddedServer]


class Order(BaseModel):
    number: int = 1


class Spy:
    """Hears every ack, nak and in-progress ack that the server hears."""

    def __init__(self) -> None:
        self.said: list[tuple[str, bytes]] = []

    async def heard(self, msg: Msg) -> None:
        """One of them."""
        self.said.append((msg.subject, msg.data))

    def signs(self) -> int:
        """In-progress acks so far."""
        return sum(body == b"+WPI" for _, body in self.said)

    def naks(self) -> list[str]:
        """What was handed back, by the subject that names the delivery."""
        return [subject for subject, body in self.said if body.startswith(b"-NAK")]


@contextlib.asynccontextmanager
async def spying(client: JetStreamClient) -> AsyncIterator[Spy]:
    """Listen on the test's connection."""
    spy = Spy()
    subscription = await client.client.subscribe("$JS.ACK.>", cb=spy.heard)
    await client.api("STREAM.NAMES")  # the server knows of it
    yield spy
    if client.is_connected():
        await subscription.unsubscribe()


def pipeline(bench: Bench) -> Any:
    """The handler's."""
    return bench.worker.works[0].pipeline


class Slow:
    """A transport that sends everything a little later, in order."""

    def __init__(self, real: Any) -> None:
        self._real = real

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def write(self, data: bytes) -> None:
        """Send it later."""
        asyncio.get_running_loop().call_later(LONGER / 6, self._real.write, data)

    def writelines(self, parts: list[bytes]) -> None:
        """Send them later."""
        self.write(b"".join(parts))


def slow_down(bench: Bench) -> None:
    """Whatever the keeper sends is overtaken by what the worker sends."""
    keepers = bench.worker._line._client.client
    keepers._transport = cast("Any", Slow(keepers._transport))


def lost(bench: Bench) -> bool:
    """Whether the worker knows that its consumer is gone, or is another one now."""
    told = str(bench.worker.not_ready())
    return "is gone" in told or "anew" in told


async def handed_out(bench: Bench) -> int:
    """Deliveries that the server has made to the durable."""
    info = await bench.client.api(f"CONSUMER.INFO.GLAM_EVENTS.{bench.service}-place")
    return int(info["delivered"]["consumer_seq"])


async def test_a_delayed_nak_is_not_overtaken_by_a_sign_of_life(worker: WorkerFactory) -> None:
    """What is handed back with a delay stays away that long, although the lease keeper, on another
    connection, was renewing it."""
    ends = asyncio.Event()

    @worker.on(SUBJECT, Order, ack_wait=LONGER, concurrency=40)
    async def place(order: Order) -> None:
        await ends.wait()

    async with worker() as bench, spying(bench.client) as spy:
        for number in range(30):
            await bench.publish(SUBJECT, Order(number=number))
        await bench.until(lambda: len(pipeline(bench).held) == 30)
        await bench.until(lambda: spy.signs() >= 30)
        slow_down(bench)
        signs = bench.facts.renewals
        await bench.until(lambda: bench.facts.renewals >= signs + 30)
        *back, kept = list(pipeline(bench).held)
        assert all(one.kept for one in back)
        for delivery in back:
            await asyncio.sleep(LONGER / 200)
            assert delivery.hand_back(60.0)
        await bench.until(lambda: len(spy.naks()) == 29)
        then = kept.renewed
        await bench.until(lambda: kept.renewed > then + 1.5 * LONGER, "two leases")
        delivered = await handed_out(bench)
        ends.set()
        await bench.settled(await bench.publish(SUBJECT, Order()))

    assert delivered == 30
    last = dict(spy.said)
    assert all(last[subject].startswith(b"-NAK") for subject in spy.naks())


async def test_what_the_keeper_cannot_renew_the_loop_renews(
    worker: WorkerFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the keeper's connection a run that waits for three leases is run once."""
    monkeypatch.setattr("glam_worker.jetstream.lease_line.LeaseLine.renew", no_renewals)
    runs: list[int] = []

    @worker.on(SUBJECT, Order, ack_wait=ACK_WAIT)
    async def place(order: Order) -> None:
        runs.append(order.number)
        await bench.until(lambda: bench.facts.renewals > 5)

    async with worker() as bench:
        await bench.finished(await bench.publish(SUBJECT, Order()))
        delivered = await handed_out(bench)

    assert (runs, delivered) == ([1], 1)


async def no_renewals(*_args: object) -> list[Any]:
    """As a line that has no connection."""
    return []


async def test_what_is_handed_out_again_to_its_holder_is_not_run_twice(
    worker: WorkerFactory,
) -> None:
    """Somebody's nak brings back an event that runs here: the run goes on, under a new lease."""
    ends = asyncio.Event()

    @worker.on(SUBJECT, Order, ack_wait=5.0, concurrency=4)
    async def place(order: Order) -> None:
        await ends.wait()

    async with worker(service="shop") as bench:
        event = await bench.publish(SUBJECT, Order(number=1))
        await bench.until(lambda: bench.facts.received)
        (held,) = pipeline(bench).held
        renewed = held.renewed
        turned = bench.worker.ticker.last  # a lease counts from a turn of the loop
        async with asyncio.timeout(5):
            while bench.worker.ticker.last == turned:
                await asyncio.sleep(0.02)
        await bench.client.client.publish("$JS.ACK.GLAM_EVENTS.shop-place.1.1.1.0.0", b"-NAK")
        await bench.until(lambda: len(bench.facts.received) == 2)
        assert list(pipeline(bench).held) == [held]
        assert held.renewed > renewed
        ends.set()
        await bench.finished(event)
        assert len(bench.runs(event)) == 1
        assert await floor(bench) == 1


async def test_what_was_acked_here_is_not_run_when_it_comes_again(
    worker: WorkerFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ack got lost on its way: it is sent again instead of a run."""
    lost: list[bytes] = []
    write = client_internals.write

    def carries_all_but_an_ack(client: Any, data: bytes) -> None:
        if b"PUB $JS.ACK" in data and not lost:
            lost.append(data)
        else:
            write(client, data)

    monkeypatch.setattr(client_internals, "write", carries_all_but_an_ack)

    @worker.on(SUBJECT, Order, ack_wait=ACK_WAIT)
    async def place(order: Order) -> None: ...

    async with worker(service="shop") as bench:
        event = await bench.publish(SUBJECT, Order(number=1))
        await bench.until(lambda: len(bench.settlements()) == 2)
        assert len(bench.runs(event)) == len(lost) == 1
        assert await floor(bench) == 1


async def test_other_events_of_acked_sequences_are_run(
    worker: WorkerFactory, own_server: StartsServer, tmp_path: Path
) -> None:
    """A stream that has lost its end gives the same sequences to other events."""
    server = own_server()
    ran: list[int] = []

    @worker.on(SUBJECT, Order, ack_wait=5.0)
    async def place(order: Order) -> None:
        ran.append(order.number)

    async with worker(servers=server.url, service="shop") as bench:
        await bench.finished(await bench.publish(SUBJECT, Order(number=1)))
        assert await floor(bench) == 1
        await asyncio.to_thread(server.kill)
        await asyncio.to_thread(shutil.copytree, server.store, tmp_path / "before")
        await asyncio.to_thread(server.start)
        await bench.finished(await bench.publish(SUBJECT, Order(number=2)))
        assert await floor(bench) == 2

        await asyncio.to_thread(server.kill)
        await asyncio.to_thread(shutil.rmtree, server.store)
        await asyncio.to_thread(shutil.copytree, tmp_path / "before", server.store)
        await asyncio.to_thread(server.start)
        await bench.until(lambda: not bench.worker.not_ready())
        source = bench.worker.works[0].sources[0]
        await source.quiet(PullState.HELD, "another worker is to have the next one")
        await bench.publish(SUBJECT, Order(number=3))
        elsewhere = await pulled(bench, "GLAM_EVENTS.shop-place")
        await elsewhere.nak()
        source.release()
        await bench.until(lambda: ran == [1, 2, 3])

    assert ".2." in elsewhere.reply


async def floor(bench: Bench) -> int:
    """How far the server knows of everything that it is settled."""
    async with asyncio.timeout(bench.waiting.deadline):
        while True:
            info = await bench.client.api("CONSUMER.INFO.GLAM_EVENTS.shop-place")
            if not info["num_ack_pending"]:
                return int(info["ack_floor"]["stream_seq"])


async def test_a_lease_that_ends_under_a_run_is_counted_once(
    worker: WorkerFactory, own_server: StartsServer, caplog: pytest.LogCaptureFixture
) -> None:
    """The server is away for longer than the lease: the run goes on, and its ack completes it."""
    server = own_server()
    ends = asyncio.Event()

    @worker.on(SUBJECT, Order, ack_wait=ACK_WAIT, concurrency=1)
    async def place(order: Order) -> None:
        await ends.wait()

    async with worker(servers=server.url, service="shop") as bench:
        event = await bench.publish(SUBJECT, Order(number=1))
        await bench.until(lambda: bench.facts.renewals)
        await asyncio.to_thread(server.kill)
        await bench.until(lambda: bench.facts.outlasted, "the lease to end")
        (held,) = pipeline(bench).held
        await bench.until(lambda: time.monotonic() - held.renewed > 2 * LONGER)
        count = bench.worker.observers.records["shop", "place", "main"].lapses
        await asyncio.to_thread(server.start)
        ends.set()
        await bench.finished(event)

    said = [one for one in caplog.records if "its lease ended while it runs" in one.message]
    assert count == len(bench.facts.outlasted) == len(said) == 1


@pytest.mark.parametrize("whole", [False, True], ids=["consumer", "stream"])
async def test_nothing_is_told_to_a_consumer_made_anew(worker: WorkerFactory, whole: bool) -> None:
    """Stream or durable deleted and created again under a run: neither its sign of life nor its
    ack completes the other event of the same sequence."""
    ends = asyncio.Event()

    @worker.on(SUBJECT, Order, ack_wait=ACK_WAIT)
    async def place(order: Order) -> None:
        await ends.wait()

    async with worker() as bench, spying(bench.client) as spy:
        await bench.publish(SUBJECT, Order(number=1))
        await bench.until(lambda: bench.facts.renewals > 1)
        stream = (await bench.client.api("STREAM.INFO.GLAM_EVENTS"))["config"]
        durable = f"{bench.service}-place"
        config = (await bench.client.api(f"CONSUMER.INFO.GLAM_EVENTS.{durable}"))["config"]
        told = len(spy.said)
        if whole:
            await bench.client.api("STREAM.DELETE.GLAM_EVENTS")
            await bench.client.api("STREAM.CREATE.GLAM_EVENTS", stream)
            await bench.publish(SUBJECT, Order(number=2))
        else:
            await bench.client.api(f"CONSUMER.DELETE.GLAM_EVENTS.{durable}")
        create = {"stream_name": "GLAM_EVENTS", "config": config, "action": "create"}
        await bench.client.api(f"CONSUMER.CREATE.GLAM_EVENTS.{durable}", create)
        await bench.until(lambda: lost(bench))
        (held,) = pipeline(bench).held
        await bench.until(lambda: time.monotonic() - held.renewed > ACK_WAIT, "the lease to lapse")
        ends.set()
        await bench.until(lambda: not pipeline(bench).held)
        info = await bench.client.api(f"CONSUMER.INFO.GLAM_EVENTS.{durable}")

    assert info["ack_floor"]["stream_seq"] == 0
    assert info["num_pending"] == 1
    assert len(spy.said) <= told + 1  # one may have left before the server's 409 was read


async def test_nothing_is_told_after_a_reconnect_to_another_stream(
    worker: WorkerFactory, own_server: StartsServer
) -> None:
    """The server comes back without its store, and with an event of the same sequence: the late
    ack of the old one is not sent."""
    server = own_server()
    ends = asyncio.Event()

    @worker.on(SUBJECT, Order, ack_wait=ACK_WAIT)
    async def place(order: Order) -> None:
        await ends.wait()

    async with worker(servers=server.url) as bench:
        await bench.publish(SUBJECT, Order(number=1))
        await bench.until(lambda: bench.facts.renewals > 1)
        durable = f"{bench.service}-place"
        stream = (await bench.client.api("STREAM.INFO.GLAM_EVENTS"))["config"]
        config = (await bench.client.api(f"CONSUMER.INFO.GLAM_EVENTS.{durable}"))["config"]
        await bench.client.api("STREAM.DELETE.GLAM_EVENTS")
        await asyncio.to_thread(server.kill)
        await bench.until(bench.worker.not_ready)
        ends.set()
        await asyncio.to_thread(server.start)
        assert await bench.client.wait_connected(10)
        async with spying(bench.client) as spy:
            await bench.client.api("STREAM.CREATE.GLAM_EVENTS", stream)
            await bench.publish(SUBJECT, Order(number=2))
            create = {"stream_name": "GLAM_EVENTS", "config": config, "action": "create"}
            await bench.client.api(f"CONSUMER.CREATE.GLAM_EVENTS.{durable}", create)
            await bench.until(lambda: lost(bench), "it is noticed")
            info = await bench.client.api(f"CONSUMER.INFO.GLAM_EVENTS.{durable}")

    assert spy.said == []
    assert (info["ack_floor"]["stream_seq"], info["num_pending"]) == (0, 1)
