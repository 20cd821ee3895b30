"""Many at once, and others' code that raises."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import BaseModel

from glam_shared.messaging import JetStreamClient
from glam_worker import RetryPolicy, Settings
from glam_worker.runtime.protocols import WayFacts
from glam_worker.testing import WorkerFactory
from tests.faults.rig import Rig
from tests.faults.waiting import until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(150)]

CLIENTS = 30
FACTS = [name for name in vars(WayFacts) if not name.startswith("_")]


class Order(BaseModel):
    number: int = 1


async def test_workers_do_not_come_back_at_one_instant(rig: Rig) -> None:
    """After a crash of the server their attempts are spread, and all of them are back."""
    server = await rig.server()
    back: list[float] = []
    async with AsyncExitStack() as clients:
        connected = [await clients.enter_async_context(JetStreamClient()) for _ in range(CLIENTS)]
        for client in connected:
            await client.connect(server.url)
            client.watch(lambda up: back.append(time.monotonic()) if up else None)
        await asyncio.to_thread(server.kill)
        await until(lambda: not any(client.is_connected() for client in connected), "all to fall")
        await asyncio.to_thread(server.start)
        await until(lambda: all(client.is_connected() for client in connected), "all back", 60)

    assert len(back) >= CLIENTS
    assert max(back) - min(back) > 0.05


def broken(*_fact: object) -> None:
    """What others hang into the worker."""
    raise RuntimeError("this hook is broken")


async def test_a_listener_that_raises_costs_nothing(worker: WorkerFactory) -> None:
    """Whoever is told of facts may fail at each of them: events are handled as ever."""
    runs: list[int] = []

    @worker.on("evt.order.placed.v1", Order, retry=RetryPolicy(attempts=2))
    async def place(order: Order) -> None:
        runs.append(order.number)
        if order.number == 2:
            raise RuntimeError("as asked")

    hook: Any = SimpleNamespace(**dict.fromkeys(FACTS, broken))
    settings = Settings(nats_servers=(worker.url,), service="shop")
    bench = worker.make(worker.registry, settings, 0.0, 20.0)
    bench.worker.observers.listeners.insert(0, lambda _handler, _way: hook)
    async with await bench.start():
        published = [await bench.publish("evt.order.placed.v1", Order(number=n)) for n in (1, 2)]
        ends = [(await bench.finished(event)).outcome for event in published]

    assert ends == ["ack", "dead_letter"]
    assert runs == [1, 2, 2]
