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
from glam_worker.jetstream import outbox
from glam_worker.runtime import pipeline

_SLOWER = 50
"""Times that a process is slower while valgrind counts its instructions."""


def _slow_motion() -> None:
    """Let a millisecond last as long as the work that is done in one."""
    outbox._GAP *= _SLOWER
    pipeline._TURN *= _SLOWER


async def consume(job: Job, probe: Probe) -> None:
    """Everything on: lease, ledger, metrics and log, as in production."""
    logging.getLogger(SERVICE).setLevel(logging.WARNING)
    if job.counted:
        _slow_motion()
    registry = Registry()
    on = registry.on(Subjects.MERCHANT_CREATED, MerchantCreatedPayload, concurrency=job.concurrency)
    on(probe.handle)
    settings = Settings(service=SERVICE, nats_servers=(job.server,), http_port=0)
    worker = Worker(registry, settings)
    await worker.start()
    try:
        await asyncio.Event().wait()
    finally:
        await worker.stop()
