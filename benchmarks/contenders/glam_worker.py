"""glam-worker, embedded through its public interface and set up as `glam-worker run` does."""

from __future__ import annotations

import asyncio

from benchmarks.events import subjects
from benchmarks.job import SERVICE, Job
from benchmarks.probe import Probe
from glam_shared.messaging.events import MerchantCreatedPayload
from glam_worker import RetryPolicy, Settings, Worker
from glam_worker.declare.registry import Registry
from glam_worker.garbage import collect_less_often
from glam_worker.jetstream import outbox
from glam_worker.runtime import pipeline

_SLOWER = 50
"""Times that a process is slower while valgrind counts its instructions."""
RETRY = RetryPolicy(attempts=20, first=0.1, factor=1.0, jitter=0.0)


def _slow_motion() -> None:
    """Let a millisecond last as long as the work that is done in one."""
    outbox._GAP *= _SLOWER
    pipeline._TURN *= _SLOWER


async def work(job: Job, probe: Probe) -> None:
    """Everything on: lease, ledger, metrics and log, as in production."""
    if job.counted:
        _slow_motion()
    registry = Registry()
    for number, subject in enumerate(subjects(job)):
        declare = registry.on(
            subject,
            MerchantCreatedPayload,
            name=f"handle_{number}",
            concurrency=job.concurrency,
            retry=RETRY,
            idempotent=job.idempotent,
        )
        declare(probe.handle_sync if job.sync else probe.handle)
    settings = Settings(service=SERVICE, nats_servers=(job.server,), http_port=0)
    worker = Worker(registry, settings)
    await worker.start()
    collect_less_often()
    try:
        await asyncio.Event().wait()
    finally:
        await worker.stop()
