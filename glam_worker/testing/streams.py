"""Reads the messages that a stream keeps, one after the other, without a consumer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from glam_shared.messaging import JetStreamClient
from glam_shared.messaging.broker_errors import NotFound
from glam_worker.jetstream.stored_letters import StoredLetters
from glam_worker.testing.settled import Stored


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A message as it lies in a stream."""

    stored: Stored
    subject: str
    headers: Mapping[str, str]
    body: bytes


class StreamReader:
    """Reads a stream from its beginning; ``more`` goes on where the last call ended."""

    def __init__(self, client: JetStreamClient, stream: str) -> None:
        self._kept = StoredLetters(client, stream)
        self._next = 1

    async def more(self, subject: str = ">") -> list[StoredMessage]:
        """The messages on ``subject`` (a filter) that came since; none if there is no stream."""
        found = []
        try:
            async for one in self._kept.all(subject, self._next):
                stored = Stored(one.stream, one.sequence)
                found.append(StoredMessage(stored, one.subject, one.headers, one.body))
                self._next = one.sequence + 1
        except NotFound:
            return found
        return found
