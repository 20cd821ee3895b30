"""Like failures, counted together."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from glam_worker.operate.letter_head import LetterHead

MOST_GROUPS = 5_000
"""Kinds of failures that are told apart; letters of further ones are counted as ``others``."""


@dataclass(slots=True)
class LetterGroup:
    """Letters of one handler that failed alike."""

    service: str
    handler: str
    reason: str
    group: str
    """The fingerprint."""
    example: LetterHead
    """The latest."""
    first_seen: float
    last_seen: float
    """Seconds since the epoch."""
    count: int = 0
    size: int = 0
    """Bytes."""
    replayed: int = 0
    """How many were replayed before, and failed again."""

    def add(self, head: LetterHead) -> None:
        """Count one more."""
        self.count += 1
        self.size += head.size
        self.replayed += head.replayed
        self.first_seen = min(self.first_seen, head.failed_at)
        if head.failed_at >= self.last_seen:
            self.last_seen, self.example = head.failed_at, head


@dataclass(slots=True)
class Grouped:
    """All letters that were meant, in groups, the largest first."""

    groups: list[LetterGroup] = field(default_factory=list)
    letters: int = 0
    size: int = 0
    """Bytes."""
    others: int = 0
    """Letters of kinds beyond the first ``MOST_GROUPS``."""


async def grouped(letters: AsyncIterator[LetterHead]) -> Grouped:
    """Count letters by service, handler, reason and fingerprint. Keeps groups, and no letters."""
    found: dict[tuple[str, str, str, str], LetterGroup] = {}
    whole = Grouped()
    async for head in letters:
        whole.letters += 1
        whole.size += head.size
        key = (head.service, head.handler, head.reason, head.group)
        group = found.get(key)
        if group is None:
            if len(found) >= MOST_GROUPS:
                whole.others += 1
                continue
            group = found[key] = LetterGroup(*key, head, head.failed_at, head.failed_at)
        group.add(head)
    whole.groups = sorted(found.values(), key=lambda one: (-one.count, -one.last_seen))
    return whole
