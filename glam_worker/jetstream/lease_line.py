"""The lease keeper's connection: it lives in the keeper's thread and sends signs of life."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence

from glam_shared.logging import ServiceLogger
from glam_shared.messaging import JetStreamClient, client_internals
from glam_shared.messaging.broker_errors import BrokerError
from glam_worker.jetstream.consumers import ConsumerRef, look_up
from glam_worker.jetstream.delivery import JetStreamDelivery

_CONNECT_WITHIN = 5.0
_ANSWER_WITHIN = 2.0
_TRY_AGAIN = 5.0
"""Seconds after an attempt to connect that failed."""

_log = logging.getLogger("glam_worker.lease")
_connection_log = logging.getLogger("glam_worker.lease.connection")
_connection_log.setLevel(logging.WARNING)  # a second "Connected" would puzzle who reads the log


class LeaseLine:
    """Sends in-progress acks over a connection of its own, the same user's on the same servers.

    * It connects when the first of them is due.
    * Each time, stream and consumer are looked at first: the same name may be another consumer's by
      now, and a handlers' loop that stands has not heard of it.
    """

    def __init__(self, main: JetStreamClient, name: str) -> None:
        self._main = main
        self._name = name
        self._client = JetStreamClient(ServiceLogger(_connection_log))
        self._loop: asyncio.AbstractEventLoop | None = None
        self._not_before = 0.0

    # --- in the keeper's thread ---

    async def renew(self, held: Sequence[JetStreamDelivery]) -> list[JetStreamDelivery]:
        """Send a sign of life for each; those that the server has heard of."""
        if not await self._connected():
            return []
        same = await self._same({one.consumer for one in held})
        sent_for, commands = [], []
        for one in held:
            sign = one.sign_of_life() if one.consumer in same else None
            if sign is not None:
                commands.append(_published(*sign))
                sent_for.append(one)
        return sent_for if not commands or await self._written("".join(commands)) else []

    async def close(self) -> None:
        """Send what was told, and close."""
        self._loop = None
        await self._client.close()

    async def _written(self, commands: str) -> bool:
        """Whether the server has read them."""
        if not self._client.is_connected():
            return False
        client = self._client.client
        client_internals.write(client, commands.encode())
        return await client_internals.round_trip(client, _ANSWER_WITHIN)

    async def _connected(self) -> bool:
        if self._loop is not None:
            return self._client.is_connected()
        if time.monotonic() < self._not_before:
            return False
        try:
            await self._client.connect_as(self._main, name=self._name, timeout=_CONNECT_WITHIN)
        except BrokerError as error:
            self._not_before = time.monotonic() + _TRY_AGAIN
            _log.warning("no connection to keep leases over a blocked event loop: %s", error)
            return False
        self._loop = asyncio.get_running_loop()
        return True

    async def _same(self, consumers: set[ConsumerRef]) -> set[ConsumerRef]:
        """Which of them are the ones they were, over the present connection."""
        epoch = self._client.epoch
        looking = {one: asyncio.ensure_future(look_up(self._client, one)) for one in consumers}
        _, slow = await asyncio.wait(looking.values(), timeout=_ANSWER_WITHIN)
        for task in slow:
            task.cancel()
        if self._client.epoch != epoch:
            return set()
        return {one for one, task in looking.items() if task not in slow and task.result().ok}

    # --- from any thread ---

    def tell(self, subject: str, body: str) -> bool:
        """Publish behind what was sent before; False when there is no connection to do so."""
        loop = self._loop
        if loop is None or not self._client.is_connected():
            return False
        try:
            loop.call_soon_threadsafe(self._publish, subject, body)
        except RuntimeError:  # the loop is closed
            return False
        return True

    def _publish(self, subject: str, body: str) -> None:
        if self._client.is_connected():
            command = _published(subject, body)
            client_internals.write(self._client.client, command.encode())


def _published(subject: str, body: str) -> str:
    return f"PUB {subject} {len(body)}\r\n{body}\r\n"
