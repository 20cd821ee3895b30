"""Dead letters as they lie in their stream: reading one, walking through them, deleting one."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from glam_shared.messaging import JetStreamClient
from glam_shared.messaging.broker_errors import ApiError, NotFound
from glam_shared.messaging.dead_letter import DeadLetter
from glam_shared.messaging.wire import read_headers
from glam_worker.jetstream.consumers import nanoseconds


@dataclass(frozen=True, slots=True)
class StoredLetter:
    """A dead letter and its place, which is what a replay is named by."""

    stream: str
    created: int
    """When the stream was created, ns since the epoch: a sequence alone would name another letter
    in a stream that was deleted and made again."""
    sequence: int
    subject: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    @property
    def id(self) -> str:
        """What names it to every command: ``GLAM_DLQ:17``."""
        return f"{self.stream}:{self.sequence}"

    @property
    def record(self) -> DeadLetter:
        """What the letter says."""
        return DeadLetter.from_message(self.subject, self.headers, self.body)


class StoredLetters:
    """The letters of one stream. Everything raises BrokerError when the server does not answer."""

    def __init__(self, client: JetStreamClient, stream: str) -> None:
        self._client = client
        self.stream = stream

    async def created(self) -> int:
        """When the stream was created, ns since the epoch; raises NotFound without the stream."""
        answer = await self._client.api(f"STREAM.INFO.{self.stream}")
        return nanoseconds(answer["created"])

    async def get(self, sequence: int) -> StoredLetter | None:
        """The letter of this sequence; None where there is none."""
        return await self._read({"seq": sequence}, await self.created())

    async def all(self, subject: str = "dlq.>", first: int = 1) -> AsyncIterator[StoredLetter]:
        """The letters on ``subject``, from the sequence ``first`` on, oldest first."""
        created = await self.created()
        while letter := await self._read({"seq": first, "next_by_subj": subject}, created):
            yield letter
            first = letter.sequence + 1

    async def delete(self, letter: StoredLetter) -> bool:
        """Remove a letter whose event goes on elsewhere; False if it was gone, with its stream or
        without.

        It is marked as removed, which the server does a hundred times as fast as ``drop``.
        """
        return await self._remove(letter.created, {"seq": letter.sequence, "no_erase": True})

    async def drop(self, created: int, sequence: int) -> bool:
        """Remove a letter for good: the server writes random bytes over it, which takes
        milliseconds. False as for ``delete``."""
        return await self._remove(created, {"seq": sequence})

    async def _remove(self, created: int, which: dict[str, Any]) -> bool:
        try:
            if await self.created() != created:
                return False
            await self._client.api(f"STREAM.MSG.DELETE.{self.stream}", which)
        except NotFound:
            return False
        except ApiError:
            if await self.get(which["seq"]) is None:  # the server has no code for "gone already"
                return False
            raise
        return True

    async def holds(self, letter: StoredLetter) -> bool:
        """Whether the letter is still there, and the stream still the one it was read from."""
        try:
            present = await self.get(letter.sequence)
        except NotFound:
            return False
        return present is not None and present.created == letter.created

    async def _read(self, which: dict[str, Any], created: int) -> StoredLetter | None:
        try:
            answer = await self._client.api(f"STREAM.MSG.GET.{self.stream}", which)
        except NotFound:
            return None
        found = answer["message"]
        return StoredLetter(
            stream=self.stream,
            created=created,
            sequence=int(found["seq"]),
            subject=str(found["subject"]),
            headers=read_headers(base64.b64decode(found.get("hdrs") or "")),
            body=base64.b64decode(found.get("data") or ""),
        )
