"""What a plan says: what is to be done, what cannot be, and what is nobody's. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from glam_worker.topology.drift import Drift
from glam_worker.topology.specs import ConsumerSpec, StreamSpec

Action: TypeAlias = Literal["create", "update", "recreate", "move", "copy"]
Beginning: TypeAlias = Literal["floor", "new", "all"]


# --- steps: what is done, each of them whole or not at all, and harmless when done again ---


@dataclass(frozen=True, slots=True)
class CreateStream:
    """Create a stream."""

    spec: StreamSpec


@dataclass(frozen=True, slots=True)
class UpdateStream:
    """Change these fields of a stream's configuration, and no others."""

    name: str
    mend: dict[str, Any] = field(hash=False)


@dataclass(frozen=True, slots=True)
class CreateDurable:
    """Create a durable, in the place of the one that is there if ``anew``."""

    spec: ConsumerSpec
    begin: dict[str, Any] = field(hash=False)
    """Where it begins, as fields of its configuration."""
    anew: bool = False
    back: bool = False
    """Whether it goes back: the position of the one that is there is not to be trusted."""


@dataclass(frozen=True, slots=True)
class UpdateDurable:
    """Change these fields of a durable's configuration, and no others."""

    spec: ConsumerSpec
    mend: dict[str, Any] = field(hash=False)


@dataclass(frozen=True, slots=True)
class RecordDurable:
    """Take a durable that others made anew, or an ``apply`` that was interrupted, as it is."""

    spec: ConsumerSpec


@dataclass(frozen=True, slots=True)
class TakeOver:
    """Begin where handlers of former names were, work what they parked, and end them."""

    main: ConsumerSpec
    lane: ConsumerSpec
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MoveLetters:
    """Give dead letters a stream of their own, and copy into it those of a stream of events."""

    source: str
    target: StreamSpec


Step: TypeAlias = (
    CreateStream
    | UpdateStream
    | CreateDurable
    | UpdateDurable
    | RecordDurable
    | TakeOver
    | MoveLetters
)


# --- what is said ---


@dataclass(frozen=True, slots=True)
class Difference:
    """A field, before and after."""

    field: str
    found: str
    declared: str

    @classmethod
    def of(cls, drift: Drift) -> Difference:
        """A drift without its thing."""
        return cls(drift.field, drift.found, drift.declared)


@dataclass(frozen=True, slots=True)
class Change:
    """Something that ``apply`` does."""

    action: Action
    thing: str
    """``stream GLAM_DLQ``, ``consumer shop-place``, ``dead letters``."""
    step: Step = field(repr=False, compare=False)
    differences: tuple[Difference, ...] = ()
    why: str = ""
    handler: str | None = None


@dataclass(frozen=True, slots=True)
class Blocked:
    """Something that ``apply`` does not do by itself."""

    thing: str
    problem: str
    remedy: str
    stops: bool
    """Whether a handler is not worked because of it."""
    handler: str | None = None


@dataclass(frozen=True, slots=True)
class Orphan:
    """What a handler that is not declared any more has left."""

    service: str
    handler: str
    durables: tuple[str, ...]
    """Each with its stream: ``shop-old on GLAM_EVENTS``."""
    backlog: int
    oldest: float | None
    """Age in seconds of the oldest event that was not settled."""
    parked: int
    parked_oldest: float | None
    remedy: str
    worked: bool = False
    """Whether a worker pulls its events, which some other module declares."""


@dataclass(slots=True)
class Plan:
    """All of it, in the order in which it is done."""

    service: str
    changes: list[Change] = field(default_factory=list)
    blocked: list[Blocked] = field(default_factory=list)
    orphans: list[Orphan] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def pending(self) -> bool:
        """Whether something is to be done, by ``apply`` or by a decision."""
        return bool(self.changes or self.stopped)

    @property
    def stopped(self) -> list[Blocked]:
        """What keeps a handler from being worked, and needs a decision."""
        return [blocked for blocked in self.blocked if blocked.stops]

    def document(self) -> dict[str, Any]:
        """For programs; fields are added in later versions, none is removed."""
        return {
            "service": self.service,
            "pending": self.pending,
            "changes": [_change(change) for change in self.changes],
            "blocked": [
                {
                    name: getattr(one, name)
                    for name in ("thing", "handler", "problem", "remedy", "stops")
                }
                for one in self.blocked
            ],
            "orphans": [
                {
                    "handler": one.handler,
                    "durables": list(one.durables),
                    "backlog": one.backlog,
                    "oldest_seconds": one.oldest,
                    "parked": one.parked,
                    "parked_oldest_seconds": one.parked_oldest,
                    "remedy": one.remedy,
                }
                for one in self.orphans
            ],
            "notes": list(self.notes),
        }


def _change(change: Change) -> dict[str, Any]:
    return {
        "action": change.action,
        "thing": change.thing,
        "handler": change.handler,
        "why": change.why,
        "differences": [
            {"field": one.field, "found": one.found, "declared": one.declared}
            for one in change.differences
        ],
    }
