"""nats-py's client, without the ways in which one message or one pong ends its read loop.

Written against nats-py 2.16.0. The watchdog heals an ended read loop; this spares it the work,
and above all the message that would end the loop again at each delivery.
"""

from __future__ import annotations

import asyncio
from typing import Any

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error

from glam_shared.messaging import client_internals
from glam_shared.messaging.wire import read_headers
from glam_shared.messaging.wire_reader import WireReader

_DENIAL = "permissions violation"


class HardenedClient(Client):
    """A client whose read loop survives what a server may send.

    * A pong for a flush that nobody waits for any more.
    * A subject that is not UTF-8: the server stores and delivers such messages.
    * Headers that cannot be parsed: the server does not look at them.
    * A subject in an error keeps its case.
    * A server that says why it takes nobody more, and closes: its words are the error.
    * An error of whoever takes messages directly (see `wire_reader`).

    And what was buffered without a connection is not sent over the next one: an ack among it
    would complete whatever message has that sequence now.
    """

    def __init__(self) -> None:
        super().__init__()
        self.reader = WireReader(self)
        self._ps = self.reader

    def _remove_sub(self, sid: int, max_msgs: int = 0) -> None:
        self.reader.takers.pop(str(sid), None)
        super()._remove_sub(sid, max_msgs)

    async def _process_connect_init(self) -> None:
        try:
            await super()._process_connect_init()
        except OSError as error:
            said = client_internals.unread_error(self)
            if said is None:
                raise
            raise Error(f"nats: {said}") from error
        client_internals.drop_unsent(self)  # nothing has run since: the flusher saw none of it
        client_internals.read_directly(self, self.reader.take)

    async def _process_pong(self) -> None:
        if self._pongs and self._pongs[0].done():
            self._pongs[0] = asyncio.get_running_loop().create_future()
        await super()._process_pong()

    async def _process_err(self, err_msg: str) -> None:
        if _DENIAL not in err_msg:
            await super()._process_err(err_msg)
            return
        self._err = Error(f"nats: {self.reader.error}")
        await self._error_cb(self._err)

    async def _process_headers(self, headers: Any) -> dict[str, str] | None:
        return read_headers(headers) if headers else None

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
