"""Tries what a worker does, so that nothing of it takes effect: is it allowed?

* requests of the API without the subject for an answer, which the server drops;
* an in-progress ack of a delivery that does not exist;
* messages for a stream of another name (``Nats-Expected-Stream``), which none stores.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass

from glam_shared.messaging import JetStreamClient, client_internals
from glam_shared.messaging.broker_errors import BrokerError, PermissionDenied, PublishRefused
from glam_shared.messaging.denials import names_of
from glam_shared.messaging.letter_parts import letter_subject
from glam_shared.messaging.wire import header_block, publish_command, subject_bytes
from glam_worker.doctor.snapshot import Durable, Snapshot, Tries
from glam_worker.topology.specs import wait_subject

_NOWHERE = "no.such.stream"
"""No stream can have a name with dots."""
_EXPECTED = "Nats-Expected-Stream"
_HEARD_WITHIN = 1.0
"""Seconds for a stream to refuse a message."""
_NO_DELIVERY = "1.0.0.1.0"
"""Deliveries, sequences, time and backlog of a delivery that cannot be: sequences begin at 1."""


@dataclass(frozen=True, slots=True)
class Try:
    """One publish."""

    subject: str
    purpose: str
    body: bytes = b"{"
    stored: bool = False
    """Whether a stream would take it, were it not for the stream expected."""
    permission: str = ""
    """The permission that it needs, where that is not the subject."""


async def tried(client: JetStreamClient, seen: Snapshot) -> Tries:
    """Which of a worker's requests are allowed. Raises BrokerError when the connection breaks."""
    tries = {one.subject: one async for one in worker_tries(client, seen)}
    if not tries:
        return Tries()
    denied: set[str] = set()
    unwatch = client.watch_denials(lambda denial: denied.add(denial.operation))
    try:
        for one in tries.values():
            _send(client, one)
        await _answered(client)
    finally:
        unwatch()
    refused = {s for s in tries if denied & {f"publish to {name}" for name in names_of(s)}}
    return Tries(
        allowed=tuple(subject for subject in tries if subject not in refused),
        denied=tuple((tries[s].permission or s, tries[s].purpose) for s in tries if s in refused),
        unheard=await _unheard(client, [s for s in tries if "$KV." in s and s not in refused]),
    )


async def _unheard(client: JetStreamClient, keys: Sequence[str]) -> tuple[str, ...]:
    """Keys that nobody listens to: a leaf node or an import may not pass them on."""
    heard = await asyncio.gather(*(_is_heard(client, key) for key in keys))
    return tuple(key for key, is_heard in zip(keys, heard, strict=True) if not is_heard)


async def _is_heard(client: JetStreamClient, key: str) -> bool:
    try:
        await client.publish_acked(
            key,
            b"",
            {_EXPECTED: _NOWHERE},
            msg_id=_NOWHERE,
            timeout=_HEARD_WITHIN,
            budget=_HEARD_WITHIN,
        )
    except PublishRefused:
        return True
    except BrokerError:
        if not client.is_connected():
            raise
        return False
    return True


async def worker_tries(client: JetStreamClient, seen: Snapshot) -> AsyncIterator[Try]:
    """What the workers of the durables do."""
    prefix = f"$JS.{client.domain}.API" if client.domain else "$JS.API"
    if not seen.ours:
        return
    letters = seen.letters_stream.name if seen.letters_stream else seen.names.letters
    needed = (seen.names.retry, letters, *(stream.name for stream in seen.kept()))
    streams = dict.fromkeys(needed)
    yield Try(f"{prefix}.STREAM.NAMES", "find the streams of its handlers")
    for stream in streams:
        yield Try(f"{prefix}.STREAM.INFO.{stream}", "look at its streams")
        yield Try(f"{prefix}.STREAM.MSG.GET.{stream}", "read one message by its place")
        if stream.startswith("KV_"):
            bucket = stream.removeprefix("KV_")
            keys = await client.keys_of(bucket)
            permission = f"{keys}.>"
            yield Try(
                f"{keys}.doctor", "write to its buckets", b"", stored=True, permission=permission
            )
    for durable in seen.ours:
        for one in _of(durable, prefix):
            yield one


def _of(durable: Durable, prefix: str) -> Iterator[Try]:
    place = f"{durable.stream}.{durable.name}"
    yield Try(f"{prefix}.CONSUMER.INFO.{place}", "look at its durables")
    yield Try(f"{prefix}.CONSUMER.MSG.NEXT.{place}", "ask for events")
    ack = f"$JS.ACK.{place}"
    yield Try(f"{ack}.{_NO_DELIVERY}", "settle deliveries", b"+WPI", permission=f"{ack}.>")
    if durable.owner is None:
        return
    service, handler, way = durable.owner
    if way == "main":
        letter = letter_subject(durable.filters[0])
        some = _concrete(letter)
        yield Try(some, "write dead letters", b"", stored=True, permission=letter)
    else:
        parked = wait_subject(service, handler, "doctor.0.0")
        permission = wait_subject(service, handler, ">")
        yield Try(parked, "park retries", b"", stored=True, permission=permission)


def _concrete(subject: str) -> str:
    """Some subject that the filter matches."""
    return ".".join("doctor" if token in ("*", ">") else token for token in subject.split("."))


def _send(client: JetStreamClient, one: Try) -> None:
    block = header_block({_EXPECTED: _NOWHERE}) if one.stored else b""
    command = publish_command(subject_bytes(one.subject), b"", block, one.body)
    client_internals.write(client.client, command)


async def _answered(client: JetStreamClient) -> None:
    """Wait for an answer to what is asked after: the server denies in order."""
    try:
        await client.api("STREAM.NAMES", {"subject": _NOWHERE})
    except PermissionDenied:
        return
    except BrokerError:
        if not client.is_connected():
            raise
