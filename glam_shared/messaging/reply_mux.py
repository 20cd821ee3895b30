"""Requests and their answers over one subscription for each client."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Mapping
from typing import Any

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg

from glam_shared.messaging import client_internals
from glam_shared.messaging.broker_errors import (
    BrokerError,
    ConnectionLost,
    NoAnswer,
    NobodyListens,
    NotSendable,
    PermissionDenied,
)

UNSENT_LIMIT = 2 * 1024 * 1024
"""Bytes nats-py buffers before a publish has to wait for the socket."""

Answer = Msg | BrokerError
Headers = Mapping[str, str] | None
Forget = Callable[[], object]


class Question:
    """A request on its way. Await `answer()` within a time of your own."""

    __slots__ = ("_forget", "future", "subject")

    def __init__(self, subject: str, future: asyncio.Future[Answer], forget: Forget) -> None:
        self.subject = subject
        self.future = future
        self._forget = forget

    def settle(self, answer: Answer) -> None:
        """Answer it, unless it has an answer or was given up."""
        if not self.future.done():
            self.future.set_result(answer)

    async def answer(self, timeout: float) -> Msg:
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
        self._no_inbox: PermissionDenied | None = None

    async def ask(
        self, client: Client, subject: str, body: bytes, headers: Headers, timeout: float
    ) -> Msg:
        """The answer, within *timeout* seconds. Raises what `post` and `Question.answer` raise."""
        loop = asyncio.get_running_loop()
        until = loop.time() + timeout
        question = await self.post(client, subject, body, headers, until)
        return await question.answer(until - loop.time())

    async def post(
        self, client: Client, subject: str, body: bytes, headers: Headers, until: float
    ) -> Question:
        """Send; *until*, the loop's time, bounds only that.

        Raises ConnectionLost, PermissionDenied, and NotSendable for a subject or header no server
        would take.
        """
        if client is not self._client:
            await self._listen(client)
        if self._no_inbox is not None:
            raise self._no_inbox
        reply = f"{self._prefix}{next(self._serial)}"
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        question = Question(subject, future, lambda: self._waiting.pop(reply, None))
        self._waiting[reply] = question
        try:
            await _send(client, subject, body, reply, headers, until)
        except BaseException:
            question.give_up()
            raise
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
        if operation == f"subscribe to {self._prefix.lower()}*":
            self._no_inbox = denied
        for reply, question in tuple(self._waiting.items()):
            if self._no_inbox or operation == f"publish to {question.subject.lower()}":
                question.settle(
                    self._no_inbox or PermissionDenied(f"publish to {question.subject}")
                )
                self._waiting.pop(reply, None)

    async def _listen(self, client: Client) -> None:
        async with self._listening:
            if client is self._client:
                return
            prefix = f"{client.new_inbox()}."
            try:
                subscription = await client.subscribe(f"{prefix}*")
            except nats.errors.Error as error:
                raise ConnectionLost(f"The connection was lost: {error}", cause=error) from error
            client_internals.deliver_directly(subscription, self._take)
            self._client, self._prefix = client, prefix

    def _take(self, message: Msg) -> None:
        question = self._waiting.pop(message.subject, None)
        if question is not None:
            nobody = _no_responders(message)
            question.settle(NobodyListens(question.subject) if nobody else message)


def _no_responders(message: Msg) -> bool:
    headers: dict[str, Any] | None = message.headers
    return headers is not None and not message.data and headers.get("Status") == "503"


async def _send(
    client: Client, subject: str, body: bytes, reply: str, headers: Headers, until: float
) -> None:
    fields: dict[str, Any] | None = None if headers is None else dict(headers)
    try:
        if client.pending_data_size + len(body) < UNSENT_LIMIT:
            await client.publish(subject, body, reply=reply, headers=fields)
        else:
            await _send_when_writable(client, subject, body, reply, fields, until)
    except (nats.errors.BadSubjectError, nats.errors.BadHeaderError, UnicodeError) as error:
        raise NotSendable(f"The message for {subject!r} cannot be sent: {error}") from error
    except TimeoutError as error:
        raise ConnectionLost("The server takes no bytes.", cause=error) from error
    except (nats.errors.Error, OSError) as error:
        raise ConnectionLost(f"The message could not be sent: {error}", cause=error) from error


async def _send_when_writable(
    client: Client,
    subject: str,
    body: bytes,
    reply: str,
    headers: dict[str, Any] | None,
    until: float,
) -> None:
    """Publish over a full buffer: nats-py waits without bound, and swallows a cancellation."""
    task = asyncio.current_task()
    before = 0 if task is None else task.cancelling()
    async with asyncio.timeout_at(until):
        await client.publish(subject, body, reply=reply, headers=headers)
    if task is not None and task.cancelling() > before:
        raise asyncio.CancelledError
