"""The lease keeper: a thread that no handler can block keeps alive what is held."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from glam_worker.runtime.lease import Lease, due, renewal_period
from glam_worker.runtime.loop_watch import LoopWatch
from glam_worker.runtime.pipeline import Pipeline

_ENDS_WITHIN = 3.0
"""Seconds that stopping waits for the thread; it is a daemon, which no process waits for."""

_log = logging.getLogger("glam_worker.lease")


class Line(Protocol):
    """A way to the server that does not need the handlers' event loop."""

    async def renew(self, held: Sequence[Any]) -> Sequence[Any]:
        """Send a sign of life for each of ``held``; those that the server has heard of."""

    async def close(self) -> None:
        """Send what is left, and close."""


class LeaseKeeper:
    """A thread with an event loop of its own.

    * It renews what the pipelines hold, a third of ``ack_wait`` after the last sign of life.
    * It looks whether the handlers' loop turns (``LoopWatch``). Once that has stood still for
      longer than the handler that blocks it may run, nothing is renewed any more.

    ``period``: seconds between two looks.
    """

    def __init__(self, line: Line, watch: LoopWatch, period: float) -> None:
        self._line = line
        self._watch = watch
        self._period = period
        self._kept: list[tuple[Pipeline, Lease]] = []
        self._loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()
        self._own_loop: asyncio.AbstractEventLoop | None = None
        self._told = asyncio.Event()

    def start(self, kept: Sequence[tuple[Pipeline, Lease]]) -> None:
        """Keep what these pipelines hold."""
        self._kept = list(kept)
        self._own_loop = asyncio.new_event_loop()
        arguments = (self._own_loop,)
        threading.Thread(target=self._run, args=arguments, name="lease-keeper", daemon=True).start()

    async def stop(self) -> None:
        """End the thread; harmless before ``start``."""
        own_loop, self._own_loop = self._own_loop, None
        if own_loop is None:
            return
        with contextlib.suppress(RuntimeError):  # it has ended by itself
            own_loop.call_soon_threadsafe(self._told.set)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_ENDS_WITHIN):
                await self._ended.wait()

    # --- in the thread ---

    def _run(self, own_loop: asyncio.AbstractEventLoop) -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: own_loop) as runner:
                runner.run(self._keep())
        except Exception:  # noqa: BLE001 - the clock renews what the keeper does not
            _log.exception("the lease keeper ended; leases are renewed by the event loop alone")
        finally:
            self._on_loop(self._ended.set)

    async def _keep(self) -> None:
        looking = asyncio.create_task(self._look())
        renewing = asyncio.create_task(self._renew())
        await self._told.wait()
        for task in (looking, renewing):
            task.cancel()
        await asyncio.wait((looking, renewing))
        await self._line.close()

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(self._period)
            if self._loop.is_closed():
                self._told.set()  # nobody stopped the worker
            try:
                self._watch.look(time.monotonic())
            except Exception:  # noqa: BLE001 - it looks at frames of code that runs
                _log.exception("looking after the event loop failed; it is looked at again")

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(self._period)
            try:
                await self._round()
            except Exception:  # noqa: BLE001 - the next round may succeed
                _log.exception("renewing leases failed; it is tried again")

    async def _round(self) -> None:
        if self._watch.over:
            return
        now = time.monotonic()
        late = [
            (lease, held)
            for pipeline, lease in self._kept
            if (held := due(pipeline, now, renewal_period(pipeline.ack_wait)))
        ]
        if not late:
            return
        every = [one for _, held in late for one in held]
        heard = set(await self._line.renew(every))
        for lease, held in late:
            renewed = [one for one in held if one in heard]
            for one in renewed:
                one.renewed = max(one.renewed, now)
            if renewed:
                self._on_loop(lease.count, renewed)

    def _on_loop(self, call: Callable[..., None], *arguments: Any) -> None:
        with contextlib.suppress(RuntimeError):  # the handlers' loop is closed
            self._loop.call_soon_threadsafe(call, *arguments)
