"""How things are at the server: its streams, and every handler's durables."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from glam_shared.messaging import JetStreamClient
from glam_shared.wording import counted
from glam_worker.errors import NotThereError
from glam_worker.jetstream.admin import JetStreamAdmin
from glam_worker.operate.durable_shape import shape_problems
from glam_worker.operate.handlers import Durable, KnownHandler, known_handlers
from glam_worker.operate.levels import LetterCounts, Owner, parked
from glam_worker.operate.pausing import has_no_end, remaining
from glam_worker.topology.specs import DLQ_SUBJECTS, NS, filters_of

Workers = Literal["pulling", "busy", "none seen"]


@dataclass(frozen=True, slots=True)
class StreamStatus:
    """A stream that handlers use."""

    name: str
    subjects: tuple[str, ...]
    messages: int
    size: int
    """Bytes."""
    max_size: int | None
    """Bytes; None: no limit."""
    max_age: float | None
    """Seconds; None: no limit."""
    replicas: int
    trouble: tuple[str, ...]
    """What is wrong with its replicas."""


@dataclass(frozen=True, slots=True)
class HandlerStatus:
    """A handler's durables taken together. Read it as a whole: ``durables`` has each by itself."""

    service: str
    handler: str
    stream: str
    subject: str
    pending: int
    """Events that wait in their stream."""
    pending_lane: int
    """Retries that are due, and replays."""
    in_flight: int
    """Handed out and not settled, on both ways."""
    redelivered: int
    """Those of them that were handed out before."""
    parked: int
    """Retries that wait for their time."""
    letters: int | None
    """Dead letters; None: there are too many of all handlers to count each one's."""
    last_activity: datetime | None
    """When something was last handed out or settled."""
    workers: Workers
    """``pulling``: a pull request is open; ``busy``: none, but events are in flight."""
    paused_for: float
    """Seconds the pause still lasts; 0: it is not paused."""
    drift: tuple[str, ...]
    durables: tuple[Durable, ...]

    @property
    def paused(self) -> bool:
        """Whether any of its durables hands out nothing."""
        return self.paused_for > 0

    @property
    def paused_for_ever(self) -> bool:
        """Whether the pause lasts until somebody resumes it."""
        return has_no_end(self.paused_for)

    @property
    def delivered(self) -> int:
        """Deliveries since its durables were created, redeliveries included."""
        return sum(int(one.info["delivered"]["consumer_seq"]) for one in self.durables)


@dataclass(frozen=True, slots=True)
class Status:
    """One look at the server."""

    at: datetime
    """The server's time."""
    server_version: str
    streams: tuple[StreamStatus, ...]
    handlers: tuple[HandlerStatus, ...]
    letters: int
    notes: tuple[str, ...]
    """What a person should know."""


class Statuses:
    """Looks again and again over one connection; counts letters only when there are others."""

    def __init__(
        self, client: JetStreamClient, retry_stream: str, service: str | None = None
    ) -> None:
        self._client = client
        self._retry_stream = retry_stream
        self._service = service
        self._letters = LetterCounts(client)

    async def look(self) -> Status:
        """How things are now. Raises BrokerError, NotThereError for an unknown service."""
        infos, known, waiting, _ = await asyncio.gather(
            JetStreamAdmin(self._client).streams(),
            known_handlers(self._client),
            parked(self._client, self._retry_stream),
            self._letters.look(),
        )
        chosen = [one for one in known if self._service in (None, one.service)]
        if self._service is not None and not chosen:
            raise NotThereError(_no_service(self._service, known))
        subjects = {info["config"]["name"]: _subjects(info) for info in infos}
        handlers = tuple(
            _handler(one, subjects, waiting, self._letters.by_handler) for one in chosen
        )
        return Status(
            at=self._client.server_time(),
            server_version=self._client.server_version,
            streams=tuple(_stream(info) for info in infos if self._is_ours(info, chosen)),
            handlers=handlers,
            letters=self._letters.total,
            notes=tuple(self._notes(infos, handlers)),
        )

    def _is_ours(self, info: dict[str, Any], handlers: Sequence[KnownHandler]) -> bool:
        name = info["config"]["name"]
        used = {durable.stream for handler in handlers for durable in handler.durables}
        used |= {store.stream for store in self._letters.stores} | {self._retry_stream}
        return name in used or name.startswith("KV_GLAM_")

    def _notes(
        self, infos: Sequence[dict[str, Any]], handlers: Iterable[HandlerStatus]
    ) -> list[str]:
        notes = [
            f"letters lie in stream {store.stream}, which forgets them after "
            f"{store.max_age / 3600:g} h; `glam-worker plan` shows the move"
            for store in self._letters.stores
            if store.max_age
        ]
        if not any(info["config"]["name"] == self._retry_stream for info in infos):
            notes.append(f"there is no stream {self._retry_stream}: no worker has run here yet")
        if not self._letters.stores:
            notes.append(f"no stream holds {DLQ_SUBJECTS[0]}: a worker creates it at its start")
        notes += [
            f"nobody works {one.handler} of {one.service}, and "
            f"{counted(one.pending + one.pending_lane, 'event waits', 'events wait')}: start its "
            "worker"
            for one in handlers
            if one.workers == "none seen" and not one.paused and one.pending + one.pending_lane
        ]
        return notes


def _subjects(info: dict[str, Any]) -> tuple[str, ...]:
    return tuple(info["config"].get("subjects") or ())


def _stream(info: dict[str, Any]) -> StreamStatus:
    config, state = info["config"], info["state"]
    size, age = int(config.get("max_bytes") or -1), int(config.get("max_age") or 0)
    return StreamStatus(
        name=config["name"],
        subjects=_subjects(info),
        messages=int(state["messages"]),
        size=int(state["bytes"]),
        max_size=size if size > 0 else None,
        max_age=age / NS if age else None,
        replicas=int(config.get("num_replicas") or 1),
        trouble=tuple(_trouble(info)),
    )


def _trouble(info: dict[str, Any]) -> list[str]:
    cluster = info.get("cluster") or {}
    told = [] if not cluster or cluster.get("leader") else ["it has no leader"]
    for replica in cluster.get("replicas") or ():
        if replica.get("offline"):
            told.append(f"replica {replica['name']} is offline")
        elif not replica.get("current"):
            told.append(f"replica {replica['name']} is {replica.get('lag', 0)} behind")
    return told


def _handler(
    known: KnownHandler,
    subjects: dict[str, tuple[str, ...]],
    waiting: Counter[Owner],
    letters: Counter[Owner] | None,
) -> HandlerStatus:
    main, lanes, owner = known.of("main"), known.of("lane"), (known.service, known.name)
    drift = [
        problem
        for durable in known.durables
        for problem in shape_problems(durable, subjects.get(durable.stream, ()))
    ]
    drift += [] if main else ["it has no durable for its events"]
    drift += [] if lanes else ["it has no lane: retries and replays do not come"]
    return HandlerStatus(
        service=known.service,
        handler=known.name,
        stream=",".join(durable.stream for durable in main),
        subject=",".join(one for durable in main for one in filters_of(durable.info["config"])),
        pending=_sum(main, "num_pending"),
        pending_lane=_sum(lanes, "num_pending"),
        in_flight=_sum(known.durables, "num_ack_pending"),
        redelivered=_sum(known.durables, "num_redelivered"),
        parked=waiting[owner],
        letters=None if letters is None else letters[owner],
        last_activity=_last_activity(known.durables),
        workers=_workers(known.durables),
        paused_for=max((remaining(one.info) for one in known.durables), default=0.0),
        drift=tuple(drift),
        durables=known.durables,
    )


def _sum(durables: Iterable[Durable], field: str) -> int:
    return sum(int(durable.info.get(field) or 0) for durable in durables)


def _last_activity(durables: Iterable[Durable]) -> datetime | None:
    moments = [
        datetime.fromisoformat(told)
        for durable in durables
        for place in ("delivered", "ack_floor")
        if (told := (durable.info.get(place) or {}).get("last_active"))
    ]
    return max(moments, default=None)


def _workers(durables: Sequence[Durable]) -> Workers:
    if _sum(durables, "num_waiting"):
        return "pulling"
    return "busy" if _sum(durables, "num_ack_pending") else "none seen"


def _no_service(service: str, known: Sequence[KnownHandler]) -> str:
    names = sorted({one.service for one in known})
    if not names:
        return (
            f"there is no service {service}: no handler has a durable on this server. A worker "
            "makes them at its first start; look at --servers and the account"
        )
    return f"there is no service {service} on this server; there are: {', '.join(names)}"
