"""glam-worker, embedded through its public interface, with one handler."""

from __future__ import annotations

import asyncio
import logging

from benchmarks.job import SERVICE, Job
from benchmarks.probe import Probe
from glam_shared.messaging import Subjects
from glam_shared.messaging.events import MerchantCreatedPayload
from glam_worker import Settings, Worker
from glam_worker.declare.registry import Registry


async def consume(job: Job, probe: Probe) -> None:
    """Everything on: lease, ledger, metrics and log, as in production."""
    logging.getLogger(SERVICE).setLevel(logging.WARNING)
    registry = Registry()

    @registry.on(Subjects.MERCHANT_CREATED, MerchantCreatedPayload, concurrency=job.concurrency)
    async def handle(payload: MerchantCreatedPayload) -> None:
        await probe.handle(payload)

    settings = Settings(service=SERVICE, nats_servers=(job.server,), http_port=0)
    worker = Worker(registry, settings)
    await worker.start()
    try:
        await asyncio.Event().wait()
    finally:
        await worker.stop()
