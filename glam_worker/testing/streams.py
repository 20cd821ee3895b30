"""Reads the messages that a stream keeps, one after the other, without a consumer."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

from glam_shared.messaging import JetStreamClient
from glam_shared.messaging.broker_errors import NotFound
from glam_worker.testing.settled import Stored


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A message as it lies in a stream."""

    stored: Stored
    subject: str
    headers: dict[str, str]
    body: bytes


class StreamReader:
    """Reads a stream from its beginning; ``more`` goes on where the last call ended."""

    def __init__(self, client: JetStreamClient, stream: str) -> None:
        self._client = client
        self._stream = stream
        self._next = 1

    async def more(self, subject: str = ">") -> list[StoredMessage]:
        """The messages on ``subject`` (a filter) that came since; none if there is no stream."""
        found = []
        while (message := await self._message(subject)) is not None:
            found.append(message)
            self._next = message.stored.sequence + 1
        return found

    async def _message(self, subject: str) -> StoredMessage | None:
        wanted = {"seq": self._next, "next_by_subj": subject}
        try:
            answer = await self._client.api(f"STREAM.MSG.GET.{self._stream}", wanted)
        except NotFound:
            return None
        return _read(self._stream, answer["message"])


def _read(stream: str, message: dict[str, Any]) -> StoredMessage:
    return StoredMessage(
        Stored(stream, message["seq"]),
        message["subject"],
        _headers(base64.b64decode(message.get("hdrs", ""))),
        base64.b64decode(message.get("data", "")),
    )


def _headers(block: bytes) -> dict[str, str]:
    lines = block.decode("utf-8", "replace").split("\r\n")[1:]
    pairs = (line.partition(":") for line in lines if line)
    return {name.strip(): value.strip() for name, _, value in pairs}
