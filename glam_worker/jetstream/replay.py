"""Replays dead letters: to the lane of the handler that failed, and to no other handler.

The order is what loses nothing: publish, await the PubAck, then delete the letter. The id of the
publish is made of the letter's place, so that a replay that was interrupted repeats itself, and a
letter that fails again is a new one.
"""

from __future__ import annotations

import base64
import hashlib
from datetime import datetime
from typing import Any

from glam_shared.messaging import JetStreamClient
from glam_shared.messaging import headers as names
from glam_shared.messaging.broker_errors import MessageTooLarge, NotFound
from glam_shared.messaging.dead_letter import DeadLetter
from glam_shared.messaging.foreign_subjects import subject_text
from glam_shared.messaging.past_failures import PastFailure, write_past
from glam_worker.errors import WorkerError
from glam_worker.jetstream.admin import JetStreamAdmin
from glam_worker.jetstream.consumers import nanoseconds
from glam_worker.jetstream.stored_letters import StoredLetter, StoredLetters
from glam_worker.topology.specs import due_subject, durable_of


class ReplayRefused(WorkerError):
    """A letter cannot be replayed as it is; it stays where it was."""

    def __init__(self, letter: StoredLetter, problem: str) -> None:
        self.letter = letter
        super().__init__(
            f"letter {letter.sequence} of {letter.stream} ({letter.subject}) {problem}"
        )


def replay_id(letter: StoredLetter) -> str:
    """The id of a letter's replay: the same for every try, another one for every letter."""
    text = "\0".join((letter.stream, str(letter.created), str(letter.sequence)))
    return hashlib.sha256(text.encode()).hexdigest()


def replay_headers(
    letter: StoredLetter, record: DeadLetter, edited_at: datetime | None = None
) -> dict[str, str]:
    """What the lane is told: the publisher's headers, the origin, and what the event went through.

    Without attempts, which start again at 1.
    """
    ours = {
        names.GLAM_SERVICE: record.service,
        names.GLAM_HANDLER: record.handler,
        names.GLAM_SUBJECT: subject_text(record.subject),
        names.GLAM_STREAM: record.stream,
        names.GLAM_STREAM_CREATED: _text(record.stream_created),
        names.GLAM_SEQUENCE: _text(record.sequence),
        names.GLAM_STORED_AT: names.moment_text(record.stored_at) if record.stored_at else "",
        names.GLAM_REPLAY_ID: replay_id(letter),
        names.GLAM_REPLAYS: write_past(_past(letter, record, edited_at)),
    }
    return dict(record.headers) | {name: value for name, value in ours.items() if value}


def _past(
    letter: StoredLetter, record: DeadLetter, edited_at: datetime | None
) -> tuple[PastFailure, ...]:
    """Every stay among the dead letters, this one included."""
    *before, now = record.past()
    told: dict[str, Any] = {"letter": letter.id}
    if edited_at is not None:
        digest = hashlib.sha256(letter.body).hexdigest()
        told |= {"edited_at": edited_at, "edited_from": digest}
    return (*before, now.model_copy(update=told))


class Replays:
    """Replays letters over one connection, with the retry stream of the workers."""

    def __init__(self, client: JetStreamClient, retry_stream: str = "GLAM_RETRY") -> None:
        self._client = client
        self._retry_stream = retry_stream
        self._lanes: set[str] = set()

    async def replay(self, letter: StoredLetter, edited: bytes | None = None) -> bool:
        """Publish to the handler's lane, then delete the letter; False if it was gone already.

        ``edited`` is a body to send in place of the letter's.

        Raises ReplayRefused for a letter that no handler of ours wrote, whose handler has no lane
        or whose body is gone, and BrokerError when it is not known to be stored: try it again then.
        """
        letters = StoredLetters(self._client, letter.stream)
        if not await letters.holds(letter):
            return False
        record = letter.record
        await self._check_lane(letter, record)
        if edited is None:
            await self._publish(
                letter, await self._body(letter, record), replay_headers(letter, record)
            )
        else:
            await self._publish_edited(letter, record, edited)
        await letters.delete(letter)
        return True

    async def _check_lane(self, letter: StoredLetter, record: DeadLetter) -> None:
        if not (record.service and record.handler):
            raise ReplayRefused(
                letter,
                "does not say which handler failed, because no worker of this kind wrote it; "
                f"publish its event to {record.subject} again, which all handlers will see",
            )
        if not await self.has_lane(record.service, record.handler):
            durable = durable_of(record.service, record.handler, "lane")
            raise ReplayRefused(
                letter,
                f"is of handler {record.handler} of service {record.service}, which has no lane "
                f"(consumer {durable} on stream {self._retry_stream}); start its worker first",
            )

    async def has_lane(self, service: str, handler: str) -> bool:
        """Whether a durable takes what is sent to this handler: its own lane, or that of a handler
        with another name by now."""
        due = due_subject(service, handler)
        if due not in self._lanes:
            durable = durable_of(service, handler, "lane")
            lane = await JetStreamAdmin(self._client).consumer(self._retry_stream, durable)
            if lane is None:
                return await self._is_taken_over(due)
            self._lanes.add(due)
        return True

    async def _is_taken_over(self, due: str) -> bool:
        try:
            infos = await JetStreamAdmin(self._client).consumers(self._retry_stream)
        except NotFound:
            return False
        taken = any(due in (info["config"].get("filter_subjects") or []) for info in infos)
        if taken:
            self._lanes.add(due)
        return taken

    async def _body(self, letter: StoredLetter, record: DeadLetter) -> bytes:
        """The event's bytes: the letter's, or those that stayed in the origin's stream."""
        if record.reference is None:
            return letter.body
        body = await self._origin(record)
        if body is None or hashlib.sha256(body).hexdigest() != record.reference.sha256:
            raise ReplayRefused(
                letter,
                f"has its body in stream {record.stream}, sequence {record.sequence}, and it is "
                "not there any more",
            )
        return body

    async def _origin(self, record: DeadLetter) -> bytes | None:
        try:
            stream = await self._client.api(f"STREAM.INFO.{record.stream}")
            if nanoseconds(stream["created"]) != record.stream_created:
                return None
            which = {"seq": record.sequence}
            found = await self._client.api(f"STREAM.MSG.GET.{record.stream}", which)
        except NotFound:
            return None
        return base64.b64decode(found["message"].get("data") or "")

    async def _publish_edited(self, letter: StoredLetter, record: DeadLetter, body: bytes) -> None:
        headers = replay_headers(letter, record, self._client.server_time())
        if await self._publish(letter, body, headers):
            raise ReplayRefused(
                letter,
                "was replayed a moment ago, by a command that was interrupted before it could "
                "remove the letter; the edited payload was not sent. Drop the letter, or edit it "
                "again if it comes back",
            )

    async def _publish(self, letter: StoredLetter, body: bytes, headers: dict[str, str]) -> bool:
        """Whether the lane had this replay already."""
        target = due_subject(headers[names.GLAM_SERVICE], headers[names.GLAM_HANDLER])
        try:
            ack = await self._client.publish_acked(target, body, headers, msg_id=replay_id(letter))
        except MessageTooLarge as error:
            raise ReplayRefused(
                letter, f"is too large for the server beside its headers: {error}"
            ) from error
        return ack.duplicate


def _text(number: int | None) -> str:
    return "" if number is None else str(number)
