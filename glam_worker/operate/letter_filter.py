"""Which letters are meant. Pure."""

from __future__ import annotations

from dataclasses import dataclass, fields

from glam_shared.messaging.dead_letter import letter_subject
from glam_worker.declare.filters import matches
from glam_worker.operate.letter_head import LetterHead


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterFilter:
    """All that is given must be so; nothing given means every letter."""

    service: str | None = None
    handler: str | None = None
    reason: str | None = None
    subject: str | None = None
    """The event's, or a filter of it with wildcards."""
    error: str | None = None
    """Part of the error's type or message, in any case."""
    group: str | None = None
    """A fingerprint, or how it begins."""
    older_than: float | None = None
    """Seconds since the handler gave up."""

    @property
    def empty(self) -> bool:
        """Whether it means every letter."""
        return all(getattr(self, one.name) is None for one in fields(self))

    @property
    def letter_subject(self) -> str:
        """The filter of letters' subjects that the server is given."""
        if self.subject is None:
            return "dlq.>"
        return "dlq.>" if self.subject == ">" else letter_subject(self.subject)

    def admits(self, head: LetterHead, now: float) -> bool:
        """Whether a letter is meant. ``now`` in seconds since the epoch."""
        return (
            self.service in (None, head.service)
            and self.handler in (None, head.handler)
            and self.reason in (None, head.reason)
            and (self.group is None or head.group.startswith(self.group))
            and (self.older_than is None or now - head.failed_at > self.older_than)
            and (self.error is None or self._is_error(head))
            and (self.subject is None or self._is_subject(head.subject))
        )

    def _is_error(self, head: LetterHead) -> bool:
        part = (self.error or "").casefold()
        return part in head.error.casefold() or part in head.message.casefold()

    def _is_subject(self, subject: str) -> bool:
        wanted = self.subject or ">"
        return matches(wanted, subject) or matches(wanted, letter_subject(subject))
