"""nats-py's client, without the ways in which one message or one pong ends its read loop.

Written against nats-py 2.16.0. The watchdog heals an ended read loop; this spares it the work,
and above all the message that would end the loop again at each delivery.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from nats.aio.client import Client
from nats.aio.msg import Msg

from glam_shared.messaging import client_internals

_log = logging.getLogger(__name__)


class HardenedClient(Client):
    """A client whose read loop survives what a server may send.

    * A pong for a flush that nobody waits for any more.
    * A subject that is not UTF-8: the server stores and delivers such messages.
    * Headers that cannot be parsed: the server does not look at them.
    * An error of whoever takes messages directly (see `client_internals.deliver_directly`).

    And what was buffered without a connection is not sent over the next one: an ack among it
    would complete whatever message has that sequence now.
    """

    def __init__(self) -> None:
        super().__init__()
        self.direct: dict[int, Callable[[Msg], None]] = {}
        """By subscription: who takes its messages in the read loop itself."""

    async def _process_msg(
        self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: Any
    ) -> None:
        take = self.direct.get(sid)
        if take is None:
            await super()._process_msg(sid, subject, reply, data, headers)
            return
        parsed = await self._process_headers(headers) if headers else None
        try:
            take(self._build_message(sid, subject, reply, data, parsed))
        except Exception:  # noqa: BLE001 - whatever it is, it would end the read loop
            _log.exception("Taking a message failed; the next are taken.")

    def _remove_sub(self, sid: int, max_msgs: int = 0) -> None:
        self.direct.pop(sid, None)
        super()._remove_sub(sid, max_msgs)

    async def _process_connect_init(self) -> None:
        await super()._process_connect_init()
        client_internals.drop_unsent(self)  # nothing has run since: the flusher saw none of it

    async def _process_pong(self) -> None:
        if self._pongs and self._pongs[0].done():
            self._pongs[0] = asyncio.get_running_loop().create_future()
        await super()._process_pong()

    async def _process_headers(self, headers: Any) -> dict[str, str] | None:
        try:
            return await super()._process_headers(headers)
        except (IndexError, UnicodeDecodeError):
            return None

    def _build_message(
        self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: dict[str, str] | None
    ) -> Msg:
        return self.msg_class(
            subject=subject.decode("utf-8", "replace"),
            reply=reply.decode("utf-8", "replace"),
            data=data,
            headers=headers,
            _client=self,
            _sid=sid,
        )
