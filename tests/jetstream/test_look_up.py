"""Whether consumers still are the ones they were is asked for many of them at once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from pydantic import BaseModel

from glam_worker.jetstream.consumers import look_up
from glam_worker.testing import WorkerFactory


class Order(BaseModel):
    number: int


def declare(worker: WorkerFactory, name: str) -> None:
    @worker.on(f"evt.order.{name}.v1", Order, name=name)
    async def handle(order: Order) -> None: ...


async def test_a_stream_is_asked_for_once_in_a_turn(
    worker: WorkerFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Consumers that are looked up together share the question for their stream; who comes later
    asks anew, and sees that the stream is gone."""
    for name in ("placed", "paid", "sent"):
        declare(worker, name)
    asked: list[str] = []
    async with worker(service="shop") as bench:
        client = bench.client
        mains = [work.sources[0].consumer for work in bench.worker.works]
        ask = client.api

        async def noted(operation: str, *arguments: Any, **options: Any) -> dict[str, Any]:
            asked.append(operation)
            return await ask(operation, *arguments, **options)

        monkeypatch.setattr(client, "api", noted)
        first = await asyncio.gather(*(look_up(client, one) for one in mains))
        together = asked.count("STREAM.INFO.GLAM_EVENTS")
        await ask("STREAM.DELETE.GLAM_EVENTS")
        then = await asyncio.gather(*(look_up(client, one) for one in mains))

    assert [verdict.ok for verdict in first] == [True] * 3
    assert together == 1
    assert [verdict.gone for verdict in then] == [True] * 3
