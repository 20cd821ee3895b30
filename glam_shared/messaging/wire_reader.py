"""Reads what the server sends: the way of every message into the process.

https://docs.nats.io/reference/reference-protocols/nats-protocol. nats-py's parser costs a regular
expression, a copy of the whole buffer and two coroutines for each message; this one a search for
the line's end. Written against nats-py 2.16.0.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, TypeAlias

from nats.protocol.parser import Parser

_log = logging.getLogger(__name__)

Take: TypeAlias = Callable[[str, str, bytes, bytes], None]
"""Takes a message: its subject, reply subject (empty for none), body and header block."""

_LINE_END = b"\r\n"
_ERROR = b"-ERR"
_MESSAGES = b"MH"
"""How the lines of messages begin: MSG and, with headers, HMSG."""

_MINUS = ord("-")


class WireReader(Parser):
    """Hands each message to whoever takes those of its subscription directly.

    Everything else, complete, goes nats-py's way.
    """

    def __init__(self, client: Any) -> None:
        self.takers: dict[str, Take] = {}
        """By subscription id, as the server writes it."""
        self.error = ""
        """What the server's last error said; nats-py lowers its case, that of subjects too."""
        super().__init__(client)

    def reset(self) -> None:
        """Forget what has come of an unfinished message: another connection begins."""
        super().reset()
        self._unread: list[bytes] = []
        self._missing = 0

    async def parse(self, data: bytes = b"") -> None:
        """Take in what was read from the socket. Raises ProtocolError for what is no protocol."""
        if self._unread:
            self._unread.append(data)
            self._missing -= len(data)
            if self._missing > 0:
                return
            data = b"".join(self._unread)
        at, after = self._taken(data, 0)
        while 0 < after <= len(data):
            if data.startswith(_ERROR, at):
                said = data[at + len(_ERROR) : after].decode("utf-8", "replace")
                self.error = said.strip(" '\r\n")
            await super().parse(data[at:after])
            at, after = self._taken(data, after)
        self._keep(data[at:], after - at)

    def take(self, data: bytes) -> bytes:
        """Hand on the messages at the beginning of *data*, which is what came next from the socket.

        Returns the rest, which is for `parse`; nothing where that is the beginning of a message.
        """
        if self._unread:
            self._unread.append(data)
            self._missing -= len(data)
            if self._missing > 0:
                return b""
            data, self._unread = b"".join(self._unread), []
        at, after = self._taken(data, 0)
        if 0 < after <= len(data):
            return data[at:]
        self._keep(data[at:], after - at)
        return b""

    def _taken(self, data: bytes, at: int) -> tuple[int, int]:
        """Hand on messages from *at* on; where what is none of them begins, and where it ends.

        That end is 0 where nobody knows it yet, and beyond *data* where it has not come.
        """
        takers = self.takers
        while (end := data.find(_LINE_END, at)) >= 0:
            after = end + 2
            if data[at] not in _MESSAGES:
                return at, after
            fields = data[at:end].decode("utf-8", "replace").split(" ")
            try:
                body, after = after, after + int(fields[-1]) + 2
                head = 0 if fields[0] == "MSG" else int(fields[-2])
            except ValueError:
                return at, end + 2  # nats-py will refuse the line
            take = takers.get(fields[2]) if after <= len(data) else None
            if take is None:
                return at, after
            reply = fields[3] if len(fields) > (5 if head else 4) else ""
            text = body + head
            try:
                take(fields[1], reply, data[text : after - 2], data[body:text])
            except Exception:  # noqa: BLE001 - whatever it is, it would end this loop
                _log.exception("Taking a message failed; the next are taken.")
            at = after
        return at, 0

    def _keep(self, begun: bytes, size: int) -> None:
        """Wait for the rest of what has *begun*; of *size* bytes in all, if that is known."""
        self._missing = max(0, size - len(begun))
        self._unread = [begun] if begun else []
