"""What is known of former starts while a worker starts, and what is recorded of this one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from glam_shared.messaging.broker_errors import BrokerError
from glam_worker.declare.handler import Handler
from glam_worker.declare.registry import Registry
from glam_worker.jetstream.consumers import nanoseconds
from glam_worker.topology.records import (
    DurableRecord,
    State,
    StreamRecord,
    handler_key,
    stream_key,
)


@dataclass(slots=True)
class Remembered:
    """The records of some handlers and streams."""

    durables: dict[tuple[str, str], DurableRecord] = field(default_factory=dict)
    """By service and handler, former names included."""
    streams: dict[str, StreamRecord] = field(default_factory=dict)
    unreadable: BrokerError | None = None
    """Why nothing is known."""

    @classmethod
    async def read(cls, state: State, registry: Registry, streams: Iterable[str]) -> Remembered:
        """What the bucket says; a bucket that cannot be read is no error yet."""
        handlers = [
            (handler.service, name)
            for handler in registry.handlers
            for name in (handler.name, *handler.options.previously)
        ]
        names = list(streams)
        keys = [*(handler_key(*one) for one in handlers), *map(stream_key, names)]
        try:
            found = await state.read(keys)
        except BrokerError as error:
            return cls(unreadable=error)
        values = {key: kept.value for key, kept in found.items()}
        durables = {
            one: DurableRecord.from_bytes(values.get(handler_key(*one), b"")) for one in handlers
        }
        known = {name: StreamRecord.from_bytes(values.get(stream_key(name), b"")) for name in names}
        return cls(
            {one: record for one, record in durables.items() if record is not None},
            {name: record for name, record in known.items() if record is not None},
        )

    def lanes(self, handler: Handler, declared: Iterable[Handler]) -> list[str]:
        """Handlers that are gone, and whose parked retries come to this one's lane."""
        record = self.durables.get((handler.service, handler.name))
        return lanes_of(record, handler.service, declared)

    def had_stream(self, name: str) -> bool:
        """Whether a stream of this name was there before."""
        return name in self.streams or any(one.stream == name for one in self.durables.values())


def lanes_of(record: DurableRecord | None, service: str, declared: Iterable[Handler]) -> list[str]:
    """The handlers that are gone, whose parked retries come to the lane of the recorded one."""
    if record is None or not record.lanes:
        return []
    names = {other.name for other in declared if other.service == service}
    return [name for name in record.lanes if name not in names]


async def record_durable(
    state: State, before: Remembered, handler: Handler, found: DurableRecord
) -> None:
    """Record a durable that exists, unless it is recorded already."""
    known = before.durables.get((handler.service, handler.name))
    if known is not None:
        found = replace(found, lanes=known.lanes, strayed=known.strayed)
    if known is None or known.moved_to is not None or not known.same_durable(found):
        await state.write(handler_key(handler.service, handler.name), found.to_bytes())


async def record_stream(state: State, before: Remembered, info: dict[str, Any]) -> None:
    """Record a stream that exists, unless it is recorded already."""
    name = info["config"]["name"]
    found = StreamRecord(name, nanoseconds(info["created"]))
    if before.streams.get(name) != found:
        await state.write(stream_key(name), found.to_bytes())
