"""Where and when nats-py reconnects, and with which secrets."""

from __future__ import annotations

from typing import Any

from nats.aio.client import Client, Server

from glam_shared.messaging import client_internals, credentials
from glam_shared.messaging.backoff import reconnect_delay
from glam_shared.messaging.client_callbacks import Callbacks
from glam_shared.messaging.connect_causes import is_refusal
from glam_shared.messaging.connect_options import ConnectOptions


class Reconnector:
    """Answers one client's question which server to try next.

    * Goes round the servers, with a jittered and growing delay before each round.
    * Reads certificates and nkeys anew, so that rotated ones are used.
    """

    def __init__(self, client: Client, options: ConnectOptions, callbacks: Callbacks) -> None:
        self._client = client
        self._options = options
        self._callbacks = callbacks
        self._attempt = 0
        self._reconnects = 0

    def choose(self, servers: list[Server], _info: dict[str, Any]) -> tuple[Server | None, float]:
        """The server to try and the seconds to wait before.

        nats-py calls this again at once, without yielding, when it raises; so it never does.
        """
        try:
            self.renew_identity()
        except Exception as error:  # noqa: BLE001 - see above
            self._callbacks.on_error(self._client, error)
        self._start_anew_after_success()
        round_, place = divmod(self._attempt, len(servers))
        self._attempt += 1
        return servers[place], reconnect_delay(round_, refused=self._refused())

    def renew_identity(self) -> None:
        """Take certificates and the nkey's name from their files as they are now."""
        context = credentials.tls_context(self._options)
        if context is not None:
            self._client.options["tls"] = context
        public_key = credentials.public_nkey(self._options)
        if public_key is not None:
            client_internals.offer_public_nkey(self._client, public_key)

    def _start_anew_after_success(self) -> None:
        reconnects = self._client.stats["reconnects"]
        if reconnects != self._reconnects:
            self._reconnects, self._attempt = reconnects, 0

    def _refused(self) -> bool:
        error = self._client.last_error
        return error is not None and is_refusal(str(error))


def require_encryption(client: Client) -> None:
    """Raise `PlainConnection` when TLS was asked for and the present connection has none."""
    if client.options.get("tls") is not None and not client_internals.is_encrypted(client):
        raise credentials.PlainConnection
