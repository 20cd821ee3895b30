"""What a publisher has done so far; metrics read it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class PublishStats:
    """Counters that only grow."""

    published: int = 0
    """Events with a PubAck, duplicates included."""
    failed: int = 0
    """Events not known to be stored."""
    duplicates: int = 0
    """Events the stream had already when they were sent for the first time."""
    seconds: float = 0.0
    """Time spent on `published` and `failed`, one by one or, for many at once, in all."""
