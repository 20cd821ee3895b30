"""The handler that every contender calls, and what it notes."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

from benchmarks.callgrind import count_instructions
from benchmarks.handlers import number_of, work
from benchmarks.job import Job
from benchmarks.memory import peak_bytes, resident_bytes
from glam_shared.messaging.events import MerchantCreatedPayload

Mark = tuple[int, int, int, int]
"""Clock and processor time of this process in nanoseconds, events handled, bytes resident.

The clock is the machine's, so that processes can compare; the processor time is that of all
threads; the memory is 0 unless the job asks for it.
"""


class Probe:
    """Counts what is handled, from the first start to the last end."""

    def __init__(self, job: Job, done: Callable[[], None]) -> None:
        self._job = job
        self._done = done
        self._work = work(job)
        self._started = self._ended = 0
        self._next = job.events + 1
        self._starts: list[tuple[int, int]] = []
        self._marks: list[Mark] = []
        self._lock = threading.Lock()
        self._loop = asyncio.get_running_loop()

    async def handle(self, payload: MerchantCreatedPayload) -> None:
        """The handler."""
        self.started(payload)
        if self._work is not None:
            await self._work(payload)
        self.ended()

    def handle_sync(self, payload: MerchantCreatedPayload) -> None:
        """The same for threads; it does nothing but count."""
        with self._lock:
            self.started(payload)
            self.ended()

    def started(self, payload: MerchantCreatedPayload | None = None) -> None:
        """A handler starts; without a payload, events are taken to come in their order."""
        if self._started == self._job.warm_up:
            self._begin()
        if self._job.record_starts:
            number = self._started if payload is None else number_of(payload)
            self._starts.append((number, time.monotonic_ns()))
        self._started += 1

    def ended(self) -> None:
        """A handler ended well."""
        self._ended += 1
        if self._ended >= self._next:
            self._mark()

    def _begin(self) -> None:
        if self._job.counted:
            count_instructions(on=True)
        self._mark()

    def _mark(self) -> None:
        resident = resident_bytes() if self._job.record_memory else 0
        now = time.monotonic_ns(), time.process_time_ns()
        self._marks.append((*now, self._ended, resident))
        if self._ended == self._job.events:
            if self._job.counted:
                count_instructions(on=False)
            self._loop.call_soon_threadsafe(self._done)
        following = self._ended + self._job.slice
        self._next = (
            min(following, self._job.events) if self._ended < self._job.events else following
        )

    def now(self) -> dict[str, Any]:
        """The processor time and the memory of this instant."""
        return {"cpu": time.process_time_ns(), "rss": resident_bytes()}

    def result(self) -> dict[str, Any]:
        """Everything noted."""
        return {
            "started": self._started,
            "ended": self._ended,
            "marks": self._marks,
            "starts": self._starts,
            "peak": peak_bytes(),
        }
