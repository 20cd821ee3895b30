"""What a stream has dropped of a durable's events before they were handled. Pure.

The server tells nobody which events left by age, limit or purge. Two looks at its numbers bound
from below how many of those that waited are gone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from glam_worker.topology.specs import filters_of


@dataclass(frozen=True, slots=True)
class Position:
    """How far a durable is, at one look."""

    created: str
    filters: tuple[str, ...]
    delivered: int
    """Deliveries so far, those of one event again included."""
    waiting: int
    """Events that were never handed out."""

    @classmethod
    def of(cls, info: dict[str, Any]) -> Position:
        """As the server tells it (``CONSUMER.INFO``)."""
        delivered = info.get("delivered") or {}
        return cls(
            info["created"],
            tuple(sorted(filters_of(info["config"]))),
            int(delivered.get("consumer_seq", 0)),
            int(info.get("num_pending", 0)),
        )


def dropped_between(before: Position, now: Position) -> int:
    """Events, at least, that were dropped while they waited: fewer wait than were handed out since.

    What was published meanwhile hides as many. 0 for another durable, or one that began anew.
    """
    same = (before.created, before.filters) == (now.created, now.filters)
    if not same or now.delivered < before.delivered:
        return 0
    return max(0, before.waiting - now.waiting - (now.delivered - before.delivered))


def begins(stream: dict[str, Any]) -> int:
    """The first sequence that the stream has; 0 where what is gone may have been handled.

    Only ``retention: limits`` drops without regard to consumers: of others, an ack removes events.
    """
    if stream["config"].get("retention", "limits") != "limits":
        return 0
    return int(stream["state"].get("first_seq", 0))
