"""Looks after the streams and durables of a running worker. Creates and changes none of them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Callable, Mapping, Sequence

from glam_shared.messaging.broker_errors import BrokerError
from glam_worker.assembly import Assembly, HandlerWork
from glam_worker.dropping import Dropping
from glam_worker.jetstream.admin import JetStreamAdmin
from glam_worker.jetstream.pull_state import PullState
from glam_worker.jetstream.state import JetStreamState
from glam_worker.observe.topology_log import Told
from glam_worker.topology.drift import retry_stream_problems
from glam_worker.topology.ensured import Ensured, EnsuredConsumer
from glam_worker.topology.records import DurableRecord, Kept, declared_record, handler_key
from glam_worker.topology.remembered import lanes_of
from glam_worker.topology.specs import STATE, ConsumerSpec, lane_consumer
from glam_worker.topology.standing import Standing, followed, remarks_of, standing_of

_log = logging.getLogger("glam_worker.topology")

PERIOD = 30.0
"""Seconds between two looks at the server, more or less: workers do not look all at once."""
SOON = 10.0
"""The same while there is trouble, so that what was done about it takes effect."""
_AT_A_TIME = 32
"""Durables that are asked for at a time."""
_TELLING = 1.0
"""Seconds between two looks at what is to be said."""
_AT_THE_END = 2.0
"""Seconds for the last look, when the worker stops."""


class Upkeep:
    """Compares what the server has with what is declared, again and again.

    * A durable that must not be pulled any more is not, until it may be.
    * One that ``apply`` made is pulled without a restart.
    * How far each handler is, is recorded, in case its durable is deleted.
    * What a stream dropped before it was handled is counted and said.
    * Why events are not worked is said in the log, when that begins and when it is over.
    """

    def __init__(
        self,
        assembly: Assembly,
        works: Sequence[HandlerWork],
        ensured: Ensured,
        reasons: Callable[[], list[str]],
    ) -> None:
        self.remarks = tuple(
            text for one in ensured.consumers for text in remarks_of(one.spec, one.info)
        )
        """What keeps events from coming, and is nobody's mistake; callable from any thread."""
        self._assembly = assembly
        self._works = {(work.handler.service, work.handler.name): work for work in works}
        self._dropping = {owner: Dropping(work) for owner, work in self._works.items()}
        self._specs = [one.spec for one in ensured.consumers]
        self._specs += [one.spec for one in ensured.refused]
        self._reasons = reasons
        self._admin = JetStreamAdmin(assembly.client)
        self._state = JetStreamState(assembly.client, STATE)
        self._troubles, self._said = Told(logging.ERROR), Told(logging.INFO)
        self._retries_lost: str | None = None
        """Why what is parked would be lost: nothing is pulled then."""
        self._task: asyncio.Task[None] | None = None

    # --- life ---

    def start(self) -> None:
        """Look now and then, from now on."""
        self._troubles.know(self._reasons())
        self._task = asyncio.create_task(self._run(), name="upkeep")

    async def stop(self) -> None:
        """Record how far the handlers are, and look no more."""
        task, self._task = self._task, None
        if task is None:
            return
        task.cancel()
        await asyncio.wait([task])
        if self._assembly.client.is_connected():
            with contextlib.suppress(BrokerError, TimeoutError):
                async with asyncio.timeout(_AT_THE_END):
                    await self._record(*await self._standings())

    async def _run(self) -> None:
        looked, pause = time.monotonic(), self._pause()
        while True:
            await asyncio.sleep(_TELLING)
            if not self._assembly.client.is_connected():
                continue
            if time.monotonic() - looked > pause or self._strays():
                await self.look()
                looked, pause = time.monotonic(), self._pause()
            self._troubles.tell(self._reasons())
            self._said.tell(self.remarks)

    def _pause(self) -> float:
        period = SOON if self._reasons() else PERIOD
        return period * random.uniform(0.8, 1.2)  # noqa: S311 - not all at once

    # --- looking ---

    async def look(self) -> None:
        """Look at every stream and durable, and do what follows; a look that fails is no look."""
        try:
            for work in self._works.values():
                work.pipeline.strays.look_begins()
            standings, kept = await self._standings()
            for standing in standings:
                self._dropping[_owner(standing.spec)].look(standing)
                await self._follow(standing)
            self._explain_strays(standings)
            self.remarks = tuple(text for one in standings for text in one.remarks)
            await self._record(standings, kept)
        except BrokerError as error:
            _log.debug("streams and consumers could not be looked at: %s", error)

    async def _standings(self) -> tuple[list[Standing], Mapping[str, Kept]]:
        """How all durables stand, and the records, which were read before the durables."""
        names = list(dict.fromkeys(spec.stream for spec in self._specs))
        found = await asyncio.gather(*map(self._admin.stream, names))
        streams = dict(zip(names, found, strict=True))
        retry = streams.get(self._assembly.settings.retry_stream)
        problems = retry_stream_problems(retry) if retry else []
        self._retries_lost = "; ".join(problems) or None
        kept = await self._state.read(map(_key, self._specs))
        few = asyncio.Semaphore(_AT_A_TIME)

        async def standing(declared: ConsumerSpec) -> Standing:
            spec = self._with_former(declared, _recorded(kept, declared))
            stream = streams[spec.stream]
            async with few:
                info = await self._admin.consumer(spec.stream, spec.durable) if stream else None
            return standing_of(spec, stream, info, _recorded(kept, spec))

        return list(await asyncio.gather(*map(standing, self._specs))), kept

    def _with_former(self, spec: ConsumerSpec, record: DurableRecord | None) -> ConsumerSpec:
        """A lane with the handlers whose retries it took over meanwhile."""
        handlers = [work.handler for work in self._works.values()]
        former = lanes_of(record, spec.handler.service, handlers)
        if spec.way == "main" or not former:
            return spec
        return lane_consumer(spec.handler, self._assembly.settings, former)

    # --- what follows ---

    async def _follow(self, standing: Standing) -> None:
        work = self._works[_owner(standing.spec)]
        problem = standing.problem or self._retries_lost
        if problem is not None:
            await self._hold(work, standing, problem)
        elif standing.consumer is not None:
            await self._pull(work, standing)

    def _explain_strays(self, standings: Sequence[Standing]) -> None:
        """Why strays came, if any did."""
        changed = {
            _owner(one.spec) for one in standings if one.consumer is None or one.consumer.unsafe
        }
        for owner, work in self._works.items():
            work.pipeline.strays.looked(as_declared=owner not in changed)

    def _strays(self) -> bool:
        """Whether a handler that is pulled was given what it must not be."""
        return any(
            work.pipeline.strays.problem and not work.problems for work in self._works.values()
        )

    async def _hold(self, work: HandlerWork, standing: Standing, problem: str) -> None:
        way = standing.spec.way
        source = work.source(way)
        if source is None or source.state is not PullState.GONE:  # that one says it better
            work.problems[way] = problem
        if source is not None and standing.consumer is not None:
            await source.quiet(PullState.HELD, problem)

    async def _pull(self, work: HandlerWork, standing: Standing) -> None:
        consumer = standing.consumer
        assert consumer is not None  # noqa: S101 - as was looked at
        source = work.source(standing.spec.way)
        if source is None or not source.consumer.same(consumer.stream, consumer.info):
            if not standing.known:
                return
            _log.info("consumer %s is pulled: it was made meanwhile", consumer.spec.durable)
            await self._assembly.adopt(work, consumer)
        elif source.state is PullState.HELD:
            source.release()
        work.problems.pop(standing.spec.way, None)
        self._assembly.use_ack_wait(work, standing.spec.way, consumer)

    # --- records ---

    async def _record(self, standings: Sequence[Standing], kept: Mapping[str, Kept]) -> None:
        """How far each handler is, and its retry policy, where they differ from what was known.

        A record that somebody, such as ``apply``, has changed since is left as it is.
        """
        before = {key: DurableRecord.from_bytes(one.value) for key, one in kept.items()}
        now = dict(before)
        for one in standings:
            known, key = now.get(_key(one.spec)), _key(one.spec)
            if known is not None:
                now[key] = followed(known, one)
            elif one.consumer and one.spec.way == "main" and not one.consumer.unsafe:
                await self._first_record(one.consumer)
        for key, record in now.items():
            if record is not None and record != before[key]:
                await self._state.replace(key, record.to_bytes(), kept[key].revision)

    async def _first_record(self, consumer: EnsuredConsumer) -> None:
        if await self._admin.stream(f"KV_{STATE}"):
            record = declared_record(consumer.spec.handler, consumer.stream, consumer.info)
            await self._state.write(_key(consumer.spec), record.to_bytes())


def _owner(spec: ConsumerSpec) -> tuple[str, str]:
    return spec.handler.service, spec.handler.name


def _key(spec: ConsumerSpec) -> str:
    return handler_key(spec.handler.service, spec.handler.name)


def _recorded(kept: Mapping[str, Kept], spec: ConsumerSpec) -> DurableRecord | None:
    found = kept.get(_key(spec))
    return None if found is None else DurableRecord.from_bytes(found.value)
