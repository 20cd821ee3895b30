"""Dead letters, as a test reads them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from glam_shared.messaging.dead_letter import DeadLetter
from glam_worker.testing.streams import StoredMessage


@dataclass(frozen=True, slots=True)
class Letter:
    """A message of the dead-letter stream."""

    subject: str
    """The letter's own: ``dlq.`` and the rest of the event's."""
    body: bytes
    """The event's bytes, untouched."""
    headers: Mapping[str, str]
    """All of them; ``about`` reads the runtime's own."""
    about: DeadLetter
    """What the headers say: reason, handler, attempts, error, the origin and more."""

    @property
    def reason(self) -> str | None:
        """``invalid``, ``rejected``, ``exhausted`` or ``crashed``."""
        return self.about.reason

    @property
    def handler(self) -> str:
        """The handler that gave the event up."""
        return self.about.handler

    @property
    def attempts(self) -> int:
        """Runs it had, the last included."""
        return self.about.attempts


def letter_of(message: StoredMessage) -> Letter:
    """The letter that a stored message is."""
    about = DeadLetter.from_message(message.subject, message.headers, message.body)
    return Letter(message.subject, message.body, message.headers, about)
