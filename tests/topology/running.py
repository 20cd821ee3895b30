"""A shop with one handler, and what is done to its durables while it runs."""

from __future__ import annotations

import asyncio
from typing import Any

from pydantic import BaseModel

from glam_worker.testing import Bench, WorkerFactory

SUBJECT = "evt.order.placed.v1"


class Order(BaseModel):
    number: int = 1


class Shop:
    """The handler ``place``, which can be made to wait."""

    def __init__(self, worker: WorkerFactory) -> None:
        self.seen: list[int] = []
        self.goes_on = asyncio.Event()
        self.goes_on.set()
        worker.on(SUBJECT, Order, name="place", concurrency=4)(self._place)

    async def _place(self, order: Order) -> None:
        self.seen.append(order.number)
        await self.goes_on.wait()


async def change(bench: Bench, durable: str = "shop-place", **config: Any) -> None:
    """Change a durable as another client would; None leaves a field out."""
    stream = "GLAM_RETRY" if durable.endswith("-lane") else "GLAM_EVENTS"
    found = (await bench.client.api(f"CONSUMER.INFO.{stream}.{durable}"))["config"]
    wanted = {name: value for name, value in (found | config).items() if value is not None}
    body = {"stream_name": stream, "config": wanted, "action": "update"}
    await bench.client.api(f"CONSUMER.CREATE.{stream}.{durable}", body)


async def look(bench: Bench) -> None:
    """What the worker does every half minute."""
    assert bench.worker.upkeep is not None
    await bench.worker.upkeep.look()


async def handled(bench: Bench, number: int) -> None:
    """Publish an order, and wait until it is settled."""
    await bench.finished(await bench.publish(SUBJECT, Order(number=number)))
