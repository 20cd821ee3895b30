"""Publishing that ends with the stream's word that it has the message."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from glam_shared.messaging.backoff import reconnect_delay
from glam_shared.messaging.broker_errors import (
    BrokerError,
    BulkFailed,
    ConnectionLost,
    MessageTooLarge,
    NoAnswer,
    NobodyListens,
    PublishFailed,
    PublishRefused,
    StoredElsewhere,
)
from glam_shared.messaging.connection import Connection
from glam_shared.messaging.domain import Domain
from glam_shared.messaging.headers import NATS_MSG_ID
from glam_shared.messaging.publish_ack import PubAck, heals_by_waiting, read_ack
from glam_shared.messaging.reply_mux import Question, ReplyMux
from glam_shared.messaging.wire import header_block
from glam_shared.wording import counted

_PASSING = (NoAnswer, NobodyListens, ConnectionLost, StoredElsewhere)
_ANOTHER_WITHIN = 1.0
"""Seconds for a domain's PubAck after a refusal, which does not say which domain it is of."""


class Message:
    """What is to be stored. `headers` hold the message id, by which the stream knows doubles.

    Raises NotSendable for the name of a header that is none.
    """

    __slots__ = ("block", "body", "headers", "size", "subject")

    def __init__(self, subject: str, body: bytes, headers: Mapping[str, str]) -> None:
        self.subject = subject
        self.body = body
        self.headers = headers
        self.block = header_block(headers)
        """The headers as they are sent."""
        self.size = len(body) + len(self.block)
        """Bytes that count for the server's limit."""

    @property
    def msg_id(self) -> str:
        """The id of `Nats-Msg-Id`."""
        return self.headers[NATS_MSG_ID]


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for a PubAck, in seconds."""

    timeout: float = 5.0
    """The first try; each later one waits as much longer, for a broker that is only slow."""
    budget: float = 30.0
    """All tries together: longer than an election takes (about 9 s)."""


DEFAULT_PATIENCE = Patience()


class AckedPublisher:
    """Publishes one message, or many at once, until the stream has them.

    * The size is checked before anything is sent: the server answers a message that is too large
      by closing the connection.
    * The same message id goes with every try, so that no reconnect stores a message twice.
    * Where a JetStream domain is wanted, only its own PubAck counts.
    """

    def __init__(self, connection: Connection, mux: ReplyMux, domain: Domain) -> None:
        self._connection = connection
        self._mux = mux
        self._domain = domain

    async def publish(self, message: Message, patience: Patience = DEFAULT_PATIENCE) -> PubAck:
        """Publish and try again until the PubAck comes or the budget is spent.

        Raises MessageTooLarge, PublishRefused and PermissionDenied at once, PublishFailed when
        the budget is spent: then the message may have been stored or not.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + patience.budget
        tries, trouble = 0, None
        while (left := deadline - loop.time()) > 0 and await self._connection.wait_up(left):
            tries += 1
            try:
                left = max(deadline - loop.time(), 0.0)
                return await self._try(message, tries, min(patience.timeout * tries, left))
            except (*_PASSING, PublishRefused) as error:
                if isinstance(error, PublishRefused) and not heals_by_waiting(error):
                    raise
                trouble = error
            await self._pause(trouble, tries, deadline - loop.time())
        raise self._failed(message, tries, trouble, patience.budget)

    async def publish_all(
        self,
        messages: Iterable[Message],
        stored: Callable[[PubAck], None],
        *,
        in_flight: int,
        patience: Patience = DEFAULT_PATIENCE,
    ) -> int:
        """Publish *messages*, at most *in_flight* of them unanswered; the number of them.

        *stored* is called for each PubAck, in order. Nothing more is sent after the first
        failure; what is in flight is seen through, and BulkFailed raised.
        """
        bulk = _Bulk(self, stored, patience)
        source = iter(messages)
        while (message := await bulk.next_of(source)) is not None:
            if len(bulk.window) >= in_flight:
                await bulk.settle(max(1, in_flight // 2))
            await bulk.add(message)
        await bulk.settle(len(bulk.window))
        return bulk.taken

    async def start(self, message: Message, patience: Patience) -> Question | None:
        """Send *message* if it can be sent right now."""
        self.check_size(message)
        if not self._connection.is_up():
            return None
        until = asyncio.get_running_loop().time() + patience.timeout
        try:
            return await self._post(message, until)
        except ConnectionLost:
            return None

    async def finish(
        self, message: Message, question: Question | None, patience: Patience
    ) -> PubAck:
        """The PubAck of what `start` sent, or of the tries that follow."""
        if question is not None:
            until = asyncio.get_running_loop().time() + patience.timeout
            try:
                return await self._ack_of(message, question, until, tries=1)
            except _PASSING:
                return await self.publish(message, patience)
            except PublishRefused as refusal:
                if not heals_by_waiting(refusal):
                    raise
        return await self.publish(message, patience)

    def check_size(self, message: Message) -> None:
        """Raise MessageTooLarge if the server would not take it."""
        limit = self._connection.client.max_payload
        if message.size > limit:
            raise MessageTooLarge(message.subject, size=message.size, limit=limit)

    async def _try(self, message: Message, tries: int, timeout: float) -> PubAck:
        self.check_size(message)  # after a reconnect it may be another server's limit
        until = asyncio.get_running_loop().time() + timeout
        question = await self._post(message, until)
        return await self._ack_of(message, question, until, tries)

    async def _post(self, message: Message, until: float) -> Question:
        client, many = self._connection.client, self._domain.name is not None
        return await self._mux.post(
            client, message.subject, message.body, until, message.block, many=many
        )

    async def _ack_of(
        self, message: Message, question: Question, until: float, tries: int
    ) -> PubAck:
        if self._domain.name is not None:
            return await self._ack_of_domain(message, question, until, tries)
        answer = await question.answer(until - asyncio.get_running_loop().time())
        ack = read_ack(message.subject, answer, tries)
        if isinstance(ack, PublishRefused):
            raise ack
        return ack

    async def _ack_of_domain(
        self, message: Message, question: Question, until: float, tries: int
    ) -> PubAck:
        """The first PubAck of the domain: streams of others may answer as well, and sooner."""
        loop = asyncio.get_running_loop()
        other: PublishRefused | StoredElsewhere | None = None
        try:
            while True:
                answer = await question.answer(until - loop.time())
                ack = read_ack(message.subject, answer, tries)
                if isinstance(ack, PublishRefused):
                    if self._domain.alone_takes(message.subject):
                        raise ack
                    other, until = ack, min(until, loop.time() + _ANOTHER_WITHIN)
                elif await self._domain.has(ack, until - loop.time()):
                    return ack
                elif other is None:
                    other = self._domain.elsewhere(message.subject, ack)
                question.await_another()
        except NoAnswer as silence:
            raise other or silence from None
        finally:
            question.give_up()

    async def _pause(self, trouble: BrokerError, tries: int, left: float) -> None:
        if left > 0 and not isinstance(trouble, NoAnswer):
            await asyncio.sleep(min(left, reconnect_delay(tries)))

    def _failed(
        self, message: Message, tries: int, trouble: BrokerError | None, budget: float
    ) -> PublishFailed:
        why = trouble or f"NATS is away: {self._connection.problem}"
        sent = f"is not known to be stored after {counted(tries, 'try', 'tries')}"
        state = sent if tries else "was not sent"
        return PublishFailed(
            f"The message for {message.subject} {state} in {budget:g} s: {why}",
            subject=message.subject,
            msg_id=message.msg_id,
            cause=trouble,
        )


class _Bulk:
    """Messages in flight, oldest first."""

    def __init__(
        self, publisher: AckedPublisher, stored: Callable[[PubAck], None], patience: Patience
    ) -> None:
        self.window: deque[tuple[int, Message, Question | None]] = deque()
        self.taken = 0
        self._publisher = publisher
        self._stored = stored
        self._patience = patience

    async def next_of(self, source: Iterator[Message]) -> Message | None:
        """The next message; None after the last."""
        try:
            return next(source, None)
        except Exception as error:
            # Whatever it was: what is in flight is seen through first.
            await self._see_through([(self.taken, error)], self.taken + 1)
            raise

    async def add(self, message: Message) -> None:
        """Send one more."""
        try:
            question = await self._publisher.start(message, self._patience)
        except BrokerError as error:
            await self._see_through([(self.taken, error)], self.taken + 1)
        self.window.append((self.taken, message, question))
        self.taken += 1

    async def settle(self, count: int) -> None:
        """Await the PubAcks of the *count* oldest."""
        for _ in range(count):
            position, message, question = self.window.popleft()
            try:
                ack = await self._publisher.finish(message, question, self._patience)
            except BrokerError as error:
                await self._see_through([(position, error)], self.taken)
            else:
                self._stored(ack)

    async def _see_through(self, failures: list[tuple[int, Exception]], taken: int) -> None:
        """Await what is in flight, all together, and raise."""
        flying = tuple(self.window)
        ends = await asyncio.gather(
            *(self._publisher.finish(m, question, self._patience) for _, m, question in flying),
            return_exceptions=True,
        )
        for (position, _, _), end in zip(flying, ends, strict=True):
            if isinstance(end, PubAck):
                self._stored(end)
            elif isinstance(end, Exception):
                failures.append((position, end))
        raise BulkFailed(sorted(failures, key=lambda failure: failure[0]), taken=taken)
