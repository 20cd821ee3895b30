"""Which consumer a puller works, and whether it still is that one."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from weakref import WeakKeyDictionary

from glam_shared.messaging import JetStreamClient
from glam_shared.messaging.broker_errors import BrokerError, NotFound
from glam_worker.runtime.protocols import Way


@dataclass(frozen=True, slots=True)
class ConsumerRef:
    """A durable, and what tells it from another one of the same name."""

    way: Way
    stream: str
    durable: str
    stream_created: int
    """When the stream was created, ns since the epoch."""
    created: int
    """When the durable was created, ns since the epoch."""
    ack_wait: float
    """Seconds, as the server has it."""

    def same(self, stream: dict[str, Any], durable: dict[str, Any]) -> bool:
        """Whether the server speaks of this durable, by the times of creation."""
        found = nanoseconds(stream["created"]), nanoseconds(durable["created"])
        return found == (self.stream_created, self.created)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a look at the server said about a consumer."""

    ok: bool
    reason: str = ""
    gone: bool = False
    """Whether what we hold of it can never be settled again."""
    last: int = 0
    """The last sequence of its stream."""


def nanoseconds(timestamp: str) -> int:
    """The server's RFC 3339 time, which has up to nine digits, as ns since the epoch."""
    whole, _, rest = timestamp.partition(".")
    digits = ""
    for character in rest:
        if not character.isdigit():
            break
        digits += character
    zone = rest[len(digits) :] if rest else ""
    moment = datetime.fromisoformat(whole + zone)
    return int(moment.timestamp()) * 1_000_000_000 + int(digits.ljust(9, "0") or 0)


_about_to_ask: WeakKeyDictionary[JetStreamClient, dict[str, asyncio.Future[dict[str, Any]]]]
_about_to_ask = WeakKeyDictionary()


def _stream(client: JetStreamClient, name: str) -> asyncio.Future[dict[str, Any]]:
    """What the server says of a stream; whoever wants it in the same turn shares one question.

    After a reconnect each consumer of a worker is looked up, and all of them at once.
    """
    about = _about_to_ask.setdefault(client, {})
    if name not in about:
        about[name] = asyncio.ensure_future(client.api(f"STREAM.INFO.{name}"))
        # Once it is asked, the answer is too old for who wants it from then on.
        asyncio.get_running_loop().call_soon(about.pop, name)
    return asyncio.shield(about[name])


async def look_up(client: JetStreamClient, consumer: ConsumerRef) -> Verdict:
    """Whether ``consumer`` and its stream are the ones they were, by what the server says now."""
    try:
        stream, durable = await asyncio.gather(
            _stream(client, consumer.stream),
            client.api(f"CONSUMER.INFO.{consumer.stream}.{consumer.durable}"),
        )
    except NotFound as error:
        return Verdict(ok=False, reason=_missing(consumer, error), gone=True)
    except BrokerError as error:
        return Verdict(ok=False, reason=f"consumer {consumer.durable}: {error}")
    return _compared(consumer, stream, durable)


def _missing(consumer: ConsumerRef, error: NotFound) -> str:
    gone = f"consumer {consumer.durable} on stream {consumer.stream} is gone ({error.description})"
    if consumer.way == "lane":
        return (
            f"{gone}; the next start of a worker creates it, or `glam-worker apply MODULE...` now"
        )
    return (
        f"{gone}; it is never recreated by itself, because that would replay or skip events: "
        "see `glam-worker plan` and `glam-worker apply --recreate`"
    )


def _compared(consumer: ConsumerRef, stream: dict[str, Any], durable: dict[str, Any]) -> Verdict:
    for kind, name, found, known in (
        ("stream", consumer.stream, stream, consumer.stream_created),
        ("consumer", consumer.durable, durable, consumer.created),
    ):
        if nanoseconds(found["created"]) != known:
            reason = (
                f"{kind} {name} was deleted and created anew at {found['created']}; what was in "
                "hand belongs to the old one. It is pulled again once `glam-worker plan` has "
                "nothing to say about it; see there"
            )
            return Verdict(ok=False, reason=reason, gone=True)
    return Verdict(ok=True, last=int(stream["state"]["last_seq"]))
