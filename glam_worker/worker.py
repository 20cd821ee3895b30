"""A worker: handlers at work over one connection, from start to stop."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any

from glam_shared.errors import ConfigurationError
from glam_shared.logging import ServiceLogger
from glam_shared.messaging import EventPublisher, JetStreamClient
from glam_worker.assembly import Assembly, HandlerWork, MakesParking
from glam_worker.declare.lifespan import Lifespan
from glam_worker.declare.registry import PROCESS, Registry
from glam_worker.jetstream.admin import JetStreamAdmin
from glam_worker.jetstream.denied import Denials
from glam_worker.jetstream.lease_line import LeaseLine
from glam_worker.jetstream.levels import Levels, Watched
from glam_worker.jetstream.outbox import Outbox
from glam_worker.jetstream.parking import JetStreamParking
from glam_worker.jetstream.state import JetStreamState
from glam_worker.lifespans import Lifespans
from glam_worker.observe.facts import Observers
from glam_worker.observe.forecasts import Forecasts
from glam_worker.observe.topology_log import say_ensured
from glam_worker.readiness import beginnings, troubles
from glam_worker.runtime.credits import budget_of
from glam_worker.runtime.isolation import Isolation
from glam_worker.runtime.keeper import LeaseKeeper
from glam_worker.runtime.loop_watch import LoopWatch, Running
from glam_worker.runtime.ticker import Ticker
from glam_worker.settings import Settings
from glam_worker.topology.ensure import ensure
from glam_worker.topology.ensured import Ensured
from glam_worker.topology.specs import STATE
from glam_worker.upkeep import Upkeep

LEAST_SERVER = "2.12.0"
"""Message schedules with a time (ADR-51) came with it."""

_AFTER_ABORT = 2.0
"""Seconds for runs that were cut short to end, and for what is settled after them."""
_AT_ONCE = 1.0
"""Seconds for what must be written in any case."""


class Worker:
    """Works the handlers of a registry, in this event loop, until it is stopped.

    * ``start``: connect, make sure of streams and durables, enter lifespans, pull;
    * ``stop``: quiet, drain, abort, close.

    ``client``: a client to work over; one that is connected already is left open at the end.

    Raises ConfigurationError for a missing service name or a budget that is too small.
    """

    def __init__(
        self,
        registry: Registry | None = None,
        settings: Settings | None = None,
        *,
        service: str | None = None,
        client: JetStreamClient | None = None,
    ) -> None:
        declared = PROCESS if registry is None else registry
        self.settings = settings or Settings.load()
        self.service = service or self.settings.service or _service_of(declared)
        self.registry = declared.served_by(self.service)
        self.observers = Observers(self.service)
        self.log = ServiceLogger(logging.getLogger(self.service))
        self.client = (
            client
            or self.registry.given_client
            or JetStreamClient(ServiceLogger(logging.getLogger("glam_worker.connection")))
        )
        self.parking: MakesParking = JetStreamParking
        self.works: list[HandlerWork] = []
        self.ensured = Ensured()
        self.ticker = Ticker(_tick_period(self.registry), self._tick)
        self.levels: Levels | None = None
        self.forecasts: Forecasts | None = None
        self.upkeep: Upkeep | None = None
        self.stopping = False
        self.watch = LoopWatch(self.ticker)
        self._denials = Denials(self.client)
        self._line = LeaseLine(self.client, f"{self.service}-lease")
        self._keeper: LeaseKeeper | None = None
        self._own_client = False
        self._outbox = Outbox(self.client, self._line)
        self._isolation = Isolation(self.client.server_time)
        self.started_at: float | None = None
        self.lifespans = Lifespans()
        self._budget = budget_of(self.settings.max_in_flight, len(self.registry.handlers))

    # --- start ---

    async def start(self) -> None:
        """Connect and work. Raises ConnectionFailed and TopologyError; nothing is left open."""
        try:
            await self._connect()
            self.ensured = await self._ensured()
            self.works = await self._assembled()
        except BaseException:
            await self._close()
            raise
        say_ensured(self.log, self.ensured)
        self.observers.clock.set(self.client.server_time())
        self._keep()
        for work in self.works:
            for source in work.sources:
                source.start(self._isolation.strikes.flush)
        self._watch_levels()
        self.upkeep = Upkeep(self._assembly, self.works, self.ensured, self._troubles)
        self.upkeep.start()
        self.started_at = time.monotonic()

    def _keep(self) -> None:
        """From now on leases are kept, and the loop is watched."""
        self.ticker.start()
        self.watch.watch([Running(work.handler, work.pipeline) for work in self.works])
        self._keeper = LeaseKeeper(self._line, self.watch, self.ticker.period)
        self._keeper.start([(work.pipeline, work.lease) for work in self.works])

    async def _connect(self) -> None:
        if self.client.is_connected():
            return
        self._own_client = True
        await self.client.connect(
            **self.settings.connection(),
            name=self.service,
            timeout=self.settings.connect_timeout,
            min_server_version=LEAST_SERVER,
        )

    async def _ensured(self) -> Ensured:
        state = JetStreamState(self.client, STATE)
        return await ensure(JetStreamAdmin(self.client), state, self.registry, self.settings)

    async def _assembled(self) -> list[HandlerWork]:
        states = await self._enter_lifespans()
        durables = self.ensured.by_handler()
        self._assembly = assembly = Assembly(
            client=self.client,
            outbox=self._outbox,
            publisher=EventPublisher(self.client, self.service),
            settings=self.settings,
            facts=self.observers,
            budget=self._budget,
            log=self.log,
            isolation=self._isolation,
            parking=self.parking,
        )
        return [
            assembly.handler(
                handler,
                durables[id(handler)],
                self.ensured.refusals(handler),
                states.get(self.registry.lifespan_of(handler)),
            )
            for handler in self.registry.handlers
        ]

    async def _enter_lifespans(self) -> dict[Lifespan | None, Any]:
        needed = dict.fromkeys(map(self.registry.lifespan_of, self.registry.handlers))
        return {one: await self.lifespans.enter(one) for one in needed if one is not None}

    def _watch_levels(self) -> None:
        specs = [consumer.spec for consumer in self.ensured.consumers]
        watched = [
            Watched(spec.handler.service, spec.handler.name, spec.way, spec.stream, spec.durable)
            for spec in specs
        ]
        slots = {
            (work.handler.service, work.handler.name): work.pipeline.concurrency
            for work in self.works
        }
        self.forecasts = Forecasts(self.observers, slots, self.settings.drain_target)
        streams = (self.settings.retry_stream, self.ensured.dlq_stream)
        self.levels = Levels(self.client, self.service, watched, streams, self.forecasts.looked)
        self.levels.start()

    def _tick(self, now: float) -> None:
        self.observers.clock.set(self.client.server_time())
        for work in self.works:
            work.tick(now)

    # --- state, as seen from any thread ---

    def not_ready(self) -> list[str]:
        """Why events are not all worked; empty when they are."""
        if self.stopping:
            return ["the worker stops"]
        if self.started_at is None:
            return ["the worker starts"]
        reasons = [] if self.client.is_connected() else [self.client.problem or "not connected"]
        found = list(dict.fromkeys(reasons + self._troubles()))
        return found or [begins for work in self.works for begins in beginnings(work)]

    def remarks(self) -> list[str]:
        """What keeps events from coming, and is nobody's mistake, such as a pause."""
        return list(self.upkeep.remarks) if self.upkeep is not None else []

    def _troubles(self) -> list[str]:
        reasons = self._denials.reasons()
        for work in self.works:
            reasons += troubles(work)
        return list(dict.fromkeys(reasons))

    def unhealthy(self) -> list[str]:
        """Why this process should be replaced; empty when it should not."""
        standing, limit = self.watch.blocked, self._longest_run()
        if self.started_at is not None and standing > limit:
            return [f"the event loop stands for {standing:.0f} s, longer than any handler may run"]
        return [
            f"the pull loop of consumer {source.consumer.durable} is dead"
            for work in self.works
            for source in work.sources
            if source.dead
        ]

    def _longest_run(self) -> float:
        timeouts = [work.handler.options.timeout for work in self.works if work.pipeline.busy]
        return max(timeouts, default=0.0) + 5.0

    # --- stop ---

    async def stop(self, grace: float | None = None) -> None:
        """Quiet, drain for up to ``grace`` seconds (default: the setting), abort, close."""
        self.stopping = True
        deadline = time.monotonic() + (self.settings.shutdown_grace if grace is None else grace)
        await self._quiet()
        await self._drained(deadline)
        for work in self.works:
            work.pipeline.abort()
        await self._drained(time.monotonic() + _AFTER_ABORT)
        await self._isolation.end(_AFTER_ABORT)
        if self.upkeep is not None:
            self._outbox.flush()
            await self.upkeep.stop()
        await self._close(deadline)

    async def leave(self) -> None:
        """End now: what runs is left to its lease, and costs no attempt."""
        await self._isolation.end(_AT_ONCE)

    async def _quiet(self) -> None:
        for work in self.works:
            work.surroundings.stopping = True
            work.pipeline.quiet()
        await asyncio.gather(*(source.quiet() for work in self.works for source in work.sources))
        for work in self.works:
            work.pipeline.hand_back_waiting()

    async def _drained(self, deadline: float) -> None:
        drains = [asyncio.ensure_future(work.pipeline.drain()) for work in self.works]
        if drains:
            left = max(0.0, deadline - time.monotonic())
            _, pending = await asyncio.wait(drains, timeout=left)
            for drain in pending:
                drain.cancel()

    async def _close(self, deadline: float = 0.0) -> None:
        """``deadline``: for lifespans."""
        self.ticker.stop()
        self._denials.close()
        if self.levels is not None:
            await self.levels.stop()
        self._outbox.flush()
        if self._keeper is not None:
            await self._keeper.stop()
        try:
            await self.lifespans.leave(deadline)
        finally:
            for work in self.works:
                work.threads.shutdown(wait=False, cancel_futures=True)
                for source in work.sources:
                    source.close()
            if self._own_client:
                await self.client.close()


def _service_of(registry: Registry) -> str:
    if not registry.handlers:
        raise ConfigurationError("the registry declares no handler; decorate a function with @on")
    return registry.handlers[0].module.partition(".")[0]


def _tick_period(registry: Registry) -> float:
    shortest = min((handler.options.ack_wait for handler in registry.handlers), default=30.0)
    return min(1.0, max(0.02, shortest / 12))
