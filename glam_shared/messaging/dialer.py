"""Attempts to reach a server: one, or a round over all of them."""

from __future__ import annotations

import asyncio
import random
import re
from typing import Any

from nats.aio.client import Client

from glam_shared.messaging import client_internals, credentials, server_address
from glam_shared.messaging.broker_errors import ConnectionFailed, ServerTooOld
from glam_shared.messaging.client_callbacks import CallbackBridge, Callbacks
from glam_shared.messaging.connect_causes import Cause, explain
from glam_shared.messaging.connect_options import ConnectOptions, Timings
from glam_shared.messaging.hardened_client import HardenedClient
from glam_shared.messaging.reconnect import Reconnector, require_encryption

_CLOSE_WAIT = 0.5
"""Seconds nats-py waits, when it is closed, for a reconnect that was under way."""


class Dialer:
    """Opens clients; knows the servers, who we are and how nats-py is to behave.

    * `one` makes one attempt at one server and cleans up after a failure.
    * `round` goes over all servers once, in random order.
    * What it opens reconnects by itself, as `Reconnector` says.
    """

    def __init__(self, options: ConnectOptions, timings: Timings, callbacks: Callbacks) -> None:
        self._options = options
        self._timings = timings
        self._callbacks = callbacks
        self.causes = {
            server_address.redact(address): Cause("no answer in time", vague=True)
            for address in options.servers
        }
        """Why each server could not be reached; that it only closed replaces nothing."""

    async def round(self) -> Client | None:
        """A client of whichever server answers first; None when none does: see `causes`.

        Raises ServerTooOld.
        """
        cancellations = _cancellations()
        for address in random.sample(self._options.servers, len(self._options.servers)):
            try:
                return await self.one(address)
            except ServerTooOld:
                raise
            except Exception as error:  # noqa: BLE001 - whatever it was, it is the cause
                self._failed(server_address.redact(address), explain(error))
            if _cancellations() > cancellations:  # Python 3.11's wait_for may swallow it
                raise asyncio.CancelledError
        return None

    def _failed(self, server: str, cause: Cause) -> None:
        if not cause.vague or self.causes[server].vague:
            self.causes[server] = cause

    async def one(self, address: str) -> Client:
        """A client connected to *address*; raises what the attempt raised."""
        client = HardenedClient()
        bridge = CallbackBridge(client, self._callbacks)
        try:
            async with asyncio.timeout(self._timings.attempt):
                await client.connect([server_address.without_user(address)], **self._how(bridge))
            self._inspect(client, server_address.redact(address))
        except BaseException:
            client_internals.release(client)
            raise
        client.options.update(allow_reconnect=True, max_reconnect_attempts=-1)
        client_internals.add_servers(
            client, map(server_address.without_user, self._options.servers)
        )
        bridge.listen()
        return client

    def failure(self, within: float | None = None) -> ConnectionFailed:
        """The error that names every server and why it could not be reached."""
        tried = "" if within is None else f" within {within:g} s"
        return ConnectionFailed(
            f"Cannot connect to NATS{tried}: {self.describe()}.",
            servers=list(self.causes),
            causes=[cause.text for cause in self.causes.values()],
        )

    def describe(self) -> str:
        """`server: cause`, for every server."""
        return "; ".join(f"{server}: {cause.text}" for server, cause in self.causes.items())

    def _inspect(self, client: Client, shown: str) -> None:
        if not client.is_connected:
            raise ConnectionError("the server did not finish its greeting")
        require_encryption(client)
        needed, found = self._options.min_server_version, server_version(client)
        if needed is not None and version_key(found) < version_key(needed):
            raise ServerTooOld(shown, found=found, needed=needed)

    def _how(self, bridge: CallbackBridge) -> dict[str, Any]:
        client, options, timings = bridge.client, self._options, self._timings
        reconnector = Reconnector(client, options, self._callbacks)
        reconnector.renew_identity()
        return {
            "name": options.name,
            "inbox_prefix": options.inbox_prefix,
            "allow_reconnect": False,  # while this attempt lasts: its failure must surface
            "connect_timeout": timings.connect,
            "reconnect_time_wait": _CLOSE_WAIT,
            "ping_interval": timings.ping_interval,
            "max_outstanding_pings": timings.outstanding_pings,
            "tls": client.options.get("tls"),
            "reconnect_to_server_handler": reconnector.choose,
            **credentials.auth_arguments(options, lambda: require_encryption(client)),
            **bridge.arguments(),
        }


def _cancellations() -> int:
    task = asyncio.current_task()
    return 0 if task is None else task.cancelling()


def server_version(client: Client) -> str:
    """The version the server announced, such as `2.12.0`."""
    return str(client_internals.server_info(client).get("version", "0.0.0"))


def version_key(version: str) -> tuple[int, ...]:
    """What to compare versions by: a pre-release counts as its release."""
    numbers = re.findall(r"\d+", re.split(r"[-+]", version, maxsplit=1)[0])
    return tuple(int(number) for number in numbers[:3])
