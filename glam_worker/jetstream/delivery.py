"""A delivery as JetStream hands it out: the only module that says ack, nak and in-progress.

The reply subject names it (https://docs.nats.io/reference/reference-protocols/nats_api_reference,
"$JS.ACK"): ``$JS.ACK.<stream>.<consumer>.<deliveries>.<stream seq>.<consumer seq>.<ns>.<pending>``
or, with domain and account, the same behind two more tokens (ADR-15).
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Protocol

from glam_shared.messaging import headers as names
from glam_shared.messaging.foreign_subjects import read_subject
from glam_shared.messaging.wire import read_headers
from glam_worker.jetstream.consumers import ConsumerRef
from glam_worker.jetstream.outbox import Outbox
from glam_worker.runtime.protocols import Way

NAK = "-NAK"
IN_PROGRESS = "+WPI"


class Tells(Protocol):
    """Where settlements of one consumer go, while it is known to be the one they belong to."""

    way: Way
    consumer: ConsumerRef
    stream: str
    created: int
    """When the stream was created, in ns since the epoch: its carriers are named by it."""
    ack_wait: float
    outbox: Outbox

    @property
    def live(self) -> bool:
        """Whether the connection is up and the consumer was verified on it."""

    @property
    def keeps(self) -> bool:
        """Whether leases are kept: while live, and while it is verified after a stand-still.

        The keeper looks at the consumer itself.
        """

    async def wait_live(self) -> bool:
        """True as soon as live; False when the consumer is gone for good."""


class JetStreamDelivery:
    """One message in hand. Settles once: a second ack or hand-back is harmless."""

    __slots__ = (
        "_block",
        "_headers",
        "_reply",
        "_sequence",
        "_settled",
        "_source",
        "_token",
        "backlog",
        "counted",
        "data",
        "first",
        "kept",
        "origin_created",
        "received",
        "renewed",
        "size",
        "stored_at",
        "stream",
        "subject",
        "way",
    )

    kept: bool
    """Set, by the keeper's thread, once the lease keeper has renewed it or is about to."""

    def __init__(
        self, source: Tells, subject: str, reply: str, body: bytes, block: bytes, now: float
    ) -> None:
        tokens = reply.rsplit(".", 5) if reply.count(".") == 8 else reply.split(".")[5:]
        self._source = source
        self._reply = reply
        self._block = block
        self._headers: dict[str, str] | None = None
        self._settled = False
        self._sequence: int | None = None
        self.data = body
        self.size = len(body)
        self.received = self.renewed = now
        self.first = tokens[1] == "1"
        self._token = tokens[2]
        self.stored_at = int(tokens[4]) * 1e-9
        self.backlog = tokens[5] != "0"
        self.subject = subject
        self.stream = source.stream
        self.origin_created = source.created
        self.counted = 0
        self.way = source.way
        if self.way == "lane":
            self._read_origin(self.raw_headers)

    def _read_origin(self, headers: Mapping[str, str]) -> None:
        """What the parked message says of the origin: believed on the lane only."""
        said = headers.get(names.GLAM_SUBJECT)
        self.subject = self.subject if said is None else read_subject(said)
        self.stream = headers.get(names.GLAM_STREAM, self.stream)
        self.origin_created = _count(headers.get(names.GLAM_STREAM_CREATED), self.origin_created)
        self._sequence = names.read_count(headers.get(names.GLAM_SEQUENCE))
        moment = names.read_moment(headers.get(names.GLAM_STORED_AT))
        if moment is not None:
            self.stored_at = moment.timestamp()
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
    def consumer(self) -> ConsumerRef:
        """Whose delivery it is."""
        return self._source.consumer

    @property
    def raw_headers(self) -> Mapping[str, str]:
        """All headers as they came; most events are worked without looking at them."""
        if self._headers is None:
            self._headers = read_headers(self._block)
        return self._headers

    @property
    def bodiless(self) -> bool:
        """Whether the server held its body back (``headers_only``): it tells the size instead."""
        return not self.data and self.raw_headers.get(names.NATS_MSG_SIZE, "0") != "0"

    @property
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
        self._source.outbox.ack(self._reply)
        return True

    async def acked(self) -> bool:
        """``ack`` as soon as it is safe. A late ack is fine: it completes the message."""
        while not self.ack():
            if not await self._source.wait_live():
                return False
        return True

    def acked_before(self) -> bool:
        """Whether it was acked by this process, in a delivery before this one."""
        source = self._source
        return source.outbox.has_acked(source.stream, source.consumer.durable, self._reply)

    def hand_back(self, delay: float = 0.0) -> bool:
        """Let another worker have it; never past its lease, when it may have another owner."""
        held = time.monotonic() - self.renewed < self._source.ack_wait
        if self._settled or not held or not self._source.live:
            return False
        self._settled = True  # before ``kept`` is looked at: see ``sign_of_life``
        if delay > 0 and getattr(self, "kept", False):
            self._source.outbox.send_after_keeper(self._reply, _nak(delay))
        else:
            self._source.outbox.send(self._reply, _nak(delay))
        return True

    def sign_of_life(self) -> tuple[str, str] | None:
        """What the lease keeper is to send, from its thread; None when nothing must leave.

        An in-progress ack that overtakes a delayed nak brings the message back early. Either this
        sees that the delivery is settled, or the nak sees ``kept`` and goes the keeper's way.
        """
        self.kept = True
        if self._settled or not self._source.keeps:
            return None
        return self._reply, IN_PROGRESS

    def renew(self, now: float) -> None:
        """Start ``ack_wait`` anew at the server."""
        if self._source.live and not self._settled:
            self.renewed = now
            self._source.outbox.send(self._reply, IN_PROGRESS)


def _nak(delay: float) -> str:
    return f'{NAK} {{"delay": {int(delay * 1e9)}}}' if delay > 0 else NAK


def _count(text: str | None, default: int) -> int:
    count = names.read_count(text)
    return default if count is None else count
