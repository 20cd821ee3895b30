"""The ways in which a connection dies, under a worker that has an event in hand."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from pydantic import BaseModel

from glam_shared.messaging import EventPublisher, JetStreamClient, client_internals
from glam_shared.messaging.connect_options import Timings
from glam_worker import Worker
from glam_worker.declare.registry import Registry
from glam_worker.dev.server import EmbeddedServer
from glam_worker.testing.factory import BenchSettings
from tests.faults.proxy import Proxy
from tests.messaging.waiting import until

SUBJECT = "evt.order.placed.v1"
QUICK = Timings(ping_interval=0.4, hung_teardown=0.5, watch_period=0.1, close=1.0)
USERS = {"users": [{"user": "worker", "password": "x"}, {"user": "test", "password": "x"}]}

StartsServer = Callable[..., EmbeddedServer]


class Order(BaseModel):
    number: int = 1


class Shop:
    """A worker whose first event is in hand until ``ends`` is set."""

    def __init__(self, url: str, ack_wait: float = 8.0) -> None:
        self.runs: Counter[int] = Counter()
        self.ends = asyncio.Event()
        self.client = JetStreamClient(timings=QUICK)
        registry = Registry()
        registry.on(SUBJECT, Order, ack_wait=ack_wait)(self.place)
        settings = BenchSettings(nats_servers=url, service="shop", http_port=0)
        self.worker = Worker(registry, settings, client=self.client)

    async def place(self, order: Order) -> None:
        """The handler."""
        self.runs[order.number] += 1
        if order.number == 1:
            await self.ends.wait()

    @asynccontextmanager
    async def at_work(self, publisher: EventPublisher) -> AsyncIterator[None]:
        """Started, with event 1 in hand."""
        await self.worker.start()
        try:
            await publisher.publish_event(SUBJECT, Order(number=1))
            await until(lambda: self.runs[1])
            yield
        finally:
            await self.worker.stop(grace=1.0)

    async def goes_on(self, publisher: EventPublisher, client: JetStreamClient) -> None:
        """What was in hand is settled, what comes is worked, and the server waits for nothing."""
        with contextlib.suppress(AssertionError):
            await until(lambda: not self.worker.not_ready())
        assert self.worker.not_ready() == []
        self.ends.set()
        await publisher.publish_event(SUBJECT, Order(number=2))
        # The server may have sent it to the connection that died: then it comes after `ack_wait`.
        await until(lambda: self.runs[2], within=30.0)
        await until(lambda: not self.worker.works[0].pipeline.held)
        async with asyncio.timeout(10):
            while (await client.api("CONSUMER.INFO.GLAM_EVENTS.shop-place"))["num_ack_pending"]:
                await asyncio.sleep(0.02)


async def zombie(shop: Shop, _server: EmbeddedServer, _proxy: Proxy) -> None:
    """The read loop ends, and the client says that it is connected."""
    reading = shop.client.client._reading_task
    assert reading is not None
    reading.cancel()
    await until(lambda: client_internals.read_loop_ended(shop.client.client))


async def closed_for_good(shop: Shop, _server: EmbeddedServer, proxy: Proxy) -> None:
    """After this error nats-py does not reconnect."""
    proxy._writers[0].write(b"-ERR 'maximum connections exceeded'\r\n")


async def black_hole(_shop: Shop, server: EmbeddedServer, _proxy: Proxy) -> None:
    """No answer, and no closed socket, for longer than three pings."""
    os.kill(server.pid, signal.SIGSTOP)
    asyncio.get_running_loop().call_later(2.0, os.kill, server.pid, signal.SIGCONT)


async def long_away(_shop: Shop, server: EmbeddedServer, _proxy: Proxy) -> None:
    """Away for many attempts, which then come at the longest distance."""
    await asyncio.to_thread(server.stop)
    await asyncio.sleep(3.0)
    await asyncio.to_thread(server.start)


async def revoked(shop: Shop, server: EmbeddedServer, _proxy: Proxy) -> None:
    """The user is removed while it is connected, and comes back."""
    authorize(server, {"users": USERS["users"][1:]})
    await until(lambda: "user" in str(shop.worker.not_ready()))
    authorize(server, USERS)


def authorize(server: EmbeddedServer, users: dict[str, Any]) -> None:
    """Change who may connect, while the server runs."""
    file = server.store / "nats-server.conf"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"authorization": users}))
    os.kill(server.pid, signal.SIGHUP)


@pytest.mark.parametrize("dies", [zombie, closed_for_good, black_hole, long_away, revoked])
async def test_a_dead_connection_is_noticed_named_and_repaired(
    own_server: StartsServer, dies: Callable[[Shop, EmbeddedServer, Proxy], Awaitable[None]]
) -> None:
    """Readiness says that it is gone, and why; then what was in hand is settled, once."""
    server = own_server(authorization=USERS)
    direct = server.url.replace("nats://", "nats://test:x@")
    async with JetStreamClient(timings=QUICK) as client, Proxy(server.port) as proxy:
        await client.connect(direct)
        publisher = EventPublisher(client, "tests")
        shop = Shop(proxy.url.replace("nats://", "nats://worker:x@"))
        told: list[str] = []
        shop.client.watch(lambda up: None if up else told.extend(shop.worker.not_ready()))
        async with shop.at_work(publisher):
            await dies(shop, server, proxy)
            await until(lambda: shop.client.epoch > 1)
            assert await client.wait_connected(10)
            await shop.goes_on(publisher, client)

    assert told
    assert shop.runs == {1: 1, 2: 1}


async def test_a_server_that_takes_no_second_connection_costs_no_lease(
    own_server: StartsServer,
) -> None:
    """The lease keeper is refused: the event loop renews instead, and the run is not repeated."""
    server = own_server(max_connections=2)
    async with JetStreamClient() as client:
        await client.connect(server.url)
        publisher = EventPublisher(client, "tests")
        shop = Shop(server.url, ack_wait=0.6)
        async with shop.at_work(publisher):
            held = next(iter(shop.worker.works[0].pipeline.held))
            await until(lambda: held.renewed > held.received + 1.5)
            await shop.goes_on(publisher, client)
            info = await client.api("CONSUMER.INFO.GLAM_EVENTS.shop-place")

    assert shop.runs == {1: 1, 2: 1}
    assert info["delivered"]["consumer_seq"] == 2
    assert shop.worker._line._client.epoch == 0
