"""Creates what is missing at start, leaves alone what exists, and says what differs."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any, Protocol

from glam_shared.messaging.broker_errors import ApiError
from glam_worker.declare.filters import covers, overlaps
from glam_worker.declare.handler import Handler
from glam_worker.declare.registry import Registry
from glam_worker.errors import TopologyError
from glam_worker.settings import Settings
from glam_worker.topology import specs
from glam_worker.topology.drift import (
    Drift,
    consumer_drift,
    retry_stream_problems,
    stream_drift,
)
from glam_worker.topology.specs import ConsumerSpec, StreamSpec

_NO_ROOM = (10047, 10023, 10028)
"""The server, or the account, has not the storage that the stream would reserve."""
_SUBJECTS_OVERLAP = 10065


class Admin(Protocol):
    """Reads and creates streams and consumers."""

    async def stream(self, name: str) -> dict[str, Any] | None: ...
    async def streams_holding(self, subject: str) -> list[str]: ...
    async def create_stream(self, config: dict[str, Any]) -> bool: ...
    async def consumer(self, stream: str, name: str) -> dict[str, Any] | None: ...
    async def create_consumer(self, stream: str, config: dict[str, Any]) -> bool: ...


@dataclass(frozen=True, slots=True)
class EnsuredConsumer:
    """A durable that exists."""

    spec: ConsumerSpec
    info: dict[str, Any]
    stream: dict[str, Any]
    drift: tuple[Drift, ...]

    @property
    def unsafe(self) -> tuple[Drift, ...]:
        """Why it must not be pulled."""
        return tuple(drift for drift in self.drift if drift.unsafe)


@dataclass(slots=True)
class Ensured:
    """What the worker found and made at start."""

    consumers: list[EnsuredConsumer] = field(default_factory=list)
    created: list[str] = field(default_factory=list)
    drift: list[Drift] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    dlq_stream: str = ""

    def of(self, handler: Handler) -> list[EnsuredConsumer]:
        """The two durables of a handler."""
        return [consumer for consumer in self.consumers if consumer.spec.handler is handler]


async def ensure(admin: Admin, registry: Registry, settings: Settings) -> Ensured:
    """Make sure that every stream and durable exists.

    Raises TopologyError where no worker can run: a subject that no stream holds, a retry stream
    that would lose what is parked on it.
    """
    return await _Ensuring(admin, settings).run(registry)


class _Ensuring:
    def __init__(self, admin: Admin, settings: Settings) -> None:
        self._admin = admin
        self._settings = settings
        self._result = Ensured()
        self._remembered = 0.0
        self._streams: dict[str, dict[str, Any]] = {}

    async def run(self, registry: Registry) -> Ensured:
        times = (handler.options.remembered_for or 0.0 for handler in registry.handlers)
        self._remembered = max(times, default=0.0)
        chosen = [(handler, await self._stream_of(handler)) for handler in registry.handlers]
        await self._own_streams({stream for _, stream in chosen})
        wanted = [
            spec
            for handler, stream in chosen
            for spec in (
                specs.main_consumer(handler, stream),
                specs.lane_consumer(handler, self._settings),
            )
        ]
        self._result.consumers = await asyncio.gather(*map(self._consumer, wanted))
        for consumer in self._result.consumers:
            self._result.drift.extend(consumer.drift)
        return self._result

    # --- streams ---

    async def _stream_of(self, handler: Handler) -> str:
        """The stream a handler consumes from, created if it is the events stream."""
        wanted = handler.options.stream
        holding = [wanted] if wanted else await self._admin.streams_holding(handler.subject)
        if not holding:
            spec = specs.events_stream(self._settings)
            if not any(covers(held, handler.subject) for held in spec.config["subjects"]):
                raise TopologyError(_no_stream(handler, spec))
            await self._stream(spec)
            holding = [spec.name]
        if len(holding) > 1:
            raise TopologyError(
                f"handler {handler.name} ({handler.where}): its subject {handler.subject!r} is "
                f"held by the streams {', '.join(sorted(holding))}; choose one with stream="
            )
        await self._holds(handler, holding[0])
        return holding[0]

    async def _holds(self, handler: Handler, name: str) -> None:
        info = await self._known(name)
        subjects = info["config"].get("subjects") or []
        if not any(overlaps(held, handler.subject) for held in subjects):
            raise TopologyError(
                f"handler {handler.name} ({handler.where}): stream {name} holds "
                f"{', '.join(subjects)}, not {handler.subject}; correct the subject or stream="
            )

    async def _known(self, name: str) -> dict[str, Any]:
        if name not in self._streams:
            ours = specs.events_stream(self._settings)
            look = self._stream(ours) if name == ours.name else self._admin.stream(name)
            info = await look
            if info is None:
                raise TopologyError(
                    f"stream {name} does not exist; create it, or correct stream= in the "
                    "declaration"
                )
            self._streams[name] = info
        return self._streams[name]

    async def _stream(self, spec: StreamSpec) -> dict[str, Any]:
        info = await self._admin.stream(spec.name)
        if info is None:
            if await self._created(spec):
                self._result.created.append(f"stream {spec.name}")
            info = await self._admin.stream(spec.name)
        if info is None:
            raise TopologyError(f"stream {spec.name} was created and is gone again")
        self._result.drift.extend(stream_drift(spec.config, info))
        self._streams[spec.name] = info
        return info

    async def _created(self, spec: StreamSpec) -> bool:
        try:
            return await self._admin.create_stream(spec.config)
        except ApiError as error:
            raise TopologyError(_cannot_create(spec, error)) from error

    async def _own_streams(self, events: set[str]) -> None:
        """The retry and the dead-letter stream, as safe as the events they serve."""
        configs = [(await self._known(name))["config"] for name in events]
        replicas = max((int(config.get("num_replicas", 1)) for config in configs), default=1)
        stored = {config.get("storage", "file") for config in configs}
        storage = "file" if "file" in stored or not stored else "memory"
        retry = await self._stream(specs.retry_stream(self._settings, replicas, storage))
        problems = retry_stream_problems(retry)
        if problems:
            raise TopologyError("\n".join(problems))
        self._result.dlq_stream = await self._dead_letters(replicas, storage)
        if self._remembered:
            claims = (specs.CLAIMS, self._remembered, self._settings, replicas, storage)
            await self._stream(specs.bucket(*claims))

    async def _dead_letters(self, replicas: int, storage: str) -> str:
        spec = specs.dlq_stream(self._settings, replicas, storage)
        holding = await self._admin.streams_holding(specs.DLQ_SUBJECTS[0])
        if not holding or holding == [spec.name]:
            await self._stream(spec)
            return spec.name
        name = holding[0]
        config = (await self._known(name))["config"]
        age = int(config.get("max_age", 0)) / specs.NS
        self._result.notes.append(
            f"dead letters lie in stream {name}, which holds dlq.> and keeps messages for "
            f"{age / 3600:g} h" + ("" if age else " (no limit)") + "; `glam-worker plan` shows "
            f"the move to {spec.name}"
        )
        return name

    # --- consumers ---

    async def _consumer(self, spec: ConsumerSpec) -> EnsuredConsumer:
        info = await self._admin.consumer(spec.stream, spec.durable)
        if info is None:
            if await self._admin.create_consumer(spec.stream, spec.config):
                self._result.created.append(f"consumer {spec.durable}")
            info = await self._admin.consumer(spec.stream, spec.durable)
        if info is None:
            raise TopologyError(f"consumer {spec.durable} was created and is gone again")
        drift = tuple(consumer_drift(spec, info))
        return EnsuredConsumer(spec, info, await self._known(spec.stream), drift)


def _cannot_create(spec: StreamSpec, error: ApiError) -> str:
    advice = "create it by other means, or correct the settings"
    if error.err_code in _NO_ROOM:
        room = spec.config.get("max_bytes", 0) / (1 << 20)
        advice = (
            f"the server reserves {room:.0f} MiB for it: lower GLAM_DLQ_MAX_BYTES, or raise the "
            "server's max_file_store"
        )
    elif error.err_code == _SUBJECTS_OVERLAP:
        held = ", ".join(spec.config["subjects"])
        advice = f"another stream holds part of {held}; name that stream with stream= or settings"
    return f"stream {spec.name} cannot be created: {error.description}; {advice}"


def _no_stream(handler: Handler, spec: StreamSpec) -> str:
    held = " and ".join(spec.config["subjects"])
    return (
        f"handler {handler.name} ({handler.where}): no stream holds the subject "
        f"{handler.subject!r}, and {spec.name} would hold {held} only; create a stream for it "
        "first, or correct the subject"
    )
