"""Puts the parts of one handler together: the only place that knows all of them."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeAlias

from glam_shared.logging import ServiceLogger
from glam_shared.messaging import EventPublisher, JetStreamClient
from glam_worker.declare.handler import Handler
from glam_worker.jetstream.claims import JetStreamClaims
from glam_worker.jetstream.consumers import ConsumerRef, nanoseconds
from glam_worker.jetstream.ledger import JetStreamLedger
from glam_worker.jetstream.letters import JetStreamLetters
from glam_worker.jetstream.outbox import Outbox
from glam_worker.jetstream.parking import JetStreamParking
from glam_worker.jetstream.pull import PullSource
from glam_worker.runtime.claims import Claims
from glam_worker.runtime.credits import Budget, Credits
from glam_worker.runtime.executor import Executor
from glam_worker.runtime.isolation import Isolation
from glam_worker.runtime.lease import Lease
from glam_worker.runtime.ledger import Ledger
from glam_worker.runtime.pipeline import Pipeline
from glam_worker.runtime.protocols import Facts, Parking, Way, WayFacts
from glam_worker.runtime.run import Surroundings
from glam_worker.runtime.settlement import Settler
from glam_worker.runtime.suspects import Rules, Suspects
from glam_worker.settings import Settings
from glam_worker.topology.ensured import EnsuredConsumer, Refused
from glam_worker.topology.specs import CLAIMS, LEDGER, NS

MakesParking: TypeAlias = Callable[[JetStreamClient, str, str], Parking]
"""Makes what parks the events of a handler, from client, service and handler."""

BYTES_PER_HANDLER = 64 << 20
"""Bytes in hand from which on a handler asks for no more."""


@dataclass(slots=True)
class HandlerWork:
    """One handler at work: its pipeline, and where its deliveries come from."""

    handler: Handler
    pipeline: Pipeline
    surroundings: Surroundings
    sources: list[PullSource]
    lease: Lease
    threads: ThreadPoolExecutor
    facts: dict[Way, WayFacts]
    claims: Claims | None
    """None for a handler that is not idempotent."""
    problems: dict[Way, str] = field(default_factory=dict)
    """Why a way is not pulled: unsafe drift, or a durable that was deleted."""

    def source(self, way: Way) -> PullSource | None:
        """What pulls a way; None where nothing does."""
        return next((source for source in self.sources if source.way == way), None)

    def tick(self, now: float) -> None:
        """Renew leases and notice silence."""
        self.lease.tick(now)
        for source in self.sources:
            source.tick(now)


@dataclass(frozen=True, slots=True)
class Assembly:
    """What all handlers of a worker share."""

    client: JetStreamClient
    outbox: Outbox
    publisher: EventPublisher
    settings: Settings
    facts: Facts
    budget: Budget | None
    log: ServiceLogger
    isolation: Isolation
    parking: MakesParking = JetStreamParking

    def handler(
        self, handler: Handler, consumers: list[EnsuredConsumer], refused: list[Refused], state: Any
    ) -> HandlerWork:
        """A handler ready to be started."""
        concurrency = handler.options.concurrency or self.settings.concurrency
        facts: dict[Way, WayFacts] = {
            "main": self.facts.way(handler, "main"),
            "lane": self.facts.way(handler, "lane"),
        }
        surroundings = Surroundings(handler, self.log, self.publisher, state)
        threads = ThreadPoolExecutor(concurrency, thread_name_prefix=f"handler-{handler.name}")
        credit = Credits(concurrency, self.budget, BYTES_PER_HANDLER)
        ledger, claims = self._ledger(handler), self._claims(handler, facts)
        pipeline = Pipeline(
            concurrency,
            credit,
            Executor(surroundings, threads, claims),
            self._settler(handler, consumers, ledger, facts),
            self._suspects(handler, credit, ledger, facts),
            facts,
            handler.options.timeout,
        )
        safe = [consumer for consumer in consumers if not consumer.unsafe]
        sources = [self._source(consumer, credit, pipeline) for consumer in safe]
        pipeline.ack_wait = min((source.ack_wait for source in sources), default=30.0)
        pipeline.wants_more = partial(_ask_all, sources)
        return HandlerWork(
            handler,
            pipeline,
            surroundings,
            sources,
            Lease(pipeline, facts),
            threads,
            facts,
            claims,
            {one.way: one.reason for one in refused}
            | {one.spec.way: one.problem for one in consumers if one.problem},
        )

    def _ledger(self, handler: Handler) -> Ledger:
        retry = self.settings.retry_stream
        return JetStreamLedger(self.client, LEDGER, handler.service, handler.name, retry)

    def _suspects(
        self, handler: Handler, credit: Credits, ledger: Ledger, facts: dict[Way, WayFacts]
    ) -> Suspects:
        options = handler.options
        rules = Rules(options.retry.attempts, options.timeout, max(1, credit.capacity // 2))
        return Suspects(ledger, self.isolation, rules, facts)

    async def adopt(self, work: HandlerWork, consumer: EnsuredConsumer) -> None:
        """Let a handler pull a durable that was made while it runs."""
        old = work.source(consumer.spec.way)
        if old is not None:
            await old.retire()
            work.sources.remove(old)
        source = self._source(consumer, work.pipeline.credits, work.pipeline)
        work.sources.append(source)
        source.start(self.isolation.strikes.flush)

    def use_ack_wait(self, work: HandlerWork, way: Way, consumer: EnsuredConsumer) -> None:
        """Leases last as long as the server says now."""
        source = work.source(way)
        if source is not None:
            source.ack_wait = _ref(consumer).ack_wait
        work.pipeline.ack_wait = min((one.ack_wait for one in work.sources), default=30.0)

    def _settler(
        self,
        handler: Handler,
        consumers: list[EnsuredConsumer],
        ledger: Ledger,
        facts: dict[Way, WayFacts],
    ) -> Settler:
        kept = next(
            (
                int(consumer.stream["config"].get("max_age", 0)) / NS
                for consumer in consumers
                if consumer.spec.way == "main"
            ),
            0.0,
        )
        return Settler(
            handler.options.retry,
            self.parking(self.client, handler.service, handler.name),
            JetStreamLetters(self.client, handler.service, handler.name, kept),
            ledger,
            facts,
            self.client.server_time,
        )

    def _claims(self, handler: Handler, facts: dict[Way, WayFacts]) -> Claims | None:
        """None for a handler that is not idempotent."""
        if handler.options.remembered_for is None:
            return None
        store = JetStreamClaims(self.client, CLAIMS)
        return Claims(store, handler.options.timeout + handler.options.ack_wait, facts)

    def _source(self, consumer: EnsuredConsumer, credit: Credits, pipeline: Pipeline) -> PullSource:
        way = consumer.spec.way
        drop = partial(pipeline.drop, way)
        ref = _ref(consumer)
        return PullSource(self.client, self.outbox, ref, credit, pipeline.offer, drop)


def _ask_all(sources: list[PullSource]) -> None:
    for source in sources:
        source.ask()


def _ref(consumer: EnsuredConsumer) -> ConsumerRef:
    return ConsumerRef(
        way=consumer.spec.way,
        stream=consumer.spec.stream,
        durable=consumer.spec.durable,
        stream_created=nanoseconds(consumer.stream["created"]),
        created=nanoseconds(consumer.info["created"]),
        ack_wait=int(consumer.info["config"].get("ack_wait", 30 * NS)) / NS,
    )
