"""What is remembered of what was created, so that a deleted durable is told from a new handler.

One JSON value a key of the bucket ``GLAM_STATE``: ``handler.<service>.<handler>`` for a durable on
its events' stream, ``stream.<name>`` for a stream of ours. Pure.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Protocol, Self

from glam_worker.declare.handler import Handler
from glam_worker.jetstream.consumers import nanoseconds
from glam_worker.topology.specs import filters_of


class Written:
    """What is written as JSON; fields of a later version are passed over when it is read."""

    def to_bytes(self) -> bytes:
        """As it is stored."""
        return json.dumps(asdict(self)).encode()  # type: ignore[call-overload]

    @classmethod
    def from_bytes(cls, value: bytes) -> Self | None:
        """As it was stored; None for what is no record."""
        try:
            found = json.loads(value)
            names = [one.name for one in fields(cls)]  # type: ignore[arg-type]
            return cls(**{name: _frozen(found[name]) for name in names if name in found})
        except (ValueError, TypeError):
            return None


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


@dataclass(frozen=True, slots=True)
class DurableRecord(Written):
    """A handler's durable on its events' stream, as it was when it was last seen."""

    stream: str
    stream_created: int
    """When the stream was created, ns since the epoch."""
    durable: str
    created: int
    """When the durable was created, ns since the epoch."""
    floor: int = 0
    """The last seen ack floor: every event up to this sequence of the stream was settled."""
    moved_to: str | None = None
    """The handler that took over, where the durable was given up for it."""
    lanes: tuple[str, ...] = ()
    """Handlers that are gone, and whose parked retries come to this one's lane."""
    longest_delay: float | None = None
    """Seconds of the longest delay of the handler's retry policy; None: not recorded yet."""
    worked_for: float | None = None
    """Seconds from an event's first run to the end of its last, by that policy."""
    filters: tuple[str, ...] = ()
    """The subjects that the durable had when it was that far; none: not recorded yet."""
    strayed: tuple[int, ...] = ()
    """When those of the handler's durables were created, ns since the epoch, that were seen with
    subjects which others gave them: what came meanwhile may have been passed by."""

    def brought_up_to(self, now: DurableRecord) -> DurableRecord:
        """This record with how far the durable is, and what its handler declares, now."""
        return replace(
            self,
            floor=max(self.floor, now.floor),
            longest_delay=now.longest_delay,
            worked_for=now.worked_for,
            filters=now.filters,
        )

    def astray(self, created: int) -> DurableRecord:
        """This record, once the durable created then was seen with subjects of others."""
        return self if created in self.strayed else replace(self, strayed=(*self.strayed, created))

    def same_durable(self, other: DurableRecord) -> bool:
        """Whether both tell of the same durable of the same stream."""
        mine = (self.stream, self.stream_created, self.durable, self.created)
        return mine == (other.stream, other.stream_created, other.durable, other.created)


@dataclass(frozen=True, slots=True)
class StreamRecord(Written):
    """A stream of ours, as it was when it was last seen."""

    name: str
    created: int
    """When it was created, ns since the epoch."""


@dataclass(frozen=True, slots=True)
class LettersRecord(Written):
    """How far the dead letters of a stream of events were copied to a stream of their own."""

    stream: str
    created: int
    """When the stream was created, ns since the epoch."""
    copied: int = 0
    """Letters up to this sequence were copied."""
    behind: int = 0
    """What was copied after them lies behind this sequence of the letters' own stream."""
    done: bool = False


def letters_key(stream: str) -> str:
    """The key of the letters that were copied out of a stream."""
    return f"letters.{stream}"


def handler_key(service: str, handler: str) -> str:
    """The key of a handler's durable."""
    return f"handler.{service}.{handler}"


def stream_key(name: str) -> str:
    """The key of a stream."""
    return f"stream.{name}"


def declared_record(
    handler: Handler, stream: dict[str, Any], durable: dict[str, Any]
) -> DurableRecord:
    """The same, with what the handler declares."""
    options = handler.options
    return replace(
        record_of(stream, durable),
        longest_delay=options.retry.longest_delay,
        worked_for=options.worked_for,
    )


def record_of(stream: dict[str, Any], durable: dict[str, Any]) -> DurableRecord:
    """The record of what the server says of a stream and a durable of it."""
    return DurableRecord(
        stream=durable["stream_name"],
        stream_created=nanoseconds(stream["created"]),
        durable=durable["name"],
        created=nanoseconds(durable["created"]),
        floor=floor_of(durable),
        filters=tuple(sorted(filters_of(durable["config"]))),
    )


def floor_of(durable: dict[str, Any]) -> int:
    """The ack floor in the stream's sequences, of what the server says of a durable."""
    return int((durable.get("ack_floor") or {}).get("stream_seq", 0))


class Kept(Protocol):
    """A value and the revision it has."""

    @property
    def value(self) -> bytes: ...
    @property
    def revision(self) -> int: ...


class State(Protocol):
    """Keeps the records. Everything raises BrokerError where the server cannot be asked."""

    async def read(self, keys: Iterable[str]) -> Mapping[str, Kept]:
        """The values that there are; none where there is no bucket."""

    async def keys(self, prefix: str) -> list[str]:
        """The keys below a prefix; none where there is no bucket."""

    async def write(self, key: str, value: bytes) -> None:
        """Keep a value, whatever there was."""

    async def replace(self, key: str, value: bytes, revision: int) -> bool:
        """Keep a value in the place of that ``revision``; False if it is another by now."""
