"""What a worker found, made and refused when it started."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from glam_worker.declare.handler import Handler
from glam_worker.runtime.protocols import Way
from glam_worker.topology.drift import Drift
from glam_worker.topology.specs import ConsumerSpec


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

    @property
    def problem(self) -> str | None:
        """The same in one line; None where it may be pulled."""
        if not self.unsafe:
            return None
        said = ", ".join(drift.said for drift in self.unsafe)
        return (
            f"{self.unsafe[0].thing} has {said}; it is not pulled until `glam-worker apply`, see "
            "`glam-worker plan`"
        )


@dataclass(frozen=True, slots=True)
class Refused:
    """A way that is not worked: what it needs does not exist and must not be created."""

    spec: ConsumerSpec
    reason: str

    @property
    def handler(self) -> Handler:
        """Whose it is."""
        return self.spec.handler

    @property
    def way(self) -> Way:
        """The handler's events, or its lane."""
        return self.spec.way


@dataclass(slots=True)
class Ensured:
    """What the worker found and made at start."""

    consumers: list[EnsuredConsumer] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    created: list[str] = field(default_factory=list)
    drift: list[Drift] = field(default_factory=list)
    alarms: list[str] = field(default_factory=list)
    """What was there before, and was deleted."""
    notes: list[str] = field(default_factory=list)
    dlq_stream: str = ""

    def by_handler(self) -> defaultdict[int, list[EnsuredConsumer]]:
        """The durables of each handler, by its `id`: two, unless it was refused."""
        found: defaultdict[int, list[EnsuredConsumer]] = defaultdict(list)
        for consumer in self.consumers:
            found[id(consumer.spec.handler)].append(consumer)
        return found

    def refusals(self, handler: Handler) -> list[Refused]:
        """Why a handler is not worked."""
        return [refused for refused in self.refused if refused.handler is handler]
