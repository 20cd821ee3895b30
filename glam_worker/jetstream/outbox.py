"""What is told to the server about deliveries: few writes for many messages."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from typing import Protocol

from glam_shared.messaging import JetStreamClient, client_internals
from glam_shared.messaging.broker_errors import BrokerError
from glam_worker.jetstream.ack_subject import message_of

_GAP = 0.001
"""Seconds between two writes of acks under load: a system call costs more than ten acks."""


_REMEMBERED = 10_000
"""Acks, about a megabyte: a quarter of a second at the highest rate, and minutes at a low one."""
_HEARD_WITHIN = 1.0
"""Seconds for the server to say that it has heard acks that were sent again."""
_ACK_END = " 0\r\n\r\n"
_NEXT_ACK = f"{_ACK_END}PUB "


class Keeper(Protocol):
    """The lease keeper, which has a connection of its own."""

    def tell(self, subject: str, body: str) -> bool:
        """Send behind its signs of life; False where there is no connection."""


class Outbox:
    """Collects publishes and writes them together.

    What comes after a pause is written at once, as is every pull request; acks that follow
    closely wait for a millisecond's worth of others.

    What was collected for a connection that is gone is forgotten: the server delivers again, and
    a settlement that arrived later could complete another event of the same sequence.
    """

    def __init__(self, client: JetStreamClient, keeper: Keeper | None = None) -> None:
        self._client = client
        self._keeper = keeper
        self._acked: list[str] = []
        self._remembered: deque[list[str]] = deque()
        self._remembered_count = 0
        self._commands: list[str] = []
        self._epoch = 0
        self._written = 0.0
        self._planned: asyncio.Handle | None = None

    def ack(self, subject: str) -> None:
        """Publish nothing, which is an ack (ADR-15), within a millisecond."""
        self._acked.append(subject)
        if self._planned is None:
            self._plan()

    async def repeat_acks(self, stream: str, durable: str, last: int) -> None:
        """Send the latest acks of a consumer again, which is known to be the one they were for.

        What was written just before a connection or a consumer's leader was lost may have reached
        nobody, and each such event would run once more. An ack that did arrive does nothing now.

        Returns once the server has heard them all, a second later at most: a pull request that
        overtakes them is given what they are about. ``last`` is the last sequence that the stream
        has: a stream that has lost its end will have other events there.
        """
        known = self._acks_of(stream, durable)
        subjects = [one for one in known if int(message_of(one)[0]) <= last]
        if len(subjects) < len(known):
            self._forget(set(known) - set(subjects))
        if not subjects:
            return
        *others, final = subjects
        if others:
            self._write(f"PUB {_NEXT_ACK.join(others)}{_ACK_END}")
        with contextlib.suppress(BrokerError):
            await self._client.request(final, b"", _HEARD_WITHIN)

    def has_acked(self, stream: str, durable: str, ack: str) -> bool:
        """Whether an ack of the message that ``ack`` is for is among the latest."""
        message = message_of(ack)
        token = f".{message[0]}."
        acks = (one for one in self._acks_of(stream, durable) if token in one)
        return any(message_of(one) == message for one in acks)

    def forget_acks(self, stream: str, durable: str) -> None:
        """The consumer is gone; another one of its name has other events of these sequences."""
        self._forget(set(self._acks_of(stream, durable)))

    def _forget(self, gone: set[str]) -> None:
        kept = [[one for one in acked if one not in gone] for acked in self._remembered]
        self._remembered = deque(acked for acked in kept if acked)
        self._remembered_count = sum(map(len, self._remembered))
        self._acked = [one for one in self._acked if one not in gone]

    def _acks_of(self, stream: str, durable: str) -> list[str]:
        consumer = f".{stream}.{durable}."
        acks = (*self._remembered, self._acked)
        return [one for acked in acks for one in acked if consumer in one]

    def send(self, subject: str, body: str) -> None:
        """Publish ``body`` (ASCII) within a millisecond."""
        self._commands.append(f"PUB {subject} {len(body)}\r\n{body}\r\n")
        if self._planned is None:
            self._plan()

    def send_after_keeper(self, subject: str, body: str) -> None:
        """Publish behind what the lease keeper sent: two connections have no common order."""
        if self._keeper is None or not self._keeper.tell(subject, body):
            self.send(subject, body)

    def request(self, subject: str, reply: str, body: str) -> None:
        """Publish at once, with the subject that answers go to."""
        self._write(f"PUB {subject} {reply} {len(body)}\r\n{body}\r\n")

    def _write(self, command: str) -> None:
        """Write it now, with what was collected."""
        self._commands.append(command)
        if self._planned is None:
            self._epoch = self._client.epoch
        self.flush()

    def _plan(self) -> None:
        self._epoch = self._client.epoch
        if time.monotonic() - self._written > _GAP:
            self.flush()  # the next turn may be far away: a handler may block the event loop
        else:
            self._planned = asyncio.get_running_loop().call_later(_GAP, self.flush)

    def flush(self) -> None:
        """Write what was collected, now."""
        if self._planned is not None:
            self._planned.cancel()
            self._planned = None
        commands, self._commands = self._commands, []
        if self._acked:
            commands.insert(0, f"PUB {_NEXT_ACK.join(self._acked)}{_ACK_END}")
            self._remember(self._acked)
            self._acked = []
        if commands and self._client.is_connected() and self._epoch == self._client.epoch:
            self._written = time.monotonic()
            client_internals.write_at_once(self._client.client, "".join(commands).encode())

    def _remember(self, acked: list[str]) -> None:
        self._remembered.append(acked)
        self._remembered_count += len(acked)
        while self._remembered_count - len(self._remembered[0]) > _REMEMBERED:
            self._remembered_count -= len(self._remembered.popleft())
