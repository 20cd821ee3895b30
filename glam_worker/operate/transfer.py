"""Letters as lines of JSON, and back. Bodies are kept byte for byte."""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import json
import re
import uuid
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

from glam_shared.messaging import JetStreamClient
from glam_shared.messaging.broker_errors import NotFound, NotSendable
from glam_shared.messaging.wire import header_block, subject_bytes
from glam_worker.errors import UsageError
from glam_worker.jetstream.stored_letters import StoredLetter, StoredLetters
from glam_worker.operate.paced import for_each
from glam_worker.operate.working_off import Progress

_STREAM = re.compile(r"[A-Za-z0-9_-]+")
_SERVERS_OWN = "nats-"
"""Headers that act on the server, or name one publish of another stream: they are not carried."""


@dataclass(frozen=True, slots=True)
class ImportedLetter:
    """A letter as it is to be stored."""

    subject: str
    headers: Mapping[str, str]
    body: bytes
    msg_id: str
    """The same for one exported letter, so that what is imported twice is stored once."""
    exported: str
    """The letter's id when it was exported, such as ``GLAM_DLQ:17``."""
    created: int
    """When its stream was created, ns since the epoch."""


def export_line(letter: StoredLetter) -> str:
    """A letter as one line, without its end. The body is text where it is UTF-8."""
    told: dict[str, Any] = {
        "letter": letter.id,
        "stream_created": letter.created,
        "subject": letter.subject,
        "headers": dict(letter.headers),
    }
    try:
        told["body"] = letter.body.decode()
    except UnicodeDecodeError:
        told["body_base64"] = base64.b64encode(letter.body).decode()
    return json.dumps(told, ensure_ascii=True)


def read_line(number: int, line: bytes) -> ImportedLetter:
    """The letter of a line. Raises UsageError, which names the line."""
    try:
        told = json.loads(line)
        headers = {
            str(name): str(value)
            for name, value in told["headers"].items()
            if not str(name).lower().startswith(_SERVERS_OWN)
        }
        subject, body = str(told["subject"]), _body(told)
        exported, created = str(told["letter"]), int(told["stream_created"])
        named = f"{exported}\0{created}"
        subject_bytes(subject)
        header_block(headers)
    except NotSendable as error:
        raise UsageError(f"line {number}: {error}") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise UsageError(
            f"line {number} is no letter; each line must be one of `glam-worker dlq export`"
        ) from None
    if not subject.startswith("dlq."):
        raise UsageError(f"line {number} is no dead letter: its subject is {subject!r}")
    digest = hashlib.sha256(f"import\0{named}".encode("utf-8", "replace")).hexdigest()
    return ImportedLetter(subject, headers, body, digest, exported, created)


def _body(told: Mapping[str, Any]) -> bytes:
    if "body" in told:
        text: str = told["body"]
        return text.encode()
    try:
        return base64.b64decode(told["body_base64"], validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from None


async def import_letters(
    client: JetStreamClient, letters: AsyncIterator[ImportedLetter], progress: Progress
) -> None:
    """Store letters; ``progress.gone`` counts those that are there: they were never removed, or
    were imported before.

    Interrupted, it can be run again within the stream's duplicate window (30 min). Raises
    BrokerError when a letter is not known to be stored, and what the iterator raises.
    """

    async def store(letter: ImportedLetter) -> None:
        progress.count(there=await _stored(client, letter))
        progress.changed()

    await for_each(letters, store)


async def _stored(client: JetStreamClient, letter: ImportedLetter) -> bool:
    """Whether it was stored now; False if it lies there, still or since a former import."""
    if await _was_kept(client, letter):
        return False
    message = (letter.subject, letter.body, letter.headers)
    ack = await client.publish_acked(*message, msg_id=letter.msg_id)
    if not ack.duplicate:
        return True
    if await StoredLetters(client, ack.stream).get(ack.seq) is not None:
        return False
    await client.publish_acked(*message, msg_id=f"{letter.msg_id}-{uuid.uuid4().hex}")
    return True


async def _was_kept(client: JetStreamClient, letter: ImportedLetter) -> bool:
    """Whether the exported letter is where it was."""
    stream, _, number = letter.exported.rpartition(":")
    if not (_STREAM.fullmatch(stream) and number.isascii() and number.isdigit()):
        return False
    with contextlib.suppress(NotFound):
        there = await StoredLetters(client, stream).get(int(number))
        return there is not None and there.created == letter.created
    return False
