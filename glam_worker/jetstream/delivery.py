"""A delivery as JetStream hands it out: the only module that says ack, nak and in-progress.

The reply subject names it (https://docs.nats.io/reference/reference-protocols/nats_api_reference,
"$JS.ACK"): ``$JS.ACK.<stream>.<consumer>.<deliveries>.<stream seq>.<consumer seq>.<ns>.<pending>``
or, with domain and account, the same behind two more tokens (ADR-15).
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import cached_property
from typing import Protocol

from nats.aio.msg import Msg

from glam_shared.messaging import headers as names
from glam_worker.runtime.protocols import Way

NAK = "-NAK"
IN_PROGRESS = "+WPI"


class Tells(Protocol):
    """Where settlements of one consumer go, while it is known to be the one they belong to."""

    way: Way
    stream: str
    created: int
    """When the stream was created, in ns since the epoch: its carriers are named by it."""
    ack_wait: float

    @property
    def live(self) -> bool:
        """Whether the connection is up and the consumer was verified on it."""

    def tell(self, reply: str, body: str) -> None:
        """Send now; call only while live."""

    async def wait_live(self) -> bool:
        """True as soon as live; False when the consumer is gone for good."""


class JetStreamDelivery:
    """One message in hand. Settles once: a second ack or hand-back is harmless."""

    __slots__ = (
        "__dict__",
        "_msg",
        "_sequence",
        "_settled",
        "_source",
        "_token",
        "backlog",
        "counted",
        "data",
        "first",
        "origin_created",
        "received",
        "renewed",
        "size",
        "stored_at",
        "stream",
        "subject",
        "way",
    )

    def __init__(self, msg: Msg, source: Tells) -> None:
        tokens = msg.reply.split(".")
        self._msg = msg
        self._source = source
        self._settled = False
        self.data = msg.data
        self.size = len(msg.data)
        self.received = self.renewed = time.monotonic()
        self.way = source.way
        self.backlog = tokens[-1 if len(tokens) == 9 else -2] != "0"
        first = 4 if len(tokens) == 9 else 6
        self.first = tokens[first] == "1"
        self._token = tokens[first + 1]
        if self.way == "main":
            self.subject = msg.subject
            self.stream = source.stream
            self.origin_created = source.created
            self._sequence: int | None = None
            self.stored_at = int(tokens[first + 3]) * 1e-9
            self.counted = 0
        else:
            self._read_origin(msg.headers or {}, tokens[first + 3])

    def _read_origin(self, headers: Mapping[str, str], stored: str) -> None:
        """What the parked message says of the origin: believed on the lane only."""
        self.subject = headers.get(names.GLAM_SUBJECT, self._msg.subject)
        self.stream = headers.get(names.GLAM_STREAM, self._source.stream)
        self.origin_created = _count(headers.get(names.GLAM_STREAM_CREATED), self._source.created)
        self._sequence = names.read_count(headers.get(names.GLAM_SEQUENCE))
        moment = names.read_moment(headers.get(names.GLAM_STORED_AT))
        self.stored_at = int(stored) * 1e-9 if moment is None else moment.timestamp()
        self.counted = _count(headers.get(names.GLAM_ATTEMPTS), 0)

    @property
    def carrier_sequence(self) -> int:
        """The sequence of this message in its own stream."""
        return int(self._token)

    @property
    def sequence(self) -> int:
        """The origin's sequence in its stream."""
        return self.carrier_sequence if self._sequence is None else self._sequence

    @property
    def raw_headers(self) -> Mapping[str, str]:
        """All headers as they came."""
        return self._msg.headers or {}

    @cached_property
    def headers(self) -> Mapping[str, str]:
        """The publisher's headers."""
        return names.user_headers(self.raw_headers)

    @property
    def carrier(self) -> str:
        """This message, as subject tokens: stream, its ``created`` in ns, sequence."""
        return f"{self._source.stream}.{self._source.created}.{self._token}"

    @property
    def origin(self) -> str:
        """The message in which the event was first published, in the same form."""
        return f"{self.stream}.{self.origin_created}.{self.sequence}"

    @property
    def replay_id(self) -> str | None:
        """Which replay on purpose this is; believed on the lane only."""
        return self.raw_headers.get(names.GLAM_REPLAY_ID) if self.way == "lane" else None

    def ack(self) -> bool:
        """Say that it is done with; False while the consumer is not known to be ours."""
        if self._settled:
            return True
        if not self._source.live:
            return False
        self._settled = True
        self._source.tell(self._msg.reply, "")
        return True

    async def acked(self) -> bool:
        """``ack`` as soon as it is safe. A late ack is fine: it completes the message."""
        while not self.ack():
            if not await self._source.wait_live():
                return False
        return True

    def hand_back(self, delay: float = 0.0) -> bool:
        """Let another worker have it; never past its lease, when it may have another owner."""
        held = time.monotonic() - self.renewed < self._source.ack_wait
        if self._settled or not held or not self._source.live:
            return False
        self._settled = True
        self._source.tell(self._msg.reply, _nak(delay))
        return True

    def renew(self, now: float) -> None:
        """Start ``ack_wait`` anew at the server."""
        if self._source.live and not self._settled:
            self.renewed = now
            self._source.tell(self._msg.reply, IN_PROGRESS)


def _nak(delay: float) -> str:
    return f'{NAK} {{"delay": {int(delay * 1e9)}}}' if delay > 0 else NAK


def _count(text: str | None, default: int) -> int:
    count = names.read_count(text)
    return default if count is None else count
