"""What was seen of a set-up, at one moment. Pure data: the checks know nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from glam_worker.declare.filters import overlaps
from glam_worker.jetstream.consumers import nanoseconds
from glam_worker.topology.records import DurableRecord
from glam_worker.topology.specs import (
    DLQ_SUBJECTS,
    NS,
    OWNER_HANDLER,
    OWNER_SERVICE,
    OWNER_WAY,
    filters_of,
)

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream, as ``STREAM.INFO`` tells it."""

    answer: Json

    @property
    def config(self) -> Json:
        """Its configuration."""
        return dict(self.answer["config"])

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.config["name"])

    @property
    def thing(self) -> str:
        """How a finding calls it."""
        return f"stream {self.name}"

    @property
    def subjects(self) -> list[str]:
        """What it takes."""
        return list(self.config.get("subjects") or [])

    def limit(self, name: str) -> int:
        """A limit of its configuration; 0 for none."""
        return max(0, int(self.config.get(name) or 0))

    @property
    def max_age(self) -> float:
        """Seconds a message is kept; 0 for ever."""
        return self.limit("max_age") / NS

    @property
    def replicas(self) -> int:
        """Servers that keep it."""
        return max(1, int(self.config.get("num_replicas") or 1))

    @property
    def cluster(self) -> Json:
        """Leader and followers; empty on a single server."""
        return dict(self.answer.get("cluster") or {})

    def holds(self, subject: str) -> bool:
        """Whether it takes some subject of this filter."""
        return any(overlaps(held, subject) for held in self.subjects)

    def fullness(self) -> tuple[float, str]:
        """Of the limits that it is nearest to: the part that is used, and its name."""
        state = self.answer.get("state") or {}
        used = {"max_bytes": state.get("bytes", 0), "max_msgs": state.get("messages", 0)}
        parts = [(used[name] / self.limit(name), name) for name in used if self.limit(name)]
        return max(parts, default=(0.0, ""))


@dataclass(frozen=True, slots=True)
class Durable:
    """A consumer, as ``CONSUMER.INFO`` tells it."""

    answer: Json
    oldest: float | None = None
    """Age in seconds of the oldest event it has not settled; None without one, or unknown."""

    @property
    def config(self) -> Json:
        """Its configuration."""
        return dict(self.answer["config"])

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.answer["name"])

    @property
    def stream(self) -> str:
        """The name of its stream."""
        return str(self.answer["stream_name"])

    @property
    def thing(self) -> str:
        """How a finding calls it."""
        return f"consumer {self.name} on stream {self.stream}"

    @property
    def created(self) -> int:
        """When it was created, ns since the epoch."""
        return nanoseconds(self.answer["created"])

    @property
    def owner(self) -> tuple[str, str, str] | None:
        """Service, handler and way; None for one that no worker of ours made."""
        metadata = self.config.get("metadata") or {}
        names = [metadata.get(key) for key in (OWNER_SERVICE, OWNER_HANDLER, OWNER_WAY)]
        return (str(names[0]), str(names[1]), str(names[2])) if all(names) else None

    @property
    def filters(self) -> list[str]:
        """What it is given."""
        return filters_of(self.config)

    def count(self, name: str) -> int:
        """One of its numbers, such as ``num_pending``."""
        return int(self.answer.get(name) or 0)

    @property
    def backlog(self) -> int:
        """Events that are not settled."""
        return self.count("num_pending") + self.count("num_ack_pending")

    @property
    def given_up(self) -> int:
        """Messages the server gives out no more: its ``max_deliver`` was reached.

        It counts them as redelivered although nobody holds them.
        """
        return max(0, self.count("num_redelivered") - self.count("num_ack_pending"))


@dataclass(frozen=True, slots=True)
class Monitor:
    """What a server's monitoring port says of JetStream (``/jsz?config=1``)."""

    url: str
    answer: Json = field(default_factory=dict)
    problem: str = ""
    """Why it could not be read."""

    @property
    def config(self) -> Json:
        """JetStream's configuration on that server."""
        return dict(self.answer.get("config") or {})


@dataclass(frozen=True, slots=True)
class Overdue:
    """A parked retry that should have come back."""

    subject: str
    late: float
    """Seconds since it was due."""


@dataclass(frozen=True, slots=True)
class Parked:
    """What was looked at of the parked retries: the oldest."""

    looked_at: int = 0
    all_seen: bool = True
    overdue: tuple[Overdue, ...] = ()
    due: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """Events that are due and not settled, by service and handler."""
    passed_by: Mapping[str, int] = field(default_factory=dict)
    """Of these, those that lanes will not hand out, by the lane's name."""


@dataclass(frozen=True, slots=True)
class Letters:
    """Dead letters."""

    count: int = 0
    oldest: float = 0.0
    """Age in seconds."""


@dataclass(frozen=True, slots=True)
class Tries:
    """What the worker's requests met with: subjects, by what is done with them."""

    allowed: tuple[str, ...] = ()
    denied: tuple[tuple[str, str], ...] = ()
    """Subject, and what a worker needs it for."""
    unheard: tuple[str, ...] = ()
    """Keys of buckets that are there, to which nobody listens."""


@dataclass(frozen=True, slots=True)
class Names:
    """Streams of the settings."""

    events: str = "GLAM_EVENTS"
    retry: str = "GLAM_RETRY"
    letters: str = "GLAM_DLQ"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that the checks look at."""

    names: Names = Names()
    service: str | None = None
    """The only service whose durables are looked at; None for all."""
    concurrency: int = 16
    version: str = ""
    max_payload: int = 1 << 20
    clock_offset: float = 0.0
    """Seconds the server's clock is ahead of this machine's."""
    account: Json = field(default_factory=dict)
    """The answer to ``INFO``; empty where it may not be asked."""
    streams: tuple[Stream, ...] = ()
    durables: tuple[Durable, ...] = ()
    """All consumers of streams that are no buckets; with ``service``, those of others left out."""
    monitors: tuple[Monitor, ...] = ()
    parked: Parked = Parked()
    letters: Letters = Letters()
    given_up: Mapping[tuple[str, str], tuple[int, ...]] = field(default_factory=dict)
    """Sequences that are known to be given up, by stream and durable."""
    tries: Tries = Tries()
    records: tuple[DurableRecord, ...] = ()
    """What workers have recorded of the durables they created."""
    unseen: tuple[str, ...] = ()
    """Requests of our own that were denied."""
    unanswered: tuple[str, ...] = ()
    """Requests of our own that failed, and why."""

    def stream(self, name: str) -> Stream | None:
        """The stream of this name."""
        return next((stream for stream in self.streams if stream.name == name), None)

    def hidden(self, operation: str) -> bool:
        """Whether a request such as ``STREAM.INFO.GLAM_DLQ`` was denied or not answered."""
        return any(operation in one for one in (*self.unseen, *self.unanswered))

    @property
    def ours(self) -> list[Durable]:
        """The durables that workers of ours made."""
        return [durable for durable in self.durables if durable.owner is not None]

    @property
    def retry_stream(self) -> Stream | None:
        """Where retries are parked."""
        return self.stream(self.names.retry)

    @property
    def letters_stream(self) -> Stream | None:
        """Where dead letters lie."""
        holding = [stream for stream in self.streams if stream.holds(DLQ_SUBJECTS[0])]
        return next(iter(holding), None)

    @property
    def events_streams(self) -> list[Stream]:
        """The streams that handlers consume, and that of the settings."""
        consumed = {d.stream for d in self.ours if d.owner and d.owner[2] == "main"}
        return [s for s in self.streams if s.name in consumed | {self.names.events}]

    def kept(self) -> Iterator[Stream]:
        """Every stream that something of ours is stored in, buckets included."""
        letters = self.letters_stream
        names = {stream.name for stream in self.events_streams} | {self.names.retry}
        names |= {letters.name} if letters else set()
        for stream in self.streams:
            if stream.name in names or stream.name.startswith("KV_GLAM_"):
                yield stream
