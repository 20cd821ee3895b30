"""Lets one suspect run alone in the process."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection
from typing import Protocol

from glam_worker.runtime.protocols import Delivery

_SHARE = 1.0
"""Seconds, at most, that the others get between two that run alone."""


class NotAlone(Exception):
    """A run goes on past its timeout; nobody knows when nothing will run."""


class Stoppable(Protocol):
    """What starts runs: the pipeline of a handler."""

    @property
    def busy(self) -> int:
        """Runs that go on."""

    @property
    def overstays(self) -> int:
        """Those of them that go on past their timeout."""

    @property
    def waiting(self) -> Collection[Delivery]:
        """Deliveries that arrived and did not start."""

    def pause(self) -> None:
        """Start nothing."""

    def resume(self) -> None:
        """Start again."""


class Gate:
    """Stops all pipelines of a worker for one run at a time, in the order of asking.

    Between two of them the others get as long as the first one took, a second at most.
    """

    def __init__(self) -> None:
        self._pipelines: list[Stoppable] = []
        self._turns = asyncio.Lock()
        self._ended = asyncio.Event()

    def join(self, pipeline: Stoppable) -> None:
        """Stop this pipeline, too."""
        self._pipelines.append(pipeline)

    @property
    def crowded(self) -> bool:
        """Whether a run goes on past its timeout, so that nobody knows when nothing runs."""
        return any(pipeline.overstays for pipeline in self._pipelines)

    def run_ended(self) -> None:
        """A run ended while the pipelines were paused."""
        self._ended.set()

    async def enter(self, limit: float) -> Turn:
        """Return once nothing runs and nothing starts, for ``limit`` seconds at most.

        Raises NotAlone where that may never be.
        """
        await self._turns.acquire()
        turn = Turn(self._leave)
        try:
            if self.crowded:
                raise NotAlone
            for pipeline in self._pipelines:
                pipeline.pause()
            while any(pipeline.busy for pipeline in self._pipelines):
                self._ended.clear()
                await self._wait()
        except BaseException:
            turn.end()
            raise
        turn.begin(limit)
        return turn

    async def _wait(self) -> None:
        """Until a run ended; a run that outlives its timeout is noticed soon."""
        try:
            async with asyncio.timeout(1.0):
                await self._ended.wait()
        except TimeoutError:
            if self.crowded:
                raise NotAlone from None

    def _leave(self, took: float) -> None:
        for pipeline in self._pipelines:
            pipeline.resume()
        if any(pipeline.waiting for pipeline in self._pipelines):
            asyncio.get_running_loop().call_later(min(took, _SHARE), self._turns.release)
        else:
            self._turns.release()


class Turn:
    """The right to run alone. It ends once: with the run, or where a run does not end in time."""

    def __init__(self, leave: Callable[[float], None]) -> None:
        self._leave = leave
        self._began = time.monotonic()
        self._timer: asyncio.TimerHandle | None = None
        self._over = False

    def begin(self, limit: float) -> None:
        """It lasts ``limit`` seconds from now on, at most."""
        self._began = time.monotonic()
        self._timer = asyncio.get_running_loop().call_later(limit, self.end)

    def end(self) -> None:
        """Let the others go on; a second call is harmless."""
        if self._over:
            return
        self._over = True
        if self._timer is not None:
            self._timer.cancel()
        self._leave(time.monotonic() - self._began)
