"""What the handler of a job does beside being counted."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable

from benchmarks.job import Job
from glam_shared.messaging.events import MerchantCreatedPayload

SLOW = 1.0
"""Seconds that a slow event takes."""

Work = Callable[[MerchantCreatedPayload], Awaitable[None]]


class Failure(Exception):
    """What a handler raises that fails on purpose."""


def work(job: Job) -> Work | None:
    """The coroutine function of the job's handler; None for a handler that does nothing."""
    if job.fail_every:
        return _failing(job.fail_every)
    if job.slow_every:
        return _slow(job.slow_every)
    if job.cpu:
        return _burning(job.cpu)
    return _awaiting(job.awaits) if job.awaits else None


def number_of(payload: MerchantCreatedPayload) -> int:
    """The number that the publisher gave the event."""
    return payload.platform.merchant_id.int


def _awaiting(seconds: float) -> Work:
    async def awaits(_payload: MerchantCreatedPayload) -> None:
        await asyncio.sleep(seconds)

    return awaits


def _slow(every: int) -> Work:
    async def awaits_seldom(payload: MerchantCreatedPayload) -> None:
        if number_of(payload) % every == 0:
            await asyncio.sleep(SLOW)

    return awaits_seldom


def _failing(every: int) -> Work:
    runs = itertools.count(1)

    async def fails_seldom(_payload: MerchantCreatedPayload) -> None:
        if next(runs) % every == 0:
            raise Failure("on purpose")

    return fails_seldom


def _burning(seconds: float) -> Work:
    nanoseconds = int(seconds * 1e9)

    async def burns(_payload: MerchantCreatedPayload) -> None:
        # Processor time, not the clock's: who is interrupted burns no less.
        until = time.thread_time_ns() + nanoseconds
        while time.thread_time_ns() < until:
            pass

    return burns
