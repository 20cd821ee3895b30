"""Walks through a stream's messages, very many of them, without keeping more than a few.

With an ordered consumer (ADR-17) that is made for the walk and asked by pull requests of a bounded
number of messages and bytes. Of 100,000 letters that is twice as fast as Direct Get in batches
(ADR-31), which a stream must allow beside. The consumer acks nothing, is kept in memory, and is
forgotten by the server when nobody asks it any more.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import uuid
from collections import deque
from collections.abc import AsyncGenerator
from typing import Any, NamedTuple

from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError

from glam_shared.messaging import JetStreamClient, client_internals
from glam_shared.messaging.broker_errors import BrokerError, NoAnswer

_BATCH = 500
_BYTES = 8 << 20
"""Of a batch at most; or of the largest message there can be, if that is more."""
_SILENCE = 5.0
"""Seconds after which a request that was not answered is given up, and the walk taken up anew."""
_TRIES = 3
_FORGOTTEN = 300
"""Seconds after which the server forgets a consumer that nobody asks."""
_ACK = "$JS.ACK."


class BrowsedMessage(NamedTuple):
    """A message as it lies in its stream."""

    sequence: int
    subject: str
    stored_at: float
    """Seconds since the epoch."""
    headers: bytes
    """The block as it is stored (ADR-4); empty without headers."""
    body: bytes
    """Empty when only headers were asked for."""
    size: int
    """Bytes of headers and body."""


class _Walk:
    """One consumer, and what came of it. Closed by whoever opened it."""

    def __init__(self, client: JetStreamClient, stream: str, subject: str, *, bodies: bool) -> None:
        self._client = client
        self._stream = stream
        self._filter = subject
        self._bodies = bodies
        self._name = ""
        self._inbox = ""
        self._epoch = 0
        self._subscription: Subscription | None = None
        self._count = 0
        self._asked = 0
        """Messages that may come yet of the open request."""
        self._heard = asyncio.Event()
        self.arrived: deque[BrowsedMessage] = deque()
        self.ended = False
        """Whether the server said that there are no more."""
        self._broken: str | None = None

    async def open(self, first: int) -> None:
        """Begin at the sequence ``first``. Raises BrokerError."""
        await self.close()
        self.arrived.clear()
        self._count = self._asked = 0
        self._broken, self.ended = None, False
        self._name = f"glam-browse-{uuid.uuid4().hex}"
        body = {"stream_name": self._stream, "config": self._config(first), "action": "create"}
        await self._client.api(f"CONSUMER.CREATE.{self._stream}.{self._name}", body)
        await self._subscribe()

    def _config(self, first: int) -> dict[str, Any]:
        return {
            "name": self._name,
            "description": "glam-worker reads the stream",
            "ack_policy": "none",
            "deliver_policy": "by_start_sequence",
            "opt_start_seq": max(first, 1),
            "filter_subject": self._filter,
            "headers_only": not self._bodies,
            "inactive_threshold": _FORGOTTEN * 1_000_000_000,
            "mem_storage": True,
            "num_replicas": 1,
        }

    async def _subscribe(self) -> None:
        self._epoch, client = self._client.epoch, self._client.client
        self._inbox = client.new_inbox()
        try:
            self._subscription = await client.subscribe(self._inbox)
        except NatsError as error:
            raise BrokerError(f"cannot subscribe to {self._inbox}: {error}") from error
        client_internals.deliver_directly(self._subscription, self._take)

    async def close(self) -> None:
        """Leave nothing on the server, if it can be reached."""
        subscription, self._subscription = self._subscription, None
        if subscription is not None:
            with contextlib.suppress(NatsError):
                await subscription.unsubscribe()
            with contextlib.suppress(BrokerError):
                await self._client.api(f"CONSUMER.DELETE.{self._stream}.{self._name}", timeout=1.0)

    async def more(self) -> bool:
        """Wait until something arrived or the end is reached; False when the walk broke off."""
        while not (self.arrived or self.ended or self._broken):
            if self._epoch != self._client.epoch or not self._client.is_connected():
                return False
            if not self._asked:
                self._ask()
            self._heard.clear()
            try:
                async with asyncio.timeout(_SILENCE):
                    await self._heard.wait()
            except TimeoutError:
                return False
        return self._broken is None

    def _ask(self) -> None:
        self._asked = _BATCH
        limit = max(_BYTES, 2 * self._client.max_payload)
        request = json.dumps({"batch": _BATCH, "no_wait": True, "max_bytes": limit})
        prefix = "$JS.API" if self._client.domain is None else f"$JS.{self._client.domain}.API"
        subject = f"{prefix}.CONSUMER.MSG.NEXT.{self._stream}.{self._name}"
        command = f"PUB {subject} {self._inbox} {len(request)}\r\n{request}\r\n"
        client_internals.write(self._client.client, command.encode())

    def _take(self, subject: str, reply: str, body: bytes, block: bytes) -> None:
        self._heard.set()
        if not reply.startswith(_ACK):
            self._end_request(block)
            return
        tokens = reply.split(".")
        at = 5 if len(tokens) == 9 else 7
        self._count += 1
        self._asked -= 1
        if int(tokens[at + 1]) != self._count:
            self._broken = "a message is missing"
            return
        self.ended = tokens[at + 3] == "0"
        stored_at = int(tokens[at + 2]) * 1e-9
        size = len(block) + len(body)
        message = BrowsedMessage(int(tokens[at]), subject, stored_at, block, body, size)
        self.arrived.append(message)

    def _end_request(self, headers: bytes) -> None:
        status = headers[9:12]
        self._asked = 0
        if status == b"404":
            self.ended = True
        elif status not in (b"408", b"409") or b"Deleted" in headers:
            self._broken = headers.decode("utf-8", "replace")


async def browse(
    client: JetStreamClient, stream: str, subject: str, *, first: int = 1, bodies: bool = True
) -> AsyncGenerator[BrowsedMessage, None]:
    """The messages of ``stream`` on ``subject`` (a filter), from the sequence ``first`` on.

    In order and each once, over reconnects too. Ends where the stream ended when the last one was
    read. Without ``bodies`` only headers travel. Close it (``contextlib.aclosing``) when you leave
    early. Raises NotFound without the stream, other BrokerErrors when the server does not answer.
    """
    walk = _Walk(client, stream, subject, bodies=bodies)
    tries = 0
    try:
        await walk.open(first)
        while True:
            if await walk.more():
                tries = 0
            else:
                tries += 1
                if tries >= _TRIES:
                    raise NoAnswer(f"a request for messages of {stream}", _SILENCE)
                await walk.open(first)
                continue
            while walk.arrived:
                message = walk.arrived.popleft()
                first = message.sequence + 1
                yield message
            if walk.ended:
                return
    finally:
        await walk.close()
