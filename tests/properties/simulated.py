"""Worker processes whose decisions are the runtime's own, over the broker that is in memory."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from glam_shared.logging import ServiceLogger
from glam_worker import EventContext, Reject, RetryPolicy, Snooze
from glam_worker.declare.registry import Registry
from glam_worker.observe.facts import Observers
from glam_worker.runtime.credits import Credits
from glam_worker.runtime.executor import Executor
from glam_worker.runtime.isolation import Isolation
from glam_worker.runtime.lease import Lease
from glam_worker.runtime.pipeline import Pipeline
from glam_worker.runtime.protocols import Way, WayFacts
from glam_worker.runtime.run import Surroundings
from glam_worker.runtime.settlement import Settler
from glam_worker.runtime.suspects import Rules, Suspects
from tests.properties.model import ACK_WAIT, SUBJECT, Broker, Connection, Letters, Stores

CONCURRENCY = 3
ATTEMPTS = 3
TIMEOUT = 20.0
LONGEST_RUN = 9.0
WAYS: tuple[Way, Way] = ("main", "lane")

_threads = ThreadPoolExecutor(1)


class Job(BaseModel):
    """Its number says what it does."""

    id: int


@dataclass(slots=True)
class Told:
    """What handlers did, in all processes."""

    kinds: dict[int, str] = field(default_factory=dict)
    starts: Counter[int] = field(default_factory=Counter)
    failed: Counter[int] = field(default_factory=Counter)
    snoozed: Counter[int] = field(default_factory=Counter)


class Simulated:
    """One worker process."""

    def __init__(self, broker: Broker, told: Told) -> None:
        self.broker, self.told = broker, told
        self.connection = Connection()
        self.running = 0
        self.stopped = False
        self.connected_at = broker.now()
        """When the present connection began."""
        self._asked: dict[Way, int] = {"main": 0, "lane": 0}
        self._closed = False
        stores = Stores(broker, self.connection)
        registry = Registry()
        registry.on(
            SUBJECT,
            Job,
            name="work",
            concurrency=CONCURRENCY,
            retry=RetryPolicy(attempts=ATTEMPTS, first=1.0, jitter=0.0),
            timeout=TIMEOUT,
            ack_wait=ACK_WAIT,
        )(self._work)
        (handler,) = registry.served_by("tests").handlers
        observers = Observers("tests")
        facts: dict[Way, WayFacts] = {way: observers.way(handler, way) for way in WAYS}
        self.isolation = Isolation(broker.server_time)
        self.credits = Credits(CONCURRENCY, None, 1 << 20, clock=broker.now)
        rules = Rules(ATTEMPTS, TIMEOUT, max(1, self.credits.capacity // 2))
        nobody: Any = None
        log = ServiceLogger(logging.getLogger("tests"))
        self.pipeline = Pipeline(
            CONCURRENCY,
            self.credits,
            Executor(Surroundings(handler, log, nobody), _threads),
            Settler(
                handler.options.retry, stores, Letters(stores), stores, facts, broker.server_time
            ),
            Suspects(stores, self.isolation, rules, facts),
            facts,
            TIMEOUT,
        )
        self.pipeline.ack_wait = ACK_WAIT
        self._lease = Lease(self.pipeline, facts)
        self._living = asyncio.ensure_future(self._live())

    @property
    def gone(self) -> bool:
        """Whether the process has ended."""
        return self.connection.dead or self.stopped

    # --- what it does by itself ---

    async def _live(self) -> None:
        """Renew leases, ask, and take what arrives."""
        while not self.gone:
            self._lease.tick(self.broker.now())
            if self.connection.live and not self._closed:
                for way in WAYS:
                    self._asked[way] += self.credits.take(way)
                    self._take(way)
            await asyncio.sleep(0.2)

    def _take(self, way: Way) -> None:
        while self._asked[way]:
            held = self.broker.next(way, self.connection)
            if held is None:
                self.credits.of(way).backlog = False
                return
            self._asked[way] -= 1
            self.credits.of(way).backlog = True
            self.pipeline.offer(held)

    async def _work(self, job: Job, event: EventContext) -> None:
        """The handler."""
        kind = self.told.kinds[job.id]
        self.told.starts[job.id] += 1
        self.running += 1
        assert self.running <= CONCURRENCY
        assert event.attempt <= ATTEMPTS
        try:
            await self._do(job.id, kind, event)
        finally:
            self.running -= 1

    async def _do(self, job: int, kind: str, event: EventContext) -> None:
        match kind:
            case "slow":
                await asyncio.sleep(LONGEST_RUN)
            case "fails" | "fails once":
                await asyncio.sleep(0.1)
                if kind == "fails" or event.attempt == 1:
                    self.told.failed[job] += 1
                    raise RuntimeError(kind)
            case "rejects":
                raise Reject(kind)
            case "snoozes" if self.told.snoozed[job] < 4:
                self.told.snoozed[job] += 1
                raise Snooze(after=0.5)
            case "pill":
                await asyncio.sleep(0.2)
                self.crash()
                await asyncio.Event().wait()
        if self.connection.dead:
            await asyncio.Event().wait()
        run: Any = event
        self.broker.handled.add(run.delivery.carrier)

    # --- what is done to it ---

    def crash(self) -> None:
        """The process is gone: nothing that it was about to do is done."""
        self.connection.dead = True
        self.pipeline.quiet()
        self._living.cancel()

    def disconnect(self) -> None:
        """The connection breaks; what has not started is forgotten."""
        self.connection.up.clear()
        for way in WAYS:
            self._asked[way] = 0
            self.credits.returned(way)
            self.pipeline.drop(way)

    async def reconnect(self) -> None:
        """A new connection: strikes first, then pulls."""
        self.connection.up.set()
        self.connected_at = self.broker.now()
        await self.isolation.strikes.flush()

    async def stop(self, grace: float) -> None:
        """Quiet, drain, abort, as the worker does it."""
        self._closed = True
        self.pipeline.quiet()
        for way in WAYS:
            self._asked[way] = 0
            self.credits.returned(way)
        self.pipeline.hand_back_waiting()
        await self._drained(grace)
        self.pipeline.abort()
        await self._drained(2.0)
        await self.isolation.end(2.0)
        self.stopped = True
        assert self.running == 0, "a run goes on after the end"

    async def _drained(self, within: float) -> None:
        drain = asyncio.ensure_future(self.pipeline.drain())
        await asyncio.wait([drain], timeout=within)
        drain.cancel()
