"""One worker process: a worker, its endpoint, its log, and the signals that stop it."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from prometheus_client import generate_latest

from glam_shared.messaging.server_address import redact
from glam_shared.wording import counted
from glam_worker.blocked import end_blocked
from glam_worker.declare.registry import Registry
from glam_worker.errors import LifespanError
from glam_worker.garbage import collect_less_often
from glam_worker.gauges import Gauges
from glam_worker.observe.endpoint import Endpoint, Probes
from glam_worker.observe.logging_setup import set_up_logging
from glam_worker.observe.metrics import WorkerCollector, metrics_registry
from glam_worker.settings import Settings
from glam_worker.worker import Worker

_log = logging.getLogger("glam_worker")

_FAILED = 1
_SILENCE = 3.0
"""Seconds after which it is said that no server answers."""


def work_until_stopped(
    registry: Registry,
    settings: Settings,
    service: str,
    warnings: Sequence[str] = (),
    serve: Callable[[Probes], None] | None = None,
) -> int:
    """Run a worker in this process until SIGTERM or SIGINT; the exit code.

    A child of ``run --processes`` gives ``serve``: it is told the probes once the worker has
    started, and no endpoint is opened.
    """
    set_up_logging(settings.log_level, settings.log_format, os.getpid() if serve else None)
    if settings.failpoint is not None:
        from glam_worker import failpoints  # noqa: PLC0415 - for tests only

        failpoints.arm(settings.failpoint)
    for warning in warnings:
        _log.warning("%s", warning)
    worker = Worker(registry, settings, service=service)
    worker.watch.hung = end_blocked
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        try:
            code = runner.run(_Process(worker, serve).run())
        except (SystemExit, KeyboardInterrupt) as raised:
            _end(raised)
        _leave_what_runs(worker, code)
    return code


def _loop_factory() -> type[asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # noqa: PLC0415 - not on every platform
    except ImportError:
        return None
    return uvloop.Loop


def _end(raised: BaseException) -> NoReturn:
    """End the process where a task that a handler began has ended the event loop.

    Nobody settles anything any more, so nothing is waited for: what runs is left to its lease.
    """
    _log.critical(
        "a task raised %s, which ends the event loop, and the process with it",
        type(raised).__name__,
        exc_info=raised,
    )
    logging.shutdown()
    sys.stdout.flush()
    os._exit(_FAILED)


def _leave_what_runs(worker: Worker, code: int) -> None:
    """End the process where a handler does not: closing the loop would wait for it, and a thread
    would keep the interpreter."""
    running = sum(work.pipeline.busy for work in worker.works)
    if running:
        _log.warning("left %s that did not end to the lease", counted(running, "run"))
        logging.shutdown()
        sys.stdout.flush()
        os._exit(code)


class _Process:
    """Starts, waits for the signal, stops. Signal handlers only record."""

    def __init__(self, worker: Worker, serve: Callable[[Probes], None] | None) -> None:
        self._worker = worker
        self._serve = serve
        self._told = asyncio.Event()
        self._now = asyncio.Event()
        self._disconnected = asyncio.Event()

    async def run(self) -> int:
        """The exit code."""
        self._listen()
        endpoint = self._endpoint()
        try:
            return await self._work()
        finally:
            if endpoint is not None:
                endpoint.close()

    async def _work(self) -> int:
        servers = ", ".join(map(redact, self._worker.settings.nats_servers))
        _log.info("connecting to %s", servers)
        starting = asyncio.ensure_future(self._worker.start())
        asyncio.get_running_loop().call_later(_SILENCE, self._say_that_it_waits, starting)
        if not await self._unless(self._told, starting):
            return 0
        self._started(starting)
        collect_less_often()
        if self._serve is not None:
            self._serve(self._probes())
        _log.info("working %s", counted(len(self._worker.works), "handler"))
        self._worker.client.watch(self._connection_changed)
        lost = asyncio.ensure_future(self._lost_for_good())
        if await self._unless(self._told, lost):
            return 1
        _log.info("stopping: %.0f s for what runs", self._worker.settings.shutdown_grace)
        stopping = asyncio.ensure_future(self._worker.stop())
        if not await self._unless(self._now, stopping):
            await self._worker.leave()
            _log.warning("stopped at once: what ran is left to its lease")
            return 0
        stopping.result()
        _log.info("stopped")
        return 0

    def _started(self, starting: asyncio.Future[None]) -> None:
        """Raises what kept it from starting; LifespanError for what a user's lifespan raised."""
        try:
            starting.result()
        except Exception as error:
            if self._worker.entering is None:
                raise
            raise LifespanError(self._worker.entering.where, error) from error

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

    def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._signalled, number)

    def _signalled(self, number: signal.Signals) -> None:
        if not self._told.is_set():
            self._told.set()
        elif self._serve is None or number == signal.SIGINT:
            self._now.set()  # a child may be told to stop by its parent and by the system at once

    def _endpoint(self) -> Endpoint | None:
        settings = self._worker.settings
        if self._serve is not None or not settings.http_port:
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
