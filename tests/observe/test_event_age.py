"""The age of events, for /metrics."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest
from pydantic import BaseModel

from glam_worker.testing import WorkerFactory

SUBJECT = "evt.order.placed.v1"


class Order(BaseModel):
    number: int = 1


async def test_a_wrong_clock_of_this_machine_does_not_age_events(
    worker: WorkerFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both ends of an age are told by the server's clock: here ours is an hour ahead."""
    ahead = SimpleNamespace(time=lambda: time.time() + 3600, monotonic=time.monotonic)
    monkeypatch.setattr("glam_worker.observe.epoch.time", ahead)

    @worker.on(SUBJECT, Order)
    async def place(order: Order) -> None: ...

    async with worker(service="shop") as bench:
        await bench.finished(await bench.publish(SUBJECT, Order()))
        record = bench.worker.observers.records["shop", "place", "main"]

    assert sum(record.age.counts) == 1
    assert 0 <= record.age.total < 60
