"""Where one consumer's messages arrive."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import TypeAlias

from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError

from glam_shared.messaging import JetStreamClient, client_internals

Take: TypeAlias = Callable[[str, str, bytes, bytes], None]
"""Is given subject, reply subject, body and header block of each message."""

_DRAINED_WITHIN = 2.0
"""Seconds for the server's pong."""


class Inbox:
    """A subject of its own for each connection: an old request survives a reconnect on the old one.

    * ``open``: subscribe, once on each connection;
    * ``renew``, ``cut`` and ``drain``: the end of one, which is left open, dropped or emptied.
    """

    def __init__(self, client: JetStreamClient, take: Take) -> None:
        self.name = ""
        self._client = client
        self._take = take
        self._epoch = 0
        self._subscription: Subscription | None = None

    @property
    def is_open(self) -> bool:
        """Whether what is sent to it on this connection arrives."""
        return self._epoch == self._client.epoch

    async def open(self) -> None:
        """Have an inbox on this connection. Raises NatsError."""
        epoch, client = self._client.epoch, self._client.client
        if self.is_open:
            return
        old, self._subscription = self._subscription, None
        if old is not None:
            with contextlib.suppress(NatsError):
                await old.unsubscribe()
        self.name = client.new_inbox()
        self._subscription = await client.subscribe(f"{self.name}.*", pending_bytes_limit=0)
        client_internals.deliver_directly(self._subscription, self._take)
        self._epoch = epoch

    def renew(self) -> None:
        """``open`` another one next time: requests on this one may be served yet."""
        self._epoch = 0

    def cut(self) -> None:
        """Drop what is not read yet, and let nothing more come."""
        subscription, self._subscription = self._subscription, None
        self._epoch = 0
        if subscription is not None:
            client_internals.cut(subscription)

    async def drain(self) -> None:
        """Unsubscribe, and take what arrives until the server's pong."""
        subscription, self._subscription = self._subscription, None
        if subscription is not None and self._client.is_connected():
            await client_internals.drain(subscription, _DRAINED_WITHIN)
