"""The way from nats-py's callbacks to ours.

nats-py awaits its callbacks in its read loop, and an exception there ends the loop while the
connection still looks alive. So nothing leaves them, save during the first attempt, when the
error callback is the only place that has the cause.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Protocol

from nats.aio.client import Client

_log = logging.getLogger(__name__)


class Callbacks(Protocol):
    """What wants to know how a client fares. Each call names the client it is about."""

    def on_error(self, client: Client, error: Exception) -> None:
        """The client met *error*; its connection may or may not survive it."""

    def on_disconnected(self, client: Client) -> None:
        """The connection is gone; the client tries to reconnect unless it was closed."""

    def on_reconnected(self, client: Client) -> None:
        """The client has a new connection, its subscriptions included."""

    def on_closed(self, client: Client) -> None:
        """The client gave up for good."""


class CallbackBridge:
    """nats-py's callbacks for one client."""

    def __init__(self, client: Client, callbacks: Callbacks) -> None:
        self.client = client
        self._callbacks = callbacks
        self._dialing = True

    def listen(self) -> None:
        """The first attempt has succeeded: from now on nothing may be raised."""
        self._dialing = False

    def arguments(self) -> dict[str, Any]:
        """Keywords of `nats.aio.client.Client.connect`."""
        return {
            "error_cb": self._error,
            "disconnected_cb": self._disconnected,
            "reconnected_cb": self._reconnected,
            "closed_cb": self._closed,
        }

    async def _error(self, error: Exception) -> None:
        if self._dialing:
            raise error
        self._tell(lambda: self._callbacks.on_error(self.client, error))

    async def _disconnected(self) -> None:
        self._tell(lambda: self._callbacks.on_disconnected(self.client))

    async def _reconnected(self) -> None:
        self._tell(lambda: self._callbacks.on_reconnected(self.client))

    async def _closed(self) -> None:
        self._tell(lambda: self._callbacks.on_closed(self.client))

    def _tell(self, call: Callable[[], None]) -> None:
        if self._dialing:
            return
        try:
            call()
        except Exception:  # noqa: BLE001 - it would end the read loop
            _log.exception("A connection callback failed; the connection goes on.")
