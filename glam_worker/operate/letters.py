"""Finds dead letters: where they lie, all that are meant, or one."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass

from glam_shared.messaging import JetStreamClient
from glam_shared.messaging.broker_errors import NotFound
from glam_shared.messaging.wire import read_headers
from glam_shared.wording import counted
from glam_worker.errors import NotThereError, UsageError
from glam_worker.jetstream.browsing import BrowsedMessage, browse
from glam_worker.jetstream.consumers import nanoseconds
from glam_worker.jetstream.stored_letters import StoredLetter, StoredLetters
from glam_worker.operate.letter_filter import LetterFilter
from glam_worker.operate.letter_head import LetterHead, head_of, needs_body
from glam_worker.topology.specs import DLQ_SUBJECTS, NS

_SHOWN = 8
"""Letters that are named in a message."""


@dataclass(frozen=True, slots=True)
class LetterStore:
    """A stream with letters, as it was when it was looked at: what comes later does not count."""

    stream: str
    created: int
    """When it was created, ns since the epoch."""
    last: int
    """The last sequence."""
    max_age: float
    """Seconds after which it forgets a letter; 0: never."""


async def letter_stores(client: JetStreamClient) -> tuple[LetterStore, ...]:
    """The streams that hold ``dlq.>``, or a part of it: as a rule one, none on a new server."""
    answer = await client.api("STREAM.NAMES", {"subject": DLQ_SUBJECTS[0]})
    names = sorted(answer.get("streams") or ())
    return tuple(await asyncio.gather(*(_store(client, name) for name in names)))


async def _store(client: JetStreamClient, name: str) -> LetterStore:
    info = await client.api(f"STREAM.INFO.{name}")
    return LetterStore(
        stream=name,
        created=nanoseconds(info["created"]),
        last=int(info["state"]["last_seq"]),
        max_age=int(info["config"].get("max_age") or 0) / NS,
    )


async def heads(
    client: JetStreamClient, chosen: LetterFilter, stores: Sequence[LetterStore]
) -> AsyncGenerator[LetterHead, None]:
    """The letters that are meant, oldest first; each is read when it is asked for.

    Close it (``contextlib.aclosing``) when you leave early. Raises BrokerError.
    """
    now = client.server_time().timestamp()
    for store in stores:
        async with contextlib.aclosing(_heads_of(client, store, chosen)) as found:
            async for head in found:
                if chosen.admits(head, now):
                    yield head


async def _heads_of(
    client: JetStreamClient, store: LetterStore, chosen: LetterFilter
) -> AsyncGenerator[LetterHead, None]:
    """Headers only, up to the first letter that tells of itself in its body."""
    first, bodies = 1, False
    while first:
        walk = browse(client, store.stream, chosen.letter_subject, first=first, bodies=bodies)
        first = 0
        async with contextlib.aclosing(walk):
            async for message in walk:
                if message.sequence > store.last:
                    break
                if not bodies and needs_body(message):
                    first, bodies = message.sequence, True
                    break
                yield head_of(store.stream, message)


async def whole_letters(
    client: JetStreamClient, chosen: LetterFilter, stores: Sequence[LetterStore]
) -> AsyncGenerator[StoredLetter, None]:
    """The same letters with headers and body."""
    now = client.server_time().timestamp()
    for store in stores:
        walk = browse(client, store.stream, chosen.letter_subject)
        async with contextlib.aclosing(walk):
            async for message in walk:
                if message.sequence > store.last:
                    break
                if chosen.admits(head_of(store.stream, message), now):
                    yield _letter(store, message)


def _letter(store: LetterStore, message: BrowsedMessage) -> StoredLetter:
    return StoredLetter(
        stream=store.stream,
        created=store.created,
        sequence=message.sequence,
        subject=message.subject,
        headers=read_headers(message.headers),
        body=message.body,
    )


async def find_letter(client: JetStreamClient, letter_id: str) -> StoredLetter:
    """The letter of an id such as ``GLAM_DLQ:17``, or ``17`` where one stream has the letters.

    An event's id does, too, where one letter is about it.
    Raises UsageError for what is no id, NotThereError when there is no such letter.
    """
    stream, sequence = await _place_of(client, letter_id)
    try:
        letter = await StoredLetters(client, stream).get(sequence)
    except NotFound:
        raise NotThereError(
            f"letter {letter_id}: there is no stream {stream}; see `glam-worker dlq list --all`"
        ) from None
    if letter is None or not letter.subject.startswith("dlq."):
        raise NotThereError(
            f"letter {letter_id} is not there: it was replayed, dropped or never written; see "
            "`glam-worker dlq list --all`"
        )
    return letter


async def _place_of(client: JetStreamClient, letter_id: str) -> tuple[str, int]:
    stream, _, number = letter_id.rpartition(":")
    plain = number.isascii() and number.isdigit() and 0 < len(number) < 20
    if not plain or not int(number) or not _is_name(stream):
        return await _place_by_event(client, letter_id)
    if stream:
        return stream, int(number)
    stores = await letter_stores(client)
    if not stores:
        raise NotThereError(NO_STORE)
    if len(stores) > 1:
        names = [store.stream for store in stores]
        raise UsageError(
            f"letters lie in the streams {', '.join(names)}; write {names[0]}:{number}"
        )
    return stores[0].stream, int(number)


async def _place_by_event(client: JetStreamClient, event_id: str) -> tuple[str, int]:
    stores = await letter_stores(client)
    async with contextlib.aclosing(heads(client, LetterFilter(), stores)) as all_heads:
        found = [(one.stream, one.sequence) async for one in all_heads if one.event_id == event_id]
    if not found:
        raise UsageError(
            f"{event_id!r} is no letter's id, and no letter is about an event of that id; write it "
            "as `glam-worker dlq list --all` does, such as GLAM_DLQ:17"
        )
    if len(found) > 1:
        ids = ", ".join(f"{stream}:{sequence}" for stream, sequence in found[:_SHOWN])
        raise UsageError(
            f"{counted(len(found), 'letter')} are about event {event_id}; name one: {ids}"
        )
    return found[0]


def _is_name(stream: str) -> bool:
    """Whether a stream can be called so (or nothing is given)."""
    return not any(character in " .*>/\\" or not character.isprintable() for character in stream)


NO_STORE = (
    f"no stream on this server holds {DLQ_SUBJECTS[0]}, so there are no dead letters; a worker "
    "creates it at its first start. If there should be some, look at --servers and the account"
)
"""What there is to say where no stream holds letters."""
