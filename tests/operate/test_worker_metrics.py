"""Latency and failures from the metrics of workers."""

from __future__ import annotations

import math

import pytest
from prometheus_client import generate_latest
from pydantic import BaseModel

from glam_worker.errors import NotThereError
from glam_worker.observe.metrics import WorkerCollector, metrics_registry
from glam_worker.operate.worker_metrics import Measured, latency, measured, measured_in
from glam_worker.testing import WorkerFactory

SUBJECT = "evt.order.placed.v1"


class Order(BaseModel):
    id: int


async def test_what_a_worker_exposes_is_read(worker: WorkerFactory) -> None:
    """
    Runs and failures of a real worker's metrics are found under service and handler.
    """

    @worker.on(SUBJECT, Order, name="ship")
    async def ship(order: Order) -> None:
        if order.id == 2:
            raise ValueError("two")

    bench = await worker(service="shop")
    ids = [await bench.publish(SUBJECT, Order(id=number)) for number in (1, 2, 3)]
    for one in ids:
        await bench.settled(one)

    registry = metrics_registry(WorkerCollector(bench.worker.observers, lambda: ()))
    (found,) = measured_in([generate_latest(registry).decode()]).values()

    assert (3.0, 1.0) == (found.runs, found.failures)
    assert 3.0 == found.buckets[math.inf]


def test_latency_is_between_two_looks() -> None:
    """
    The mean and the bound of 95 in 100 runs are of what was run in between, and of nothing before.
    """
    before = Measured(100, 1000.0, 5, {0.1: 0, 1.0: 0, math.inf: 100})
    now = Measured(200, 1010.0, 7, {0.1: 96, 1.0: 100, math.inf: 200})

    told = latency(before, now)

    assert told is not None
    assert (0.1, 0.1, 2) == (told.mean, told.most, told.failures)
    assert latency(now, now) is None
    assert latency(now, before) is None, "a worker that started anew counts from 0"


@pytest.mark.parametrize("url", ["127.0.0.1:1/metrics", "file:///etc/passwd", "ftp://x", "http://"])
async def test_an_address_without_metrics_is_named(url: str) -> None:
    """
    Nothing but HTTP is read, and the error says where workers have their metrics.
    """
    with pytest.raises(NotThereError, match=r"9464/metrics"):
        await measured([url])
