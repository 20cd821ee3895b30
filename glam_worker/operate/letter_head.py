"""What a list tells of a letter: a few of its headers, read without reading the rest."""

from __future__ import annotations

from typing import NamedTuple

from glam_shared.messaging import headers as names
from glam_shared.messaging.dead_letter import DeadLetter, fingerprint
from glam_shared.messaging.foreign_subjects import read_subject
from glam_shared.messaging.headers import encoded_size
from glam_shared.messaging.wire import read_headers
from glam_worker.jetstream.browsing import BrowsedMessage
from glam_worker.jetstream.stored_letters import StoredLetter

_HANDLER = b"\r\n" + names.GLAM_HANDLER.encode() + b":"
_OURS = b"Glam-"
_BODY_SIZE = b"\r\n" + names.NATS_MSG_SIZE.encode() + b":"


class LetterHead(NamedTuple):
    """A letter in a list."""

    stream: str
    sequence: int
    failed_at: float
    """When the handler gave up, or else when the letter was stored; seconds since the epoch."""
    subject: str
    """The event's, not that of the letter."""
    service: str
    """Empty in a letter that names no handler, because no worker wrote it."""
    handler: str
    reason: str
    """``invalid``, ``rejected``, ``exhausted`` or ``crashed``; empty if it does not say."""
    error: str
    """The type of the error."""
    message: str
    group: str
    """The fingerprint: the same for failures of one kind."""
    attempts: int
    event_id: str
    replayed: bool
    """Whether it was replayed before, and failed again."""
    size: int
    """Bytes of headers and body."""

    @property
    def id(self) -> str:
        """What names it to every command: ``GLAM_DLQ:17``."""
        return f"{self.stream}:{self.sequence}"


def group_of(record: DeadLetter) -> str:
    """The fingerprint of a letter, made here for one that has none."""
    return record.fingerprint or fingerprint(
        record.service, record.handler, record.reason or "", record.error, record.message
    )


def needs_body(message: BrowsedMessage) -> bool:
    """Whether what there is to tell stands in the body: no worker wrote this letter."""
    return _HANDLER not in message.headers


def head_of(stream: str, message: BrowsedMessage) -> LetterHead:
    """The head of a letter; of one that ``needs_body``, as far as its body was read."""
    if needs_body(message):
        return _head_of_others(stream, message)
    told = _ours(message.headers)
    service, handler = _text(told, names.GLAM_SERVICE), _text(told, names.GLAM_HANDLER)
    reason, error = _text(told, names.GLAM_REASON), _text(told, names.GLAM_ERROR)
    said = _text(told, names.GLAM_ERROR_MESSAGE)
    return LetterHead(
        stream=stream,
        sequence=message.sequence,
        failed_at=_moment(_text(told, names.GLAM_FAILED_AT), message.stored_at),
        subject=read_subject(_text(told, names.GLAM_SUBJECT)) or message.subject,
        service=service,
        handler=handler,
        reason=reason,
        error=error,
        message=said,
        group=_text(told, names.GLAM_FINGERPRINT)
        or fingerprint(service, handler, reason, error, said),
        attempts=names.read_count(_text(told, names.GLAM_ATTEMPTS)) or 0,
        event_id=_text(told, names.GLAM_EVENT_ID),
        replayed=names.GLAM_REPLAYS.encode() in told,
        size=_size(message),
    )


def _moment(text: str, otherwise: float) -> float:
    moment = names.read_moment(text)
    return otherwise if moment is None else moment.timestamp()


def _size(message: BrowsedMessage) -> int:
    """With the body's, which the server tells of where it sends headers only."""
    if message.body:
        return message.size
    _, found, rest = message.headers.partition(_BODY_SIZE)
    told = rest[: rest.find(b"\r\n")].strip()
    return message.size + int(told) if found and told.isdigit() else message.size


def _ours(block: bytes) -> dict[bytes, bytes]:
    pairs = (line.partition(b":") for line in block.split(b"\r\n") if line.startswith(_OURS))
    return {name: value for name, _, value in pairs}


def _text(told: dict[bytes, bytes], name: str) -> str:
    return told.get(name.encode(), b"").decode("utf-8", "replace").strip()


def _head_of_others(stream: str, message: BrowsedMessage) -> LetterHead:
    """Of a letter by a service, or by an older one that gave it no header."""
    headers = read_headers(message.headers)
    record = DeadLetter.from_message(message.subject, headers, message.body)
    return _head(stream, message.sequence, record, message.stored_at, message.size)


def head_of_letter(letter: StoredLetter) -> LetterHead:
    """The head of a letter that was read as a whole."""
    size = encoded_size(letter.headers) + len(letter.body)
    return _head(letter.stream, letter.sequence, letter.record, 0.0, size)


def _head(
    stream: str, sequence: int, record: DeadLetter, stored_at: float, size: int
) -> LetterHead:
    return LetterHead(
        stream=stream,
        sequence=sequence,
        failed_at=record.failed_at.timestamp() if record.failed_at else stored_at,
        subject=record.subject,
        service=record.service,
        handler=record.handler,
        reason=record.reason or "",
        error=record.error,
        message=record.message,
        group=group_of(record),
        attempts=record.attempts,
        event_id=record.event_id,
        replayed=bool(record.replays),
        size=size,
    )
