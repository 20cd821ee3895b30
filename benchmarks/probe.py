"""The handler that every contender calls, and what it notes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks.callgrind import count_instructions
from benchmarks.job import Job
from benchmarks.memory import resident_bytes
from glam_shared.messaging.events import MerchantCreatedPayload

Tell = Callable[[dict[str, Any]], None]


@dataclass(frozen=True, slots=True)
class Instant:
    """Clock and processor time of this process, all its threads included, in nanoseconds."""

    clock: int
    cpu: int

    @classmethod
    def now(cls) -> Instant:
        """This instant; the clock is the machine's, so that processes can compare."""
        return cls(time.monotonic_ns(), time.process_time_ns())


class Probe:
    """Counts what is handled, from the first start to the last end."""

    def __init__(self, job: Job, tell: Tell) -> None:
        self._job = job
        self._tell = tell
        self._started = self._ended = 0
        self._first = Instant.now()
        self._last = self._first
        self._starts: list[int] = []
        self._done = asyncio.Event()

    async def handle(self, _payload: MerchantCreatedPayload) -> None:
        """The handler."""
        self.started()
        if self._job.work:
            await asyncio.sleep(self._job.work)
        self.ended()

    def started(self) -> None:
        """A handler starts."""
        if self._started == self._job.warm_up:
            self._begin()
        self._started += 1
        if self._job.record_starts:
            self._starts.append(time.monotonic_ns())

    def ended(self) -> None:
        """A handler ended."""
        self._ended += 1
        if self._job.milestone and self._ended % self._job.milestone == 0:
            self._tell({"handled": self._ended, "rss": resident_bytes()})
        if self._ended == self._job.events:
            self._end()

    def _begin(self) -> None:
        if self._job.counted:
            count_instructions(on=True)
        self._first = Instant.now()

    def _end(self) -> None:
        self._last = Instant.now()
        if self._job.counted:
            count_instructions(on=False)
        self._done.set()

    async def done(self) -> dict[str, Any]:
        """Wait until all events are handled; what it took."""
        await self._done.wait()
        clock, cpu = self._last.clock - self._first.clock, self._last.cpu - self._first.cpu
        events = self._job.events - self._job.warm_up
        return {
            "seconds": clock / 1e9,
            "events_per_second": events / clock * 1e9,
            "cpu_us_per_event": cpu / events / 1e3,
            "starts": self._starts,
        }

    @property
    def runs(self) -> int:
        """Handlers started so far; more than the job's events if some were handled twice."""
        return self._started
