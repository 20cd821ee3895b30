"""What the server has, as far as a plan needs it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeAlias

from glam_worker.topology.records import DurableRecord

Owner: TypeAlias = tuple[str, str]
"""Service and handler."""
Durable: TypeAlias = tuple[str, str]
"""Stream and durable."""


@dataclass(frozen=True, slots=True)
class Parked:
    """Retries that wait for their time, or are due and were not taken."""

    count: int
    oldest: float | None
    """Age in seconds of the oldest; None where it is not known."""


@dataclass(frozen=True, slots=True)
class OldLetters:
    """Dead letters in a stream of events, where older services put them."""

    stream: str
    count: int
    held: bool
    """Whether the stream takes new ones still."""


@dataclass(slots=True)
class Observed:
    """Streams, durables, records and parked retries."""

    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    """By the server's clock."""
    places: dict[Owner, str] = field(default_factory=dict)
    """The stream of each handler."""
    streams: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What the server says of each stream that is there."""
    had: frozenset[str] = frozenset()
    """Streams that were there before."""
    consumers: dict[Durable, dict[str, Any]] = field(default_factory=dict)
    """What the server says of each durable on these streams, those of others too."""
    records: dict[Owner, DurableRecord] = field(default_factory=dict)
    parked: dict[Owner, Parked] = field(default_factory=dict)
    ages: dict[Durable, float] = field(default_factory=dict)
    """Age in seconds of the oldest event that an orphan has not settled."""
    letters_held_by: list[str] = field(default_factory=list)
    """The streams that take dead letters."""
    old_letters: OldLetters | None = None
    """Letters that are not where they belong."""

    def stream_config(self, name: str) -> dict[str, Any]:
        """The configuration of a stream; empty where there is none."""
        config: dict[str, Any] = self.streams.get(name, {}).get("config", {})
        return config
