"""Requests and their answers over one subscription for each client."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import deque
from collections.abc import Callable

import nats.errors
from nats.aio.client import Client
from nats.aio.subscription import Subscription

from glam_shared.messaging import client_internals
from glam_shared.messaging.broker_errors import (
    BrokerError,
    ConnectionLost,
    NoAnswer,
    NobodyListens,
    PermissionDenied,
)
from glam_shared.messaging.denials import denies
from glam_shared.messaging.wire import publish_command, read_headers, subject_bytes

_UNSENT_LIMIT = 2 * 1024 * 1024
"""Bytes that may wait for the socket before a request has to."""

_INBOX_AGAIN = 3.0
"""Seconds after which an inbox that was denied is tried again."""

Answer = bytes | BrokerError
Forget = Callable[[], object]


class Question:
    """A request on its way. Await `answer()` within a time of your own.

    Where it may be answered by *many*, `await_another` after an answer, and `give_up` at the end.
    """

    __slots__ = ("_forget", "future", "later", "subject")

    def __init__(
        self, subject: str, future: asyncio.Future[Answer], forget: Forget, *, many: bool = False
    ) -> None:
        self.subject = subject
        self.future = future
        self.later: deque[Answer] | None = deque() if many else None
        """Answers behind the present one; None where one answer ends it."""
        self._forget = forget

    def settle(self, answer: Answer) -> None:
        """Answer it, unless it has an answer or was given up."""
        if not self.future.done():
            self.future.set_result(answer)
        elif self.later is not None:
            self.later.append(answer)

    def await_another(self) -> None:
        """The answer that came is not the one: `answer()` is the next."""
        self.future = asyncio.get_running_loop().create_future()
        if self.later:
            self.future.set_result(self.later.popleft())

    async def answer(self, timeout: float) -> bytes:
        """The answer, at most *timeout* seconds from now.

        Raises NoAnswer, NobodyListens, ConnectionLost and PermissionDenied.
        """
        future = self.future
        if not future.done():
            loop = asyncio.get_running_loop()
            timer = loop.call_later(timeout, self._expire, timeout)
            try:
                await future
            finally:
                timer.cancel()
                if self.later is None:
                    self._forget()
        answer = future.result()
        if isinstance(answer, BrokerError):
            raise answer
        return answer

    def give_up(self) -> None:
        """Nobody waits for the answer any more."""
        self.future.cancel()
        self._forget()

    def _expire(self, timeout: float) -> None:
        self.settle(NoAnswer(f"a request to {self.subject}", timeout))


class ReplyMux:
    """Sends requests whose answers come back on subjects under one prefix.

    A request ends at once, and not at its timeout, when the connection is lost or when the
    server denies its subject.
    """

    def __init__(self) -> None:
        self._client: Client | None = None
        self._prefix = ""
        self._listening = asyncio.Lock()
        self._serial = itertools.count()
        self._waiting: dict[str, Question] = {}
        self._subscription: Subscription | None = None
        self._no_inbox: PermissionDenied | None = None
        self._try_inbox_at = 0.0

    async def ask(
        self, client: Client, subject: str, body: bytes, timeout: float, block: bytes = b""
    ) -> bytes:
        """The answer, within *timeout* seconds. Raises what `post` and `Question.answer` raise."""
        loop = asyncio.get_running_loop()
        until = loop.time() + timeout
        question = await self.post(client, subject, body, until, block)
        return await question.answer(until - loop.time())

    async def post(
        self,
        client: Client,
        subject: str,
        body: bytes,
        until: float,
        block: bytes = b"",
        *,
        many: bool = False,
    ) -> Question:
        """Send, with the headers that `wire.header_block` wrote; *many* may answer.

        *until*, the loop's time, bounds only the sending. Raises ConnectionLost,
        PermissionDenied, and NotSendable for a subject no server would take.
        """
        target = subject_bytes(subject)
        if client is not self._client or self._is_time_to_try():
            await self._listen(client)
        if self._no_inbox is not None:
            raise self._no_inbox
        reply = f"{self._prefix}{next(self._serial)}"
        question = Question(
            subject,
            asyncio.get_running_loop().create_future(),
            lambda: self._waiting.pop(reply, None),
            many=many,
        )
        self._waiting[reply] = question
        if client.pending_data_size > _UNSENT_LIMIT:
            await self._wait_for_room(client, question, until)
        client_internals.write(client, publish_command(target, reply.encode(), block, body))
        return question

    def on_connection(self, up: bool) -> None:
        """A lost connection answers nothing any more."""
        if up:
            return
        self._no_inbox = None
        lost = ConnectionLost("The connection was lost before the answer came.")
        waiting, self._waiting = self._waiting, {}
        for question in waiting.values():
            question.settle(lost)

    def on_denial(self, denied: PermissionDenied) -> None:
        """End what waits for the denied subject; all, when it is the inbox that is denied."""
        operation = denied.operation
        if operation == f"subscribe to {self._prefix}*":
            self._no_inbox = denied
            self._try_inbox_at = time.monotonic() + _INBOX_AGAIN
        for reply, question in tuple(self._waiting.items()):
            if self._no_inbox or denies(operation, question.subject):
                question.settle(self._no_inbox or PermissionDenied(operation))
                self._waiting.pop(reply, None)

    def _is_time_to_try(self) -> bool:
        """Whether the inbox was denied a while ago: nothing tells that it is allowed again."""
        return self._no_inbox is not None and time.monotonic() >= self._try_inbox_at

    async def _listen(self, client: Client) -> None:
        async with self._listening:
            known = client is self._client
            if known and not self._is_time_to_try():
                return
            prefix = self._prefix if known else f"{client.new_inbox()}."
            try:
                if known and self._subscription is not None:
                    self._client = None  # until it is subscribed
                    await self._subscription.unsubscribe()
                self._no_inbox = None  # before: the server denies a subscription once
                subscription = await client.subscribe(f"{prefix}*")
            except nats.errors.Error as error:
                raise ConnectionLost(f"The connection was lost: {error}", cause=error) from error
            client_internals.deliver_directly(subscription, self._take)
            if not client.is_connected:
                raise ConnectionLost("The connection was lost.")
            self._client, self._prefix = client, prefix
            self._subscription = subscription

    async def _wait_for_room(self, client: Client, question: Question, until: float) -> None:
        """nats-py would wait without bound, and swallow a cancellation meanwhile."""
        timeout = until - asyncio.get_running_loop().time()
        try:
            written = await client_internals.written(client, max(timeout, 0.0))
        except BaseException:
            question.give_up()
            raise
        if not written:
            question.give_up()
            raise ConnectionLost("The server takes no more bytes.")

    def _take(self, subject: str, _reply: str, body: bytes, block: bytes) -> None:
        question = self._waiting.get(subject)
        if question is not None:
            if question.later is None:
                del self._waiting[subject]
            question.settle(NobodyListens(question.subject) if _nobody(body, block) else body)


def _nobody(body: bytes, block: bytes) -> bool:
    """Whether the server says so itself (no responders, ADR-1: an empty message of status 503)."""
    return not body and read_headers(block).get("Status") == "503"
