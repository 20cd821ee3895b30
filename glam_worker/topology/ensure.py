"""Creates what is missing at start, leaves alone what exists, and says what differs."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

from glam_shared.messaging.broker_errors import ApiError, BrokerError, PermissionDenied
from glam_worker.declare.handler import Handler
from glam_worker.declare.registry import Registry
from glam_worker.errors import TopologyError
from glam_worker.jetstream.consumers import nanoseconds
from glam_worker.settings import Settings
from glam_worker.topology import reasons, specs
from glam_worker.topology.choosing import check_holds, chosen_stream
from glam_worker.topology.drift import consumer_drift, position_drift
from glam_worker.topology.ensure_streams import StreamAdmin, Streams
from glam_worker.topology.ensured import Ensured, EnsuredConsumer, Refused
from glam_worker.topology.records import State, declared_record, record_of
from glam_worker.topology.remembered import Remembered, record_durable, record_stream
from glam_worker.topology.specs import ConsumerSpec

_NOT_UNIQUE = 10100
"""Another consumer of a work queue has one of these subjects."""
_AT_A_TIME = 8
"""Durables that are made at a time: the server makes more of them at once no faster, and the last
of very many would not be answered in time."""


class Admin(StreamAdmin, Protocol):
    """Reads and creates streams and consumers."""

    async def consumer(self, stream: str, name: str) -> dict[str, Any] | None: ...
    async def create_consumer(
        self, stream: str, config: dict[str, Any]
    ) -> dict[str, Any] | None: ...


async def ensure(admin: Admin, state: State, registry: Registry, settings: Settings) -> Ensured:
    """Make sure that every stream and durable exists, but for what was deleted.

    Raises TopologyError where no worker can run: a subject that no stream holds, a retry stream
    that would lose what is parked on it.
    """
    before = await Remembered.read(state, registry, specs.own_streams(settings))
    return await _Ensuring(admin, state, settings, before).run(registry)


class _Ensuring:
    def __init__(self, admin: Admin, state: State, settings: Settings, before: Remembered) -> None:
        self._admin = admin
        self._state = state
        self._settings = settings
        self._result = Ensured()
        self._before = before
        self._streams = Streams(admin, settings, before, self._result)
        self._renamed: dict[tuple[str, str], str] = {}
        self._few = asyncio.Semaphore(_AT_A_TIME)

    async def run(self, registry: Registry) -> Ensured:
        holding = await asyncio.gather(*map(self._holding, registry.handlers))
        chosen = [
            (handler, await self._stream_of(handler, streams))
            for handler, streams in zip(registry.handlers, holding, strict=True)
        ]
        times = (handler.options.remembered_for or 0.0 for handler in registry.handlers)
        events = {stream for _, stream in chosen if stream}
        await self._streams.make_own(events, max(times, default=0.0))
        mains = [specs.main_consumer(handler, stream) for handler, stream in chosen if stream]
        found = await asyncio.gather(*map(self._main, mains))
        lanes = [
            specs.lane_consumer(
                handler, self._settings, self._before.lanes(handler, registry.handlers)
            )
            for handler in registry.handlers
        ]
        found += await asyncio.gather(*map(self._lane, lanes))
        self._result.consumers = [consumer for consumer in found if consumer is not None]
        for consumer in self._result.consumers:
            self._result.drift.extend(consumer.drift)
        await self._record()
        return self._result

    def _refuse(self, spec: ConsumerSpec, reason: str) -> None:
        self._result.refused.append(Refused(spec, reason))

    # --- streams ---

    async def _holding(self, handler: Handler) -> list[str]:
        if handler.options.stream:
            return []
        async with self._few:
            return await self._admin.streams_holding(handler.subject)

    async def _stream_of(self, handler: Handler, holding: list[str]) -> str | None:
        """The stream a handler consumes from, created if it is the events stream.

        None if it was deleted.
        """
        record = self._before.durables.get((handler.service, handler.name))
        name = chosen_stream(handler, holding, self._settings, record)
        if await self._streams.was_deleted(name):
            self._refuse(specs.main_consumer(handler, name), reasons.stream_gone(handler, name))
            return None
        check_holds(
            handler, name, (await self._streams.known(name))["config"].get("subjects") or []
        )
        return name

    # --- consumers ---

    async def _main(self, spec: ConsumerSpec) -> EnsuredConsumer | None:
        async with self._few:
            return await self._main_of(spec)

    async def _main_of(self, spec: ConsumerSpec) -> EnsuredConsumer | None:
        info = await self._admin.consumer(spec.stream, spec.durable)
        if info is None:
            reason = await self._why_not_created(spec)
            if reason is not None:
                self._refuse(spec, reason)
                return None
            info = await self._new(spec)
        consumer = await self._found(spec, info)
        record = self._before.durables.get((spec.handler.service, spec.handler.name))
        if record is not None and not record.same_durable(record_of(consumer.stream, info)):
            self._result.notes.append(reasons.made_by_others(spec, info))
        return consumer

    async def _why_not_created(self, spec: ConsumerSpec) -> str | None:
        if self._before.unreadable is not None:
            return reasons.state_unreadable(spec, self._before.unreadable)
        record = self._before.durables.get((spec.handler.service, spec.handler.name))
        if record is None and (old := await self._former(spec.handler, spec.stream)):
            self._renamed[spec.handler.service, spec.handler.name] = old
            return reasons.renamed(spec, old)
        stream = await self._streams.known(spec.stream)
        return reasons.why_not_created(spec, record, nanoseconds(stream["created"]))

    async def _former(self, handler: Handler, stream: str) -> str | None:
        """A name the handler had before, and whose position is to be taken over by ``apply``."""
        for name in handler.options.previously:
            record = self._before.durables.get((handler.service, name))
            if record is not None and record.moved_to is None:
                return name
            main = specs.durable_of(handler.service, name)
            lane = specs.durable_of(handler.service, name, "lane")
            for place, durable in ((stream, main), (self._settings.retry_stream, lane)):
                if await self._admin.consumer(place, durable) is not None:
                    return name
        return None

    async def _lane(self, spec: ConsumerSpec) -> EnsuredConsumer | None:
        """A lane is created whenever it is missing: what is due waits in the stream for it.

        That of a renamed handler is not: it would keep another from taking the retries over.
        """
        if (old := self._renamed.get((spec.handler.service, spec.handler.name))) is not None:
            self._refuse(spec, reasons.lane_of_renamed(spec, old))
            return None
        async with self._few:
            return await self._lane_of(spec)

    async def _lane_of(self, spec: ConsumerSpec) -> EnsuredConsumer | None:
        info = await self._admin.consumer(spec.stream, spec.durable)
        if info is not None:
            return await self._found(spec, info)
        if (spec.handler.service, spec.handler.name) in self._before.durables:
            alarm = reasons.deleted_before(f"consumer {spec.durable}", "nothing was lost")
            self._result.alarms.append(alarm)
        try:
            return await self._found(spec, await self._new(spec))
        except ApiError as error:
            if error.err_code != _NOT_UNIQUE:
                raise
        self._refuse(spec, reasons.lane_held(spec))
        return None

    async def _new(self, spec: ConsumerSpec) -> dict[str, Any]:
        try:
            info = await self._admin.create_consumer(spec.stream, spec.config)
        except PermissionDenied as error:
            raise TopologyError(
                reasons.may_not_create(f"consumer {spec.durable}", error)
            ) from error
        if info is not None:
            self._result.created.append(f"consumer {spec.durable}")
            return info
        info = await self._admin.consumer(spec.stream, spec.durable)
        if info is None:
            raise TopologyError(f"consumer {spec.durable} was created and is gone again")
        return info

    async def _found(self, spec: ConsumerSpec, info: dict[str, Any]) -> EnsuredConsumer:
        stream = await self._streams.known(spec.stream)
        record = self._before.durables.get((spec.handler.service, spec.handler.name))
        drift = (*consumer_drift(spec, info), *position_drift(spec, stream, info, record))
        return EnsuredConsumer(spec, info, stream, drift)

    # --- records ---

    async def _record(self) -> None:
        """After the creation: what exists and is not recorded can be recorded at any time."""
        if self._before.unreadable is not None:
            return
        ours = [one for one in self._result.consumers if one.spec.way == "main" and _owned(one)]
        try:
            await asyncio.gather(
                *(
                    record_durable(
                        self._state,
                        self._before,
                        one.spec.handler,
                        declared_record(one.spec.handler, one.stream, one.info),
                    )
                    for one in ours
                ),
                *(record_stream(self._state, self._before, info) for info in self._streams.ours),
            )
        except BrokerError as error:
            self._result.notes.append(f"what exists cannot be recorded in {specs.STATE}: {error}")


def _owned(consumer: EnsuredConsumer) -> bool:
    """Whether the durable is this handler's; one of others is no business of ours."""
    return all(drift.field != "owner" for drift in consumer.unsafe)
