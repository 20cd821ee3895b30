"""One worker process: a worker, its endpoint, its log, and the signals that stop it."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Sequence
from typing import Any, NoReturn, Protocol

from prometheus_client import generate_latest

from glam_shared.messaging.server_address import redact
from glam_shared.wording import counted
from glam_worker.blocked import end_blocked
from glam_worker.declare.registry import Registry
from glam_worker.ending import Ending, end_now
from glam_worker.errors import LifespanError
from glam_worker.garbage import collect_less_often
from glam_worker.gauges import Gauges
from glam_worker.observe.endpoint import Endpoint, Probes
from glam_worker.observe.logging_setup import set_up_logging
from glam_worker.observe.metrics import WorkerCollector, metrics_registry
from glam_worker.settings import Settings
from glam_worker.signals import Signals
from glam_worker.worker import Worker

_log = logging.getLogger("glam_worker")

_FAILED = 1
_SILENCE = 3.0
"""Seconds after which it is said that no server answers."""


class Parent(Protocol):
    """Of a child of ``run --processes``."""

    def serve(self, probes: Probes) -> None:
        """The worker has started; it answers with these."""

    def ends(self, code: int) -> None:
        """This process is about to end with the code, for a reason that a replacement shares."""


def work_until_stopped(
    registry: Registry,
    settings: Settings,
    service: str,
    warnings: Sequence[str] = (),
    parent: Parent | None = None,
) -> int:
    """Run a worker in this process until SIGTERM or SIGINT; the exit code.

    A child of ``run --processes`` gives its ``parent``: no endpoint is opened. From the return on
    the process has to end: it is ended by force if it takes longer than some seconds.
    """
    set_up_logging(settings.log_level, settings.log_format, os.getpid() if parent else None)
    if settings.failpoint is not None:
        from glam_worker import failpoints  # noqa: PLC0415 - for tests only

        failpoints.arm(settings.failpoint)
    for warning in warnings:
        _log.warning("%s", warning)
    worker = Worker(registry, settings, service=service)
    worker.watch.hung = end_blocked
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        loop = runner.get_loop()
        ending = Ending(loop)
        signals = Signals(loop, ending, settings.shutdown_grace, child=parent is not None)
        code = _FAILED
        try:
            code = _run(runner, _Process(worker, signals, parent))
        finally:
            signals.over(code)
            ending.after_work(code)
        _leave_what_runs(worker, code)
    return code


def _run(runner: asyncio.Runner, process: _Process) -> int:
    """The exit code; the process has ended where a handler ended what it runs in."""
    try:
        return runner.run(process.run())
    except (SystemExit, KeyboardInterrupt) as raised:
        name = type(raised).__name__
        _end(f"a task raised {name}, which ends the event loop, and the process with it", raised)
    except asyncio.CancelledError:
        _end("a handler cancelled tasks that are not its own: the process ends")
    except RuntimeError:
        if process.ended:
            raise
        _end("a handler stopped the event loop: the process ends")


def _loop_factory() -> type[asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # noqa: PLC0415 - not on every platform
    except ImportError:
        return None
    return uvloop.Loop


def _end(text: str, raised: BaseException | None = None) -> NoReturn:
    """End the process where a handler, or a task that it began, has ended the event loop.

    Nobody settles anything any more, so nothing is waited for: what runs is left to its lease.
    """
    _log.critical("%s", text, exc_info=raised)
    end_now(_FAILED)


def _leave_what_runs(worker: Worker, code: int) -> None:
    """End the process where a handler does not: closing the loop would cancel it, unseen."""
    running = sum(work.pipeline.busy for work in worker.works)
    if running:
        _log.warning("left %s that did not end to the lease", counted(running, "run"))
        end_now(code)


class _Process:
    """Starts, waits for the signal, stops. Signal handlers only record."""

    def __init__(self, worker: Worker, signals: Signals, parent: Parent | None) -> None:
        self.ended = False
        """Whether it came to its end, as it does not on a loop that is stopped."""
        self._worker = worker
        self._signals = signals
        self._parent = parent
        self._disconnected = asyncio.Event()

    async def run(self) -> int:
        """The exit code."""
        self._signals.listen()
        endpoint = None
        try:
            endpoint = self._endpoint()
            return await self._work()
        finally:
            self.ended = True
            if endpoint is not None:
                endpoint.close()

    async def _work(self) -> int:
        servers = ", ".join(map(redact, self._worker.settings.nats_servers))
        _log.info("connecting to %s", servers)
        starting = asyncio.ensure_future(self._worker.start())
        asyncio.get_running_loop().call_later(_SILENCE, self._say_that_it_waits, starting)
        if not await self._unless(self._signals.told, starting):
            return 0
        self._result(starting)
        collect_less_often()
        if self._parent is not None:
            self._parent.serve(self._probes())
        _log.info("working %s", counted(len(self._worker.works), "handler"))
        self._worker.client.watch(self._connection_changed)
        lost = asyncio.ensure_future(self._lost_for_good())
        if await self._unless(self._signals.told, lost):
            if self._parent is not None:
                self._parent.ends(_FAILED)
            return _FAILED
        _log.info("stopping: %.0f s for what runs", self._worker.settings.shutdown_grace)
        stopping = asyncio.ensure_future(self._worker.stop())
        if not await self._unless(self._signals.now, stopping):
            await self._worker.leave()
            _log.warning("stopped at once: what ran is left to its lease")
            return 0
        try:
            self._result(stopping)
        finally:
            _log.info("stopped")
        return 0

    def _result(self, task: asyncio.Future[None]) -> None:
        """Raises what the worker's start or stop raised; LifespanError for a user's lifespan."""
        try:
            task.result()
        except Exception as error:
            lifespans = self._worker.lifespans
            if lifespans.failed is not None:
                raise LifespanError(lifespans.failed.where, error, "when it was left") from error
            if lifespans.entering is not None:
                raise LifespanError(lifespans.entering.where, error) from error
            raise

    def _say_that_it_waits(self, starting: asyncio.Future[None]) -> None:
        if not starting.done() and not self._worker.client.is_connected():
            _log.warning(
                "no server answers yet; trying for up to %g s (GLAM_CONNECT_TIMEOUT)",
                self._worker.settings.connect_timeout,
            )

    async def _lost_for_good(self) -> None:
        """Return once the connection was gone for longer than the setting allows."""
        client, budget = self._worker.client, self._worker.settings.disconnected_budget
        if not budget:
            await asyncio.Event().wait()
        while await client.wait_connected(budget):
            await self._disconnected.wait()
            self._disconnected.clear()
        _log.critical(
            "not connected for %.0f s (GLAM_DISCONNECTED_BUDGET): %s; the process ends",
            budget,
            client.problem,
        )

    def _connection_changed(self, up: bool) -> None:
        if not up:
            self._disconnected.set()

    @staticmethod
    async def _unless(event: asyncio.Event, task: asyncio.Future[None]) -> bool:
        """Wait for ``task``, but no longer than until ``event``; whether the task ended first."""
        waiting = asyncio.ensure_future(event.wait())
        either: list[asyncio.Future[Any]] = [task, waiting]
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if not task.done():
            task.cancel()
            await asyncio.wait([task], timeout=1.0)
            return False
        return True

    def _endpoint(self) -> Endpoint | None:
        settings = self._worker.settings
        if self._parent is not None or not settings.http_port:
            return None
        endpoint = Endpoint(settings.http_host, settings.http_port, self._probes())
        _log.info("metrics and probes at http://%s:%d", settings.http_host, endpoint.port)
        return endpoint

    def _probes(self) -> Probes:
        worker = self._worker
        collector = WorkerCollector(worker.observers, Gauges(worker))
        numbers = metrics_registry(collector)
        return Probes(
            lambda: generate_latest(numbers), worker.unhealthy, worker.not_ready, worker.remarks
        )
