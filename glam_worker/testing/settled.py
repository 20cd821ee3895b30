"""What became of a delivery, as a test sees it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple, TypeAlias

from glam_worker.declare.outcomes import Reason
from glam_worker.runtime.protocols import Way

OutcomeName: TypeAlias = Literal["ack", "duplicate", "parked", "dead_letter", "handed_back"]


class Stored(NamedTuple):
    """Where the server keeps an event: what names one that has no event id."""

    stream: str
    sequence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """One settlement. Subject, stream and sequence are the origin's, on the lane too."""

    handler: str
    way: Way
    """``main`` for the first run, ``lane`` for those that were parked or replayed."""
    outcome: OutcomeName
    event_id: str | None
    """None for an event that could not be read."""
    subject: str
    stream: str
    sequence: int
    attempt: int
    """The number of this run, from 1 on."""
    ran: bool
    """Whether the handler was called."""
    delay: float | None = None
    """Seconds until the next run that were decided, before ``retry_delays`` shortens them."""
    reason: Reason | None = None
    """Why it is a dead letter."""
    error: BaseException | None = field(default=None, repr=False)
    """What the handler raised, or what was wrong with the bytes; None for a snooze."""
    seconds: float = 0.0
    """What the run took."""

    @property
    def final(self) -> bool:
        """Whether this handler is done with the event."""
        return self.outcome in ("ack", "duplicate", "dead_letter")

    @property
    def stored(self) -> Stored:
        """Where the event was first stored."""
        return Stored(self.stream, self.sequence)

    def __str__(self) -> str:
        told = f"{self.handler}: {self.outcome}, attempt {self.attempt} on {self.way}"
        if self.delay is not None:
            told += f", again in {self.delay:g} s"
        if self.reason is not None:
            told += f", {self.reason}"
        return told if self.error is None else f"{told}: {self.error!r}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A park or a letter that the broker did not take."""

    handler: str
    way: Way
    stored: Stored
    error: Exception
