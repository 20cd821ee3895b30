"""The service that is tortured: what a job does is in its event, and every run is written down."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import time
from datetime import UTC, datetime
from typing import Literal

from pydantic import BaseModel

from glam_worker import EventContext, Reject, RetryPolicy, Snooze, on
from tests.faults.journal import Pen

SERVICE = "faults"
SUBJECT = "evt.job.wanted.v1"
THREADED = "evt.job.threaded.v1"
EMITTED = "evt.job.emitted.v1"
"""Nobody works these."""

ACK_WAIT = float(os.environ.get("FAULTS_ACK_WAIT", "2"))
TIMEOUT = float(os.environ.get("FAULTS_TIMEOUT", "30"))
CONCURRENCY = int(os.environ.get("FAULTS_CONCURRENCY", "8"))
ATTEMPTS = int(os.environ.get("FAULTS_ATTEMPTS", "3"))
FIRST = float(os.environ.get("FAULTS_FIRST_DELAY", "0.3"))

_pen = Pen()
_policy = RetryPolicy(attempts=ATTEMPTS, first=FIRST, factor=1.0, jitter=0.0)


class Job(BaseModel):
    """What is to be done: ``do``, for ``seconds``, in the first ``times`` attempts.

    It snoozes until it is that old.
    """

    id: int
    do: Literal[
        "nothing",
        "sleep",
        "block",
        "spin",
        "fail",
        "reject",
        "snooze",
        "hang",
        "die",
        "exit",
        "segfault",
        "emit",
    ] = "nothing"
    seconds: float = 0.0
    times: int = 1_000_000


@on(SUBJECT, Job, retry=_policy, timeout=TIMEOUT, ack_wait=ACK_WAIT, concurrency=CONCURRENCY)
async def work(job: Job, event: EventContext) -> None:
    """Does it on the event loop."""
    with _pen.run("work", job.id, event):
        if event.attempt > job.times:
            return
        if job.do == "sleep":
            await asyncio.sleep(job.seconds)
        elif job.do == "hang":
            await _ignore_cancellation(job.seconds)
        elif job.do == "emit":
            for _ in range(2):
                await event.publish(EMITTED, Job(id=job.id))
        else:
            _do(job, event)


@on(THREADED, Job, retry=_policy, timeout=TIMEOUT, ack_wait=ACK_WAIT, concurrency=CONCURRENCY)
def threaded(job: Job, event: EventContext) -> None:
    """Does it in a thread."""
    with _pen.run("threaded", job.id, event):
        if job.do == "emit":
            for _ in range(2):
                event.publish_sync(EMITTED, Job(id=job.id))
        elif event.attempt <= job.times:
            _do(job, event)


async def _ignore_cancellation(seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(until - time.monotonic())


def _do(job: Job, event: EventContext) -> None:
    match job.do:
        case "block" | "sleep":
            time.sleep(job.seconds)
        case "spin":
            until = time.monotonic() + job.seconds
            while time.monotonic() < until:
                pass
        case "fail":
            raise RuntimeError("as asked")
        case "reject":
            raise Reject("as asked")
        case "snooze" if (datetime.now(UTC) - event.timestamp).total_seconds() < job.seconds:
            raise Snooze(after=0.3)
        case "die":
            os.kill(os.getpid(), signal.SIGKILL)
        case "segfault":
            ctypes.string_at(0)
        case "exit":
            os._exit(3)
